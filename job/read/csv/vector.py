"""Vector operations on 64 bytes of text, for the CSV kernels.

Each is an intrinsic that emits LLVM vector instructions; LLVM lowers them to whatever the processor has (AVX-512, AVX2,
SSE2, NEON). The result of a comparison is a bit mask: bit `i` belongs to the byte at `address + i`. The caller answers
for every byte that is read or written. Used by `run_kernel` and `count_kernel`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions, and its decorators are untyped.)

from typing import Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from job.compiled.llvm import (
    BIT,
    BYTE,
    LONG,
    SHORT,
    bits_to_lanes,
    broadcast,
    call_llvm,
    constant,
    lanes_to_bits,
    load,
    store,
)

WIDTH: Final = 64
PAIRS: Final = WIDTH // 2

_ZERO: Final = ord("0")
_TEXT = ir.VectorType(BYTE, WIDTH)
_TEXT_PAIRS = ir.VectorType(SHORT, PAIRS)


@intrinsic
def leading_zero_fields(_context, address, delimiter):
    """How many of the 32 byte pairs at `address` are `0` and the delimiter, up to the first that is not."""

    def codegen(_target, builder, _signature, arguments):
        pairs = load(builder, arguments[0], _TEXT_PAIRS)
        high = builder.shl(builder.zext(builder.trunc(arguments[1], BYTE), SHORT), ir.Constant(SHORT, 8))
        pattern = broadcast(builder, builder.or_(high, ir.Constant(SHORT, _ZERO)), PAIRS)
        others = builder.zext(lanes_to_bits(builder, builder.icmp_unsigned("!=", pairs, pattern)), LONG)
        # Set a bit above the last pair, because the count of trailing zeros of 0 is undefined.
        others = builder.or_(others, ir.Constant(LONG, 1 << PAIRS))
        return builder.cttz(others, ir.Constant(BIT, 1))

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def non_digits(_context, address):
    """A mask of the 64 bytes at `address` that are not `0` to `9`."""

    def codegen(_target, builder, _signature, arguments):
        values = builder.sub(load(builder, arguments[0], _TEXT), constant(_TEXT, _ZERO))
        return lanes_to_bits(builder, builder.icmp_unsigned(">", values, constant(_TEXT, 9)))

    return types.uint64(types.int64), codegen


@intrinsic
def equal_bytes(_context, address, byte):
    """A mask of the 64 bytes at `address` that equal `byte`."""

    def codegen(_target, builder, _signature, arguments):
        text = load(builder, arguments[0], _TEXT)
        pattern = broadcast(builder, builder.trunc(arguments[1], BYTE), WIDTH)
        return lanes_to_bits(builder, builder.icmp_unsigned("==", text, pattern))

    return types.uint64(types.int64, types.int64), codegen


@intrinsic
def first_bit(_context, mask):
    """The index of the lowest set bit; undefined for 0."""

    def codegen(_target, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(BIT, 1))

    return types.int64(mask), codegen


@intrinsic
def last_bit(_context, mask):
    """The index of the highest set bit; undefined for 0."""

    def codegen(_target, builder, _signature, arguments):
        zeros = builder.ctlz(arguments[0], ir.Constant(BIT, 1))
        return builder.sub(ir.Constant(LONG, WIDTH - 1), zeros)

    return types.int64(mask), codegen


@intrinsic
def count_bits(_context, mask):
    """The number of set bits."""

    def codegen(_target, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(mask), codegen


@intrinsic
def store_zeros(_context, address):
    """Write 32 zero bytes."""

    def codegen(target, builder, _signature, arguments):
        store(builder, constant(ir.VectorType(BYTE, PAIRS), 0), arguments[0])
        return target.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def pack_numbers(_context, address, ends, has_two, has_three, target):
    """Write, one byte each, the numbers whose field ends at a set bit of `ends`, followed by garbage up to 64 bytes.

    A number is the digit before its end, with the digit before that where `has_two`, and a third where `has_three`.
    Reads from `address - 3` on. Returns the mask of fields whose number, if one ends there, is greater than 255.
    """

    def codegen(_target, builder, _signature, arguments):
        address, ends, has_two, has_three, target = arguments
        ones, tens, hundreds = (
            builder.sub(load(builder, builder.sub(address, ir.Constant(LONG, distance)), _TEXT), constant(_TEXT, _ZERO))
            for distance in (1, 2, 3)
        )
        zero = constant(_TEXT, 0)
        twice = builder.add(tens, tens)
        four_times = builder.add(twice, twice)
        ten_times = builder.add(builder.add(four_times, four_times), twice)
        below_100 = builder.add(ones, builder.select(bits_to_lanes(builder, has_two), ten_times, zero))
        hundreds = builder.select(bits_to_lanes(builder, has_three), hundreds, zero)
        is_100, is_200 = (builder.icmp_unsigned("==", hundreds, constant(_TEXT, digit)) for digit in (1, 2))
        value = builder.add(below_100, builder.select(is_100, constant(_TEXT, 100), zero))
        value = builder.add(value, builder.select(is_200, constant(_TEXT, 200), zero))
        _compress_store(builder, value, ends, target)
        is_over = builder.or_(
            builder.icmp_unsigned(">", hundreds, constant(_TEXT, 2)),
            builder.and_(is_200, builder.icmp_unsigned(">", below_100, constant(_TEXT, 55))),
        )
        return lanes_to_bits(builder, is_over)

    return types.uint64(types.int64, types.uint64, types.uint64, types.uint64, types.int64), codegen


def _compress_store(builder, values, mask, target):
    """Write the bytes of `values` selected by `mask` one after another, and garbage after them up to 64."""
    name = f"llvm.experimental.vector.compress.v{WIDTH}i8"
    undefined = ir.Constant(_TEXT, ir.Undefined)
    packed = call_llvm(builder, name, _TEXT, [values, bits_to_lanes(builder, mask), undefined])
    store(builder, packed, target)
