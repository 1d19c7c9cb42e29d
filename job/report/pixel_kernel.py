"""Pixels counted by their value, and images by their sum: 64 pixels at a time, some thirty nanoseconds an image.

Compiled by Numba, kept and loaded by `machine_code`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
from llvmlite import ir
from numba import carray, types
from numba.core.cgutils import alloca_once_value, for_range, get_or_insert_function
from numba.extending import intrinsic

from job.contract import PIXELS
from job.report.appearance import INK_EDGES, INK_STEP, INTENSITY_EDGES

SIGNATURE: Final = types.void(types.int64, types.int64, types.CPointer(types.int64), types.CPointer(types.int64))

_WIDTH: Final = 32
# What is left of an image behind twelve times 64 pixels.
_REST: Final = PIXELS % _WIDTH
_BANDS: Final = len(INTENSITY_EDGES)
_STEP: Final = INK_STEP * PIXELS
_LAST: Final = len(INK_EDGES) - 1

_BYTE, _SHORT, _INT, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))


@numba.njit
def count_pixels(pixels, rows, intensity, ink):
    """Count uint8 (rows, 784) at an address into int64 (5,) and (16,), see `Appearance`; both are set, not added to."""
    bands, images = carray(intensity, _BANDS), carray(ink, _LAST + 1)
    # How many pixels have at least the lowest value of each band.
    faint = weak = strong = full = 0
    images[:] = 0
    for row in range(rows):
        counts = _row(pixels + row * PIXELS)
        faint += counts[0]
        weak += counts[1]
        strong += counts[2]
        full += counts[3]
        images[min(counts[4] // _STEP, _LAST)] += 1
    bands[0] = rows * PIXELS - faint
    bands[1] = faint - weak
    bands[2] = weak - strong
    bands[3] = strong - full
    bands[4] = full


@intrinsic
def _row(_context, address):
    """Of 784 bytes at an address: how many reach the second band, the third, the fourth, the last; and their sum."""

    def codegen(context, builder, signature, arguments):
        totals = [ir.Constant(_LONG, 0)] * _BANDS
        for begin, count, width in ((0, PIXELS // _WIDTH, _WIDTH), (PIXELS - _REST, 1, _REST)):
            start = builder.add(arguments[0], ir.Constant(_LONG, begin))
            totals = [builder.add(*each) for each in zip(totals, _counted(builder, start, count, width), strict=True)]
        return context.make_tuple(builder, signature.return_type, totals)

    return types.UniTuple(types.int64, _BANDS)(types.int64), codegen


def _counted(builder, start, count, width):
    """What `_row` gives, of `count` vectors of so many bytes: counted lane by lane, and the lanes added up at the end.

    No lane gets too full: a byte counts up to 255 vectors, and 16 bits hold the sum of 128 pairs.
    """
    bytes_, pairs = ir.VectorType(_BYTE, width), ir.VectorType(_SHORT, width // 2)
    lanes = [alloca_once_value(builder, ir.Constant(bytes_, None)) for _ in range(_BANDS - 1)]
    total = alloca_once_value(builder, ir.Constant(pairs, None))
    # Numba puts all such places at the function's beginning, where they are filled once: here, for each row.
    for each in lanes:
        builder.store(ir.Constant(bytes_, None), each)
    builder.store(ir.Constant(pairs, None), total)
    with for_range(builder, ir.Constant(_LONG, count)) as loop:
        place = builder.add(start, builder.mul(loop.index, ir.Constant(_LONG, width)))
        values = builder.load(builder.inttoptr(place, bytes_.as_pointer()), typ=bytes_)
        values.align = 1
        # Processors compare bytes as if they had signs.
        signed = builder.xor(values, ir.Constant(bytes_, [-128] * width))
        for lane, lowest in zip(lanes, INTENSITY_EDGES[1:], strict=True):
            is_reached = builder.icmp_signed(">", signed, ir.Constant(bytes_, [lowest - 129] * width))
            builder.store(builder.sub(builder.load(lane), builder.sext(is_reached, bytes_)), lane)
        builder.store(builder.add(builder.load(total), _sums_of_pairs(builder, values, pairs)), total)
    sums = [_sums_of_pairs(builder, builder.load(each), pairs) for each in lanes]
    return [_sum(builder, each, width // 2) for each in [*sums, builder.load(total)]]


def _sums_of_pairs(builder, values, pairs):
    """Bytes, as numbers of 16 bits, each the sum of two."""
    both = builder.bitcast(values, pairs)
    lower = builder.and_(both, ir.Constant(pairs, [0xFF] * pairs.count))
    return builder.add(lower, builder.lshr(both, ir.Constant(pairs, [8] * pairs.count)))


def _sum(builder, values, width):
    """Numbers of 16 bits in one of 64."""
    wide = ir.VectorType(_INT, width)
    kind = ir.FunctionType(_INT, [wide])
    function = get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{width}i32")
    return builder.zext(builder.call(function, [builder.zext(values, wide)]), _LONG)
