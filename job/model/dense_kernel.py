"""Dense layers without their zeros: most pixels are background, half of the hidden units are off, and 0 adds nothing.

Four in five pixels of MNIST are 0, and so are half of what a ReLU lets through. Skipping them costs less than
multiplying by them, even against a matrix product at the processor's limit. Some inputs' weights at a time, for some
rows: so many that both stay in the nearest caches, which is what sets the speed. Sums live in vector registers while
a row's inputs are walked through, as set bits.

Compiled by Numba, kept and loaded by `machine_code`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from job.contract import PIXELS
from job.model.dense import CLASS_PANEL, PANEL, TILE_ROWS, WIDTH

# Inputs whose weights are used together: two image lines, whose weights take 28 KiB, and half as many hidden units.
_PIXELS_AT_ONCE: Final = 56
_FLOAT_BYTES: Final = 4

_BIT, _BYTE, _INT, _LONG = (ir.IntType(bits) for bits in (1, 8, 32, 64))
_FLOAT = ir.FloatType()

SIGNATURE: Final = types.void(
    types.int64, types.int64, types.CPointer(types.int64), types.int64, types.int64, types.int64, types.int64
)


@numba.njit
def run_layers(pixels, rows, layers, count, sums, stride, logits):
    """Pixels through all layers, to what goes into the softmax; addresses of uint8 (rows, 784) and arrays of float32.

    layers: int64 (count, 3), for each the addresses of its weights and bias, and how many panels of outputs it has; the
    last has one, of CLASS_PANEL. sums: room for two times TILE_ROWS rows of `stride` floats. logits: (rows,
    CLASS_PANEL). Each row's sums are made in the order of its inputs, so that they do not depend on other rows.
    """
    table = carray(layers, (count, 3))
    row_bytes = stride * _FLOAT_BYTES
    room = TILE_ROWS * row_bytes
    for first in range(0, rows, TILE_ROWS):
        tile = min(TILE_ROWS, rows - first)
        source, target = sums + room, sums
        for number in range(count):
            weights, bias, panels = table[number, 0], table[number, 1], table[number, 2]
            if number == 0:
                _start(target, tile, row_bytes, bias, panels)
                _add_pixels(pixels + first * PIXELS, tile, weights, panels, target, row_bytes)
            elif number < count - 1:
                _start(target, tile, row_bytes, bias, panels)
                inputs = table[number - 1, 2] * PANEL
                _add_hidden(source, tile, inputs, weights, panels, target, row_bytes)
            else:
                inputs = table[number - 1, 2] * PANEL
                _classify(source, tile, inputs, weights, bias, logits + first * CLASS_PANEL * _FLOAT_BYTES, row_bytes)
            source, target = target, source


@numba.njit
def _start(sums, rows, row_bytes, bias, panels):
    """Let all sums begin with the bias."""
    for row in range(rows):
        for panel in range(panels):
            _copy(bias + panel * PANEL * _FLOAT_BYTES, sums + row * row_bytes + panel * PANEL * _FLOAT_BYTES)


@numba.njit
def _add_pixels(pixels, rows, weights, panels, sums, row_bytes):
    """Add pixels @ weights to sums."""
    for panel in range(panels):
        panel_weights = weights + panel * PIXELS * PANEL * _FLOAT_BYTES
        panel_sums = sums + panel * PANEL * _FLOAT_BYTES
        for start in range(0, PIXELS, _PIXELS_AT_ONCE):
            # The last load would reach behind the row, so it begins earlier and is shifted.
            begin = min(start, PIXELS - WIDTH)
            for row in range(rows):
                pixel = pixels + row * PIXELS
                ink = _ink(pixel + begin) >> np.uint64(start - begin)
                ink &= np.uint64((1 << _PIXELS_AT_ONCE) - 1)
                if ink != 0:
                    _add_weighted_bytes(
                        ink, pixel + start, panel_weights + start * PANEL * _FLOAT_BYTES, panel_sums + row * row_bytes
                    )


@numba.njit
def _add_hidden(values, rows, inputs, weights, panels, sums, row_bytes):
    """Add relu(values) @ weights to sums."""
    for panel in range(panels):
        panel_weights = weights + panel * inputs * PANEL * _FLOAT_BYTES
        panel_sums = sums + panel * PANEL * _FLOAT_BYTES
        for start in range(0, inputs, WIDTH):
            for row in range(rows):
                value = values + row * row_bytes + start * _FLOAT_BYTES
                active = _active(value)
                if active != 0:
                    _add_weighted_floats(
                        active, value, panel_weights + start * PANEL * _FLOAT_BYTES, panel_sums + row * row_bytes
                    )


@numba.njit
def _classify(values, rows, inputs, weights, bias, logits, row_bytes):
    """The last layer: relu(values) @ weights + bias."""
    for row in range(rows):
        target = logits + row * CLASS_PANEL * _FLOAT_BYTES
        _copy_classes(bias, target)
        for start in range(0, inputs, WIDTH):
            value = values + row * row_bytes + start * _FLOAT_BYTES
            active = _active(value)
            if active != 0:
                _add_weighted_classes(active, value, weights + start * CLASS_PANEL * _FLOAT_BYTES, target)


@intrinsic
def _ink(_context, address):
    """A bit for each of the 64 bytes from `address` on: whether it is not 0."""

    def codegen(_target, builder, _signature, arguments):
        values = _loaded(builder, arguments[0], _BYTE, WIDTH)
        return builder.bitcast(builder.icmp_unsigned("!=", values, ir.Constant(values.type, None)), _LONG)

    return types.uint64(types.int64), codegen


@intrinsic
def _active(_context, address):
    """A bit for each of the 64 floats from `address` on: whether it is above 0."""

    def codegen(_target, builder, _signature, arguments):
        values = _loaded(builder, arguments[0], _FLOAT, WIDTH)
        return builder.bitcast(builder.fcmp_ordered(">", values, ir.Constant(values.type, None)), _LONG)

    return types.uint64(types.int64), codegen


def _copying(width):
    """A function that copies so many floats from one address to another."""

    @intrinsic
    def copy(_context, source, target):
        def codegen(target_context, builder, _signature, arguments):
            values = _loaded(builder, arguments[0], _FLOAT, width)
            _store(builder, values, arguments[1])
            return target_context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return copy


def _adding(width, element):
    """A function: for each of the bits, of which one is set, sums += values[bit] * weights[bit], so many sums."""

    @intrinsic
    def add(_context, bits, values, weights, sums):
        def codegen(target, builder, _signature, arguments):
            bits, values, weights, sums = arguments
            before = _loaded(builder, sums, _FLOAT, width)
            entry = builder.block
            loop, done = (builder.append_basic_block(name) for name in ("loop", "done"))
            builder.branch(loop)
            builder.position_at_end(loop)
            left, total = builder.phi(_LONG), builder.phi(before.type)
            index = builder.cttz(left, ir.Constant(_BIT, 1))
            added = _multiply_add(builder, index, _spread(builder, index, values, element, width), weights, total)
            rest = builder.and_(left, builder.sub(left, ir.Constant(_LONG, 1)))
            for phi, first, following in ((left, bits, rest), (total, before, added)):
                phi.add_incoming(first, entry)
                phi.add_incoming(following, loop)
            builder.cbranch(builder.icmp_unsigned("!=", rest, ir.Constant(_LONG, 0)), loop, done)
            builder.position_at_end(done)
            _store(builder, added, sums)
            return target.get_dummy_value()

        return types.void(types.uint64, types.int64, types.int64, types.int64), codegen

    return add


_copy, _copy_classes = _copying(PANEL), _copying(CLASS_PANEL)
_add_weighted_bytes = _adding(PANEL, _BYTE)
_add_weighted_floats = _adding(PANEL, _FLOAT)
_add_weighted_classes = _adding(CLASS_PANEL, _FLOAT)


def _spread(builder, index, values, element, width):
    """One of the values, as so many floats."""
    place = builder.gep(builder.inttoptr(values, element.as_pointer()), [index], source_etype=element)
    value = builder.load(place, typ=element)
    if element is _BYTE:
        value = builder.uitofp(value, _FLOAT)
    vector = ir.VectorType(_FLOAT, width)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT, width), None))


def _multiply_add(builder, index, value, weights, total):
    width = total.type.count
    offset = builder.mul(index, ir.Constant(_LONG, width * _FLOAT_BYTES))
    row = _loaded(builder, builder.add(weights, offset), _FLOAT, width)
    kind = ir.FunctionType(total.type, [total.type] * 3)
    name = f"llvm.fmuladd.v{width}f32"
    return builder.call(get_or_insert_function(builder.module, kind, name), [value, row, total])


def _loaded(builder, address, element, width):
    vector = ir.VectorType(element, width)
    values = builder.load(builder.inttoptr(address, vector.as_pointer()), typ=vector)
    values.align = element.width // 8 if element is _BYTE else _FLOAT_BYTES
    return values


def _store(builder, values, address):
    builder.store(values, builder.inttoptr(address, values.type.as_pointer())).align = _FLOAT_BYTES
