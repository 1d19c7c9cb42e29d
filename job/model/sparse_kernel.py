"""The first layer without its zeros: most pixels are background, and background adds nothing.

Four in five pixels of MNIST are 0. Skipping them costs less than multiplying by them, even against a matrix product at
the processor's limit. Two image lines' weights at a time, for all rows: they fit into the first-level cache (28 KiB),
which is what sets the speed. Sums live in vector registers while a row's pixels are walked through, as set bits.

Compiled by Numba, kept and loaded by `machine_code`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from job.contract import PIXELS
from job.model.first_layer import PANEL

_LINES: Final = 56
_WIDTH: Final = 64
_FLOAT_BYTES: Final = 4

_BIT, _BYTE, _INT, _LONG = (ir.IntType(bits) for bits in (1, 8, 32, 64))
_BYTES = ir.VectorType(_BYTE, _WIDTH)
_SUMS = ir.VectorType(ir.FloatType(), PANEL)

SIGNATURE: Final = types.void(*[types.int64] * 5)


@numba.njit
def add_products(pixels, rows, weights, sums, stride):
    """Add pixels @ weights to sums: addresses of uint8 (rows, 784), float32 (784, 128) and float32 (rows, ...).

    stride: bytes from one row of sums to the next. Each row's sum is made in the order of its pixels, so that it does
    not depend on other rows.
    """
    for start in range(0, PIXELS, _LINES):
        # The last load would reach behind the row, so it begins earlier and is shifted.
        begin = min(start, PIXELS - _WIDTH)
        for row in range(rows):
            pixel = pixels + row * PIXELS + start
            ink = (_non_zeros(pixels + row * PIXELS + begin) >> np.uint64(start - begin)) & np.uint64((1 << _LINES) - 1)
            if ink:
                _add_weighted(ink, pixel, weights + start * PANEL * _FLOAT_BYTES, sums + row * stride)


@intrinsic
def _non_zeros(_context, address):
    """A bit for each of the 64 bytes from `address` on: whether it is not 0."""

    def codegen(_target, builder, _signature, arguments):
        values = builder.load(builder.inttoptr(arguments[0], _BYTES.as_pointer()), typ=_BYTES)
        values.align = 1
        zeros = ir.Constant(_BYTES, [ir.Constant(_BYTE, 0)] * _WIDTH)
        return builder.bitcast(builder.icmp_unsigned("!=", values, zeros), _LONG)

    return types.uint64(types.int64), codegen


@intrinsic
def _add_weighted(_context, bits, values, weights, sums):
    """For each of the bits, of which one is set: sums += values[bit] * weights[bit], 128 sums at once."""

    def codegen(target, builder, _signature, arguments):
        bits, values, weights, sums = arguments
        place = builder.inttoptr(sums, _SUMS.as_pointer())
        before = builder.load(place, typ=_SUMS)
        before.align = _FLOAT_BYTES
        entry = builder.block
        loop, done = (builder.append_basic_block(name) for name in ("loop", "done"))
        builder.branch(loop)
        builder.position_at_end(loop)
        left, total = builder.phi(_LONG), builder.phi(_SUMS)
        added = _multiply_add(builder, builder.cttz(left, ir.Constant(_BIT, 1)), values, weights, total)
        rest = builder.and_(left, builder.sub(left, ir.Constant(_LONG, 1)))
        for phi, first, following in ((left, bits, rest), (total, before, added)):
            phi.add_incoming(first, entry)
            phi.add_incoming(following, loop)
        builder.cbranch(builder.icmp_unsigned("!=", rest, ir.Constant(_LONG, 0)), loop, done)
        builder.position_at_end(done)
        builder.store(added, place).align = _FLOAT_BYTES
        return target.get_dummy_value()

    return types.void(types.uint64, types.int64, types.int64, types.int64), codegen


def _multiply_add(builder, index, values, weights, total):
    value = builder.load(builder.inttoptr(builder.add(values, index), _BYTE.as_pointer()), typ=_BYTE)
    undefined = ir.Constant(_SUMS, ir.Undefined)
    first = builder.insert_element(undefined, builder.uitofp(value, _SUMS.element), ir.Constant(_INT, 0))
    everywhere = builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT, PANEL), [0] * PANEL))
    offset = builder.mul(index, ir.Constant(_LONG, PANEL * _FLOAT_BYTES))
    row = builder.load(builder.inttoptr(builder.add(weights, offset), _SUMS.as_pointer()), typ=_SUMS)
    row.align = _FLOAT_BYTES
    kind = ir.FunctionType(_SUMS, [_SUMS] * 3)
    return builder.call(
        get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{PANEL}f32"), [everywhere, row, total]
    )
