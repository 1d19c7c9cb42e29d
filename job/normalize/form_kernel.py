"""The hot loop of `mnist_form`: crops each image to its ink, resamples the crop and centres it, in under 1 us.

Resampling is separable. A new line is a weighted sum of at most three lines of the crop; the new columns of two lines
are their product with a matrix, whose sums stay in vector registers. Where the ink is and where its centre is are
computed in whole numbers, and the terms of sums are added in one order: no result depends on the processor.

Compiled by Numba; `machine_code` caches and loads it for `mnist_form`, which lays out the weights.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
from llvmlite import ir
from numba import carray, types
from numba.core.cgutils import alloca_once, for_range
from numba.extending import intrinsic

from job.compiled.llvm import BIT, BYTE, FLOAT, LONG, WORD, broadcast, call_llvm, constant, lanes_to_bits, load, store
from job.contract import PIXELS, SIDE
from job.normalize.mnist_form import BOX_SIDE, COLUMNS, INK_PART, LINE, TAPS

SIGNATURE: Final = types.void(
    types.int64, types.int64, types.CPointer(types.int64), types.int64, types.int64, types.int64, types.int64
)

_FLOAT_BYTES: Final = 4
_LINE_BYTES: Final = LINE * _FLOAT_BYTES
# Of one pair of lengths in the tables of weights.
_TAPS_BYTES: Final = BOX_SIDE * TAPS * _FLOAT_BYTES
_MATRIX_BYTES: Final = SIDE * COLUMNS * _FLOAT_BYTES
# The scratch memory, after a line to spare: lines of the crop, with some more that no weight counts; resampled lines,
# with one more to make up pairs; the box in bytes.
_CROP: Final = _LINE_BYTES
_RESAMPLED: Final = _CROP + (SIDE + TAPS) * _LINE_BYTES
_BOX: Final = _RESAMPLED + (BOX_SIDE + 1) * _LINE_BYTES
# The last load of a line's 32 bytes would reach past the image, so it begins earlier, and is shifted.
_LAST_LOAD: Final = PIXELS - LINE
# Eight floats are a vector register of all processors since 2013.
_LANES: Final = 8
_VECTORS: Final = COLUMNS // _LANES
_EIGHT_FLOATS, _EIGHT_WORDS, _EIGHT_BYTES = (ir.VectorType(kind, _LANES) for kind in (FLOAT, WORD, BYTE))
_WHOLE_LINE: Final = (1 << SIDE) - 1
_LINE_OF_BYTES = ir.VectorType(BYTE, LINE)


@numba.njit
def bring_to_form(pixels, rows, firsts, taps, matrices, scratch, result):
    """Write each image of uint8 (rows, 784) in MNIST's form to `result`, uint8 (rows, 784) and 32 bytes more.

    All but `rows` are addresses. firsts: int64 (29, 21, 20): where a crop's length (first index) becomes another one
    (second index), the first of the TAPS positions that each new position is a sum of. taps: float32
    (29, 21, 20, TAPS), their weights. matrices: float32 (29, 21, 28, 24), the same weights by position of the crop and
    new position; 0 from the new length on. scratch: float32 (SCRATCH_FLOATS).
    """
    for row in range(rows):
        image, target = pixels + row * PIXELS, result + row * PIXELS
        _clear(target)
        top, bottom, left, right = _ink_box(image)
        if bottom < top:
            continue
        height, width = bottom - top + 1, right - left + 1
        new_height, new_width = _new_length(height, max(height, width)), _new_length(width, max(height, width))
        for line in range(height):
            begin = (top + line) * SIDE
            # What precedes the line's first pixel overwrites the end of the line before, which is no pixel.
            early = max(0, begin - _LAST_LOAD)
            _to_floats(image + begin - early, scratch + _CROP + line * _LINE_BYTES - early * _FLOAT_BYTES)
        pair = height * (BOX_SIDE + 1) + new_height
        first = carray(firsts, (pair + 1, BOX_SIDE))[pair]
        for line in range(new_height):
            weights = taps + pair * _TAPS_BYTES + line * TAPS * _FLOAT_BYTES
            _add_lines(scratch + _CROP + first[line] * _LINE_BYTES, weights, scratch + _RESAMPLED + line * _LINE_BYTES)
        # Lines are resampled in pairs.
        _clear_line(scratch + _RESAMPLED + new_height * _LINE_BYTES)
        matrix = matrices + (width * (BOX_SIDE + 1) + new_width) * _MATRIX_BYTES
        total = down = across = 0
        for line in range(0, new_height, 2):
            source = scratch + _RESAMPLED + line * _LINE_BYTES + left * _FLOAT_BYTES
            first_total, second_total, moment = _resample_pair(source, matrix, width, scratch + _BOX + line * COLUMNS)
            total += first_total + second_total
            down += line * first_total + (line + 1) * second_total
            across += moment
        y, x = _start(total, down, SIDE - new_height), _start(total, across, SIDE - new_width)
        for line in range(new_height):
            _copy(scratch + _BOX + line * COLUMNS, target + (y + line) * SIDE + x)


@numba.njit
def _new_length(length, longer):
    """A side of the crop once its longer side is BOX_SIDE, rounded."""
    return max(1, (2 * BOX_SIDE * length + longer) // (2 * longer))


@numba.njit
def _start(total, moment, room):
    """Where a side starts, so that the centre of ink, moment / total + 1/2, comes to SIDE / 2, as nearly as it fits."""
    return min(max((SIDE // 2 * total - moment) // max(total, 1), 0), room)


@numba.njit
def _ink_box(image):
    """The first and last line and the first and last column with ink; the last line is -1 if there is none."""
    brightest = _brightest(image)
    least = max(1, brightest // INK_PART)
    lines = columns = 0
    for line in range(SIDE):
        begin = line * SIDE
        early = max(0, begin - _LAST_LOAD)
        inked = (_reaching(image + begin - early, least) >> early) & _WHOLE_LINE
        columns |= inked
        lines |= (inked != 0) << line
    if lines == 0:
        return 0, -1, 0, -1
    return _lowest_bit(lines), _highest_bit(lines), _lowest_bit(columns), _highest_bit(columns)


# Intrinsics


@intrinsic
def _clear(_context, image):
    """Set the 784 bytes at `image` to 0."""

    def codegen(target, builder, _signature, arguments):
        for begin in (*range(0, _LAST_LOAD, LINE), _LAST_LOAD):
            store(builder, ir.Constant(_LINE_OF_BYTES, None), _after(builder, arguments[0], begin))
        return target.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def _clear_line(_context, line):
    """Set the 32 floats at `line` to 0."""

    def codegen(target, builder, _signature, arguments):
        store(builder, ir.Constant(ir.VectorType(FLOAT, LINE), None), arguments[0], _FLOAT_BYTES)
        return target.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def _brightest(_context, image):
    """The highest of the 784 bytes at `image`."""

    def codegen(_target, builder, _signature, arguments):
        highest = ir.Constant(_LINE_OF_BYTES, None)
        for begin in (*range(0, _LAST_LOAD, LINE), _LAST_LOAD):
            values = load(builder, _after(builder, arguments[0], begin), _LINE_OF_BYTES)
            highest = builder.select(builder.icmp_unsigned(">", values, highest), values, highest)
        return builder.zext(call_llvm(builder, f"llvm.vector.reduce.umax.v{LINE}i8", BYTE, [highest]), LONG)

    return types.int64(types.int64), codegen


@intrinsic
def _reaching(_context, address, least):
    """A mask of the 32 bytes at `address` that are at least `least`."""

    def codegen(_target, builder, _signature, arguments):
        values = load(builder, arguments[0], _LINE_OF_BYTES)
        limit = broadcast(builder, builder.trunc(arguments[1], BYTE), LINE)
        return builder.zext(lanes_to_bits(builder, builder.icmp_unsigned(">=", values, limit)), LONG)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def _lowest_bit(_context, bits):
    """The number of the lowest bit that is set; one is."""

    def codegen(_target, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(BIT, 1))

    return types.int64(types.int64), codegen


@intrinsic
def _highest_bit(_context, bits):
    """The number of the highest bit that is set; one is."""

    def codegen(_target, builder, _signature, arguments):
        return builder.sub(ir.Constant(LONG, 63), builder.ctlz(arguments[0], ir.Constant(BIT, 1)))

    return types.int64(types.int64), codegen


@intrinsic
def _to_floats(_context, source, target):
    """Write 32 bytes as 32 floats."""

    def codegen(context, builder, _signature, arguments):
        values = load(builder, arguments[0], _LINE_OF_BYTES)
        floats = builder.uitofp(values, ir.VectorType(FLOAT, LINE))
        store(builder, floats, arguments[1], _FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _add_lines(_context, lines, weights, target):
    """Write the weighted sum of TAPS lines of 32 floats that follow each other."""

    def codegen(context, builder, _signature, arguments):
        kind = ir.VectorType(FLOAT, LINE)
        total = None
        for tap in range(TAPS):
            weight = load(builder, _after(builder, arguments[1], tap * _FLOAT_BYTES), FLOAT, _FLOAT_BYTES)
            spread = broadcast(builder, weight, LINE)
            line = load(builder, _after(builder, arguments[0], tap * _LINE_BYTES), kind, _FLOAT_BYTES)
            total = builder.fmul(line, spread) if total is None else _fused(builder, line, spread, total)
        store(builder, total, arguments[2], _FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def _resample_pair(_context, lines, matrix, width, box):
    """Write the product of two lines, float32 (2, 32), and a matrix, float32 (width, 24), as bytes, rounded: (2, 24).

    Returns the sums of either line's bytes, and of each byte times its column.
    """

    def codegen(context, builder, signature, arguments):
        lines, matrix, width, box = arguments
        sums = [[alloca_once(builder, _EIGHT_FLOATS) for _ in range(_VECTORS)] for _ in range(2)]
        for slot in (*sums[0], *sums[1]):
            builder.store(constant(_EIGHT_FLOATS, 0.5), slot)  # so that whole numbers below it are rounded
        with for_range(builder, width) as loop:
            row = builder.add(matrix, builder.mul(loop.index, ir.Constant(LONG, COLUMNS * _FLOAT_BYTES)))
            place = builder.add(lines, builder.mul(loop.index, ir.Constant(LONG, _FLOAT_BYTES)))
            weights = [_vector_of(builder, row, each) for each in range(_VECTORS)]
            for number, slots in enumerate(sums):
                value = load(builder, _after(builder, place, number * _LINE_BYTES), FLOAT, _FLOAT_BYTES)
                spread = broadcast(builder, value, _LANES)
                for weight, slot in zip(weights, slots, strict=True):
                    builder.store(_fused(builder, spread, weight, builder.load(slot)), slot)
        totals, moments = [], ir.Constant(_EIGHT_WORDS, None)
        for number, slots in enumerate(sums):
            total = ir.Constant(_EIGHT_WORDS, None)
            for each, slot in enumerate(slots):
                values = builder.fptosi(builder.load(slot), _EIGHT_WORDS)
                start = number * COLUMNS + each * _LANES
                store(builder, builder.trunc(values, _EIGHT_BYTES), _after(builder, box, start))
                columns = ir.Constant(_EIGHT_WORDS, [each * _LANES + lane for lane in range(_LANES)])
                total = builder.add(total, values)
                moments = builder.add(moments, builder.mul(values, columns))
            totals.append(_sum_of(builder, total))
        return context.make_tuple(builder, signature.return_type, [*totals, _sum_of(builder, moments)])

    return types.UniTuple(types.int64, 3)(types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def _copy(_context, source, target):
    """Copy 24 bytes."""

    def codegen(context, builder, _signature, arguments):
        for each in range(_VECTORS):
            values = load(builder, _after(builder, arguments[0], each * _LANES), _EIGHT_BYTES)
            store(builder, values, _after(builder, arguments[1], each * _LANES))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


def _vector_of(builder, row, number):
    return load(builder, _after(builder, row, number * _LANES * _FLOAT_BYTES), _EIGHT_FLOATS, _FLOAT_BYTES)


def _fused(builder, left, right, total):
    """`left * right + total`, rounded once."""
    return call_llvm(builder, f"llvm.fma.v{total.type.count}f32", total.type, [left, right, total])


def _sum_of(builder, vector):
    return builder.sext(call_llvm(builder, f"llvm.vector.reduce.add.v{_LANES}i32", WORD, [vector]), LONG)


def _after(builder, address, size):
    return builder.add(address, ir.Constant(LONG, size))
