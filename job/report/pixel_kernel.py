"""Pixels counted by their value, and images by their sum: 32 pixels at a time.

Compiled by Numba, kept and loaded by `machine_code`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
from llvmlite import ir
from numba import carray, types
from numba.core.cgutils import alloca_once, for_range, get_or_insert_function
from numba.extending import intrinsic

from job.contract import PIXELS
from job.report.appearance import INK_EDGES, INK_STEP, INTENSITY_EDGES

SIGNATURE: Final = types.void(types.int64, types.int64, types.CPointer(types.int64), types.CPointer(types.int64))

# Half of AVX-512's: with all counters in registers, older processors are quicker with it.
_WIDTH: Final = 32
# What is left of an image behind 24 times as many pixels.
_REST: Final = PIXELS % _WIDTH
_STEP: Final = INK_STEP * PIXELS
_LAST: Final = len(INK_EDGES) - 1

_BYTE, _SHORT, _INT, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_VECTOR, _PAIRS = ir.VectorType(_BYTE, _WIDTH), ir.VectorType(_SHORT, _WIDTH // 2)


@numba.njit
def count_pixels(pixels, rows, intensity, ink):
    """Count uint8 (rows, 784) at an address into int64 (5,) and (16,), see `Appearance`; both are set, not added to."""
    bands, images = carray(intensity, len(INTENSITY_EDGES)), carray(ink, _LAST + 1)
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
    """Of 784 bytes at an address: how many reach the second band, the third, the fourth, the last; and their sum.

    Counted lane by lane; the lanes are added up at the end. None gets too full: a byte counts up to 255 vectors, and 16
    bits hold the sum of 128 pairs.
    """

    def codegen(context, builder, signature, arguments):
        # Numba puts all such places at the function's beginning, and fills them there; they are filled for each row.
        lanes = [alloca_once(builder, _VECTOR) for _ in INTENSITY_EDGES[1:]]
        total = alloca_once(builder, _PAIRS)
        for place in (*lanes, total):
            builder.store(ir.Constant(place.type.pointee, None), place)
        with for_range(builder, ir.Constant(_LONG, PIXELS // _WIDTH)) as loop:
            begin = builder.add(arguments[0], builder.mul(loop.index, ir.Constant(_LONG, _WIDTH)))
            _count(builder, _loaded(builder, begin), lanes, total)
        # The last vector would reach behind the row, so it begins earlier, and what was counted before is taken out.
        last = _loaded(builder, builder.add(arguments[0], ir.Constant(_LONG, PIXELS - _WIDTH)))
        is_new = [0] * (_WIDTH - _REST) + [0xFF] * _REST
        _count(builder, builder.and_(last, ir.Constant(_VECTOR, is_new)), lanes, total)
        sums = [*(_sums_of_pairs(builder, builder.load(lane)) for lane in lanes), builder.load(total)]
        return context.make_tuple(builder, signature.return_type, [_sum(builder, each) for each in sums])

    return types.UniTuple(types.int64, len(INTENSITY_EDGES))(types.int64), codegen


def _count(builder, values, lanes, total):
    """Add to each lane of a vector whether its byte reaches a band, and to the total the sums of pairs."""
    # Processors compare bytes as if they had signs.
    signed = builder.xor(values, ir.Constant(_VECTOR, [-128] * _WIDTH))
    for lane, lowest in zip(lanes, INTENSITY_EDGES[1:], strict=True):
        is_reached = builder.icmp_signed(">", signed, ir.Constant(_VECTOR, [lowest - 129] * _WIDTH))
        builder.store(builder.sub(builder.load(lane), builder.sext(is_reached, _VECTOR)), lane)
    builder.store(builder.add(builder.load(total), _sums_of_pairs(builder, values)), total)


def _loaded(builder, address):
    values = builder.load(builder.inttoptr(address, _VECTOR.as_pointer()), typ=_VECTOR)
    values.align = 1
    return values


def _sums_of_pairs(builder, values):
    """Bytes, as numbers of 16 bits, each the sum of two."""
    both = builder.bitcast(values, _PAIRS)
    lower = builder.and_(both, ir.Constant(_PAIRS, [0xFF] * _PAIRS.count))
    return builder.add(lower, builder.lshr(both, ir.Constant(_PAIRS, [8] * _PAIRS.count)))


def _sum(builder, values):
    """Numbers of 16 bits in one of 64."""
    wide = ir.VectorType(_INT, _PAIRS.count)
    kind = ir.FunctionType(_INT, [wide])
    function = get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{_PAIRS.count}i32")
    return builder.zext(builder.call(function, [builder.zext(values, wide)]), _LONG)
