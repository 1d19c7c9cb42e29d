"""Histograms for `appearance`: pixels counted by their value, and images by the sum of their pixels.

32 pixels are compared at a time, and counted in the lanes of vector registers until a row is done.

Compiled by Numba; `machine_code` caches and loads it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
from llvmlite import ir
from numba import carray, types
from numba.core.cgutils import alloca_once, for_range
from numba.extending import intrinsic

from job.compiled.llvm import BYTE, LONG, SHORT, WORD, call_llvm, constant, load
from job.contract import PIXELS
from job.report.appearance import INK_EDGES, INK_STEP, INTENSITY_EDGES

SIGNATURE: Final = types.void(types.int64, types.int64, types.CPointer(types.int64), types.CPointer(types.int64))

# Half of an AVX-512 register: all counters then fit into the registers of older processors, which is faster there.
_WIDTH: Final = 32
# The pixels of an image after 24 whole vectors.
_REST: Final = PIXELS % _WIDTH
_STEP: Final = INK_STEP * PIXELS
_LAST_BIN: Final = len(INK_EDGES) - 1

_BYTES, _PAIRS = ir.VectorType(BYTE, _WIDTH), ir.VectorType(SHORT, _WIDTH // 2)


@numba.njit
def count_pixels(pixels, rows, intensity, ink):
    """Count the pixels and images of uint8 (rows, 784) at the address `pixels`.

    Overwrites intensity: int64 (5,), and ink: int64 (16,); `Appearance` says what each bin holds.
    """
    bands, images = carray(intensity, len(INTENSITY_EDGES)), carray(ink, _LAST_BIN + 1)
    # How many pixels reach the lowest value of each band.
    faint = weak = strong = full = 0
    images[:] = 0
    for row in range(rows):
        counts = _count_row(pixels + row * PIXELS)
        faint += counts[0]
        weak += counts[1]
        strong += counts[2]
        full += counts[3]
        images[min(counts[4] // _STEP, _LAST_BIN)] += 1
    bands[0] = rows * PIXELS - faint
    bands[1] = faint - weak
    bands[2] = weak - strong
    bands[3] = strong - full
    bands[4] = full


@intrinsic
def _count_row(_context, address):
    """Of the 784 bytes at `address`: how many reach the second, third, fourth and last band, and their sum.

    Each lane counts on its own; the lanes are added at the end. No lane overflows: a byte can count 255 vectors, and 16
    bits hold the sum of 128 pairs.
    """

    def codegen(context, builder, signature, arguments):
        # Numba allocates and initialises stack slots once, at the function's entry; these are reset for each row.
        counters = [alloca_once(builder, _BYTES) for _ in INTENSITY_EDGES[1:]]
        total = alloca_once(builder, _PAIRS)
        for slot in (*counters, total):
            builder.store(ir.Constant(slot.type.pointee, None), slot)
        with for_range(builder, ir.Constant(LONG, PIXELS // _WIDTH)) as loop:
            begin = builder.add(arguments[0], builder.mul(loop.index, ir.Constant(LONG, _WIDTH)))
            _count_vector(builder, load(builder, begin, _BYTES), counters, total)
        # The last vector would reach past the row, so it begins earlier, and bytes counted before are masked out.
        last = load(builder, builder.add(arguments[0], ir.Constant(LONG, PIXELS - _WIDTH)), _BYTES)
        is_new = [0] * (_WIDTH - _REST) + [0xFF] * _REST
        _count_vector(builder, builder.and_(last, ir.Constant(_BYTES, is_new)), counters, total)
        sums = [*(_pair_sums(builder, builder.load(counter)) for counter in counters), builder.load(total)]
        return context.make_tuple(builder, signature.return_type, [_sum_lanes(builder, each) for each in sums])

    return types.UniTuple(types.int64, len(INTENSITY_EDGES))(types.int64), codegen


def _count_vector(builder, values, counters, total):
    """Add to each lane of each counter whether its byte reaches the counter's band, and the pair sums to `total`."""
    # Processors compare bytes as signed numbers: shift 0..255 to -128..127.
    signed = builder.xor(values, constant(_BYTES, -128))
    for counter, lowest in zip(counters, INTENSITY_EDGES[1:], strict=True):
        is_reached = builder.icmp_signed(">", signed, constant(_BYTES, lowest - 129))
        builder.store(builder.sub(builder.load(counter), builder.sext(is_reached, _BYTES)), counter)
    builder.store(builder.add(builder.load(total), _pair_sums(builder, values)), total)


def _pair_sums(builder, values):
    """The sums of neighbouring bytes, as 16-bit lanes."""
    both = builder.bitcast(values, _PAIRS)
    return builder.add(builder.and_(both, constant(_PAIRS, 0xFF)), builder.lshr(both, constant(_PAIRS, 8)))


def _sum_lanes(builder, values):
    """The sum of 16-bit lanes, as a 64-bit integer."""
    wide = builder.zext(values, ir.VectorType(WORD, _PAIRS.count))
    return builder.zext(call_llvm(builder, f"llvm.vector.reduce.add.v{_PAIRS.count}i32", WORD, [wide]), LONG)
