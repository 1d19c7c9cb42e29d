"""The dense network, skipping zeros: four in five pixels of MNIST are 0, and so is half of what a ReLU passes on.

Skipping them costs less than multiplying by them, even against a matrix product at the processor's limit. Some inputs'
weights are used together for some rows, so many that both stay in the nearest caches, which sets the speed. For each
row the set bits of a mask name the inputs that are not 0, and the sums stay in vector registers meanwhile.

Compiled by Numba; `machine_code` caches and loads it for `dense`, which lays out the weights.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from job.compiled.llvm import BIT, BYTE, FLOAT, LONG, broadcast, call_llvm, lanes_to_bits, load, store
from job.contract import PIXELS
from job.model.dense import CLASS_PANEL, PANEL, TILE_ROWS, WIDTH

# Inputs whose weights are used together: two image lines, whose weights take 28 KiB, and half as many hidden units.
_PIXELS_AT_ONCE: Final = 56
_FLOAT_BYTES: Final = 4

SIGNATURE: Final = types.void(
    types.int64, types.int64, types.CPointer(types.int64), types.int64, types.int64, types.int64, types.int64
)


@numba.njit
def run_layers(pixels, rows, layers, count, sums, stride, logits):
    """Run pixels through all layers, up to the inputs of the softmax.

    Arguments are addresses of arrays, and integers. pixels: uint8 (rows, 784). layers: int64 (count, 3), for each layer
    the addresses of its weights and bias (float32) and its number of output panels; the last layer has one panel, of
    CLASS_PANEL. sums: scratch, float32 (2, TILE_ROWS, stride). logits: float32 (rows, CLASS_PANEL), written.
    Each row's sums are added in the order of its inputs, and a product and its sum rounded once, so that no row's
    result depends on other rows, or on the processor.
    """
    table = carray(layers, (count, 3))
    row_bytes = stride * _FLOAT_BYTES
    buffer_bytes = TILE_ROWS * row_bytes
    for first in range(0, rows, TILE_ROWS):
        tile = min(TILE_ROWS, rows - first)
        source, target = sums + buffer_bytes, sums
        for number in range(count):
            weights, bias, panels = table[number, 0], table[number, 1], table[number, 2]
            if number == 0:
                _set_to_bias(target, tile, row_bytes, bias, panels)
                _add_pixels(pixels + first * PIXELS, tile, weights, panels, target, row_bytes)
            elif number < count - 1:
                _set_to_bias(target, tile, row_bytes, bias, panels)
                inputs = table[number - 1, 2] * PANEL
                _add_hidden(source, tile, inputs, weights, panels, target, row_bytes)
            else:
                inputs = table[number - 1, 2] * PANEL
                _classify(source, tile, inputs, weights, bias, logits + first * CLASS_PANEL * _FLOAT_BYTES, row_bytes)
            source, target = target, source


@numba.njit
def _set_to_bias(sums, rows, row_bytes, bias, panels):
    """Initialise all sums with the bias."""
    for row in range(rows):
        for panel in range(panels):
            _copy(bias + panel * PANEL * _FLOAT_BYTES, sums + row * row_bytes + panel * PANEL * _FLOAT_BYTES)


@numba.njit
def _add_pixels(pixels, rows, weights, panels, sums, row_bytes):
    """The first layer: sums += pixels @ weights."""
    for panel in range(panels):
        panel_weights = weights + panel * PIXELS * PANEL * _FLOAT_BYTES
        panel_sums = sums + panel * PANEL * _FLOAT_BYTES
        for start in range(0, PIXELS, _PIXELS_AT_ONCE):
            # The last load would reach past the row, so it begins earlier and is shifted.
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
    """A hidden layer: sums += relu(values) @ weights."""
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
    """The last layer: logits = relu(values) @ weights + bias."""
    for row in range(rows):
        target = logits + row * CLASS_PANEL * _FLOAT_BYTES
        _copy_classes(bias, target)
        for start in range(0, inputs, WIDTH):
            value = values + row * row_bytes + start * _FLOAT_BYTES
            active = _active(value)
            if active != 0:
                _add_weighted_classes(active, value, weights + start * CLASS_PANEL * _FLOAT_BYTES, target)


# Intrinsics


@intrinsic
def _ink(_context, address):
    """A mask of the 64 bytes at `address` that are not 0."""

    def codegen(_target, builder, _signature, arguments):
        values = load(builder, arguments[0], ir.VectorType(BYTE, WIDTH))
        return lanes_to_bits(builder, builder.icmp_unsigned("!=", values, ir.Constant(values.type, None)))

    return types.uint64(types.int64), codegen


@intrinsic
def _active(_context, address):
    """A mask of the 64 floats at `address` that are greater than 0."""

    def codegen(_target, builder, _signature, arguments):
        values = load(builder, arguments[0], ir.VectorType(FLOAT, WIDTH), _FLOAT_BYTES)
        return lanes_to_bits(builder, builder.fcmp_ordered(">", values, ir.Constant(values.type, None)))

    return types.uint64(types.int64), codegen


def _copy_function(width):
    """A function that copies `width` floats from one address to another."""

    @intrinsic
    def copy(_context, source, target):
        def codegen(target_context, builder, _signature, arguments):
            values = load(builder, arguments[0], ir.VectorType(FLOAT, width), _FLOAT_BYTES)
            store(builder, values, arguments[1], _FLOAT_BYTES)
            return target_context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return copy


def _add_function(width, element):
    """A function that adds `values[bit] * weights[bit]` to `width` sums, for each set bit from the lowest on.

    At least one bit must be set. `values` are of the type `element`.
    """

    @intrinsic
    def add(_context, bits, values, weights, sums):
        def codegen(target, builder, _signature, arguments):
            bits, values, weights, sums = arguments
            before = load(builder, sums, ir.VectorType(FLOAT, width), _FLOAT_BYTES)
            entry = builder.block
            loop, done = (builder.append_basic_block(name) for name in ("loop", "done"))
            builder.branch(loop)
            builder.position_at_end(loop)
            left, total = builder.phi(LONG), builder.phi(before.type)
            index = builder.cttz(left, ir.Constant(BIT, 1))
            value = broadcast(builder, _float_at(builder, values, index, element), width)
            added = _multiply_add(builder, value, weights, index, total)
            rest = builder.and_(left, builder.sub(left, ir.Constant(LONG, 1)))
            for phi, first, following in ((left, bits, rest), (total, before, added)):
                phi.add_incoming(first, entry)
                phi.add_incoming(following, loop)
            builder.cbranch(builder.icmp_unsigned("!=", rest, ir.Constant(LONG, 0)), loop, done)
            builder.position_at_end(done)
            store(builder, added, sums, _FLOAT_BYTES)
            return target.get_dummy_value()

        return types.void(types.uint64, types.int64, types.int64, types.int64), codegen

    return add


def _float_at(builder, values, index, element):
    """`values[index]` as a float."""
    place = builder.gep(builder.inttoptr(values, element.as_pointer()), [index], source_etype=element)
    value = builder.load(place, typ=element)
    return builder.uitofp(value, FLOAT) if element is BYTE else value


def _multiply_add(builder, value, weights, index, total):
    """`total + value * weights[index]`, rounded once, where a row of weights is as wide as `total`."""
    width = total.type.count
    offset = builder.mul(index, ir.Constant(LONG, width * _FLOAT_BYTES))
    row = load(builder, builder.add(weights, offset), total.type, _FLOAT_BYTES)
    return call_llvm(builder, f"llvm.fma.v{width}f32", total.type, [value, row, total])


_copy, _copy_classes = _copy_function(PANEL), _copy_function(CLASS_PANEL)
_add_weighted_bytes = _add_function(PANEL, BYTE)
_add_weighted_floats = _add_function(PANEL, FLOAT)
_add_weighted_classes = _add_function(CLASS_PANEL, FLOAT)
