"""The vector instructions of `kernel`: what a processor can say about 64 bytes of text at once.

Numba has no vector types, so these emit LLVM's own: loads of 64 bytes and comparisons whose results become the bits
of an integer. LLVM makes of them whatever the processor has (AVX-512, AVX2, SSE2, NEON). Addresses are plain integers;
the caller answers for every byte that is read or written.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions, and its decorators are untyped.)

from typing import Final

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

WIDTH: Final = 64
PAIRS: Final = WIDTH // 2

_ZERO: Final = ord("0")
_BYTE, _PAIR, _WORD, _MASK = (ir.IntType(bits) for bits in (8, 16, 32, 64))


@intrinsic
def leading_zero_fields(_context, address, delimiter):
    """How many of the 32 pairs of bytes from `address` on are `0` and the delimiter, before the first that is not."""

    def codegen(_target, builder, _signature, arguments):
        text = _loaded(builder, arguments[0], _PAIR)
        high = builder.shl(builder.zext(builder.trunc(arguments[1], _BYTE), _PAIR), ir.Constant(_PAIR, 8))
        pattern = _spread(builder, builder.or_(high, ir.Constant(_PAIR, _ZERO)), text.type)
        others = builder.zext(_as_mask(builder, builder.icmp_unsigned("!=", text, pattern), PAIRS), _MASK)
        # A bit behind the last pair, so that there is always one to be found.
        others = builder.or_(others, ir.Constant(_MASK, 1 << PAIRS))
        return builder.cttz(others, ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def non_digits(_context, address):
    """A bit for each of the 64 bytes from `address` on: whether it is no digit."""

    def codegen(_target, builder, _signature, arguments):
        text = _loaded(builder, arguments[0], _BYTE)
        values = builder.sub(text, _constant(text.type, _ZERO))
        return _as_mask(builder, builder.icmp_unsigned(">", values, _constant(text.type, 9)), WIDTH)

    return types.uint64(types.int64), codegen


@intrinsic
def equal_bytes(_context, address, byte):
    """A bit for each of the 64 bytes from `address` on: whether it is `byte`."""

    def codegen(_target, builder, _signature, arguments):
        text = _loaded(builder, arguments[0], _BYTE)
        pattern = _spread(builder, builder.trunc(arguments[1], _BYTE), text.type)
        return _as_mask(builder, builder.icmp_unsigned("==", text, pattern), WIDTH)

    return types.uint64(types.int64, types.int64), codegen


@intrinsic
def first_bit(_context, mask):
    """The place of the lowest bit that is set; undefined for 0."""

    def codegen(_target, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(mask), codegen


@intrinsic
def last_bit(_context, mask):
    """The place of the highest bit that is set; undefined for 0."""

    def codegen(_target, builder, _signature, arguments):
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(_MASK, WIDTH - 1), zeros)

    return types.int64(mask), codegen


@intrinsic
def count_bits(_context, mask):
    """How many bits are set."""

    def codegen(_target, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(mask), codegen


@intrinsic
def store_zeros(_context, address):
    """Write 32 zero bytes."""

    def codegen(target, builder, _signature, arguments):
        vector = ir.VectorType(_BYTE, PAIRS)
        store = builder.store(_constant(vector, 0), builder.inttoptr(arguments[0], vector.as_pointer()))
        store.align = 1
        return target.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def pack_numbers(_context, address, ends, has_two, has_three, target):
    """Write the numbers that end before the places whose bits are set in `ends`, one byte each, and rubbish up to 64.

    A number is the digit before its end, the one before that where `has_two`, and the one before these where
    `has_three`. Reads from three bytes before `address` on. Returns a bit for each place: whether its number is over
    255, if one ends there.
    """

    def codegen(_target, builder, _signature, arguments):
        address, ends, has_two, has_three, target = arguments
        ones, tens, hundreds = (
            builder.sub(text, _constant(text.type, _ZERO))
            for text in (
                _loaded(builder, builder.sub(address, ir.Constant(_MASK, behind)), _BYTE) for behind in (1, 2, 3)
            )
        )
        none = _constant(ones.type, 0)
        twice = builder.add(tens, tens)
        four_times = builder.add(twice, twice)
        ten_times = builder.add(builder.add(four_times, four_times), twice)
        below = builder.add(ones, builder.select(_as_bits(builder, has_two), ten_times, none))
        hundreds = builder.select(_as_bits(builder, has_three), hundreds, none)
        is_one, is_two = (builder.icmp_unsigned("==", hundreds, _constant(ones.type, each)) for each in (1, 2))
        value = builder.add(below, builder.select(is_one, _constant(ones.type, 100), none))
        value = builder.add(value, builder.select(is_two, _constant(ones.type, 200), none))
        _pack(builder, value, ends, target)
        is_over = builder.or_(
            builder.icmp_unsigned(">", hundreds, _constant(ones.type, 2)),
            builder.and_(is_two, builder.icmp_unsigned(">", below, _constant(ones.type, 55))),
        )
        return _as_mask(builder, is_over, WIDTH)

    return types.uint64(types.int64, types.uint64, types.uint64, types.uint64, types.int64), codegen


def _pack(builder, values, wanted, target):
    """Store those of 64 bytes whose bits are set, one behind another, and whatever behind them."""
    bits = _as_bits(builder, wanted)
    kind = ir.FunctionType(values.type, [values.type, bits.type, values.type])
    pack = get_or_insert_function(builder.module, kind, f"llvm.experimental.vector.compress.v{WIDTH}i8")
    packed = builder.call(pack, [values, bits, ir.Constant(values.type, ir.Undefined)])
    builder.store(packed, builder.inttoptr(target, packed.type.as_pointer())).align = 1


def _as_bits(builder, mask):
    return builder.bitcast(mask, ir.VectorType(ir.IntType(1), WIDTH))


def _loaded(builder, address, element):
    vector = ir.VectorType(element, WIDTH * 8 // element.width)
    text = builder.load(builder.inttoptr(address, vector.as_pointer()), typ=vector)
    text.align = 1
    return text


def _as_mask(builder, comparison, bits):
    return builder.bitcast(comparison, ir.IntType(bits))


def _constant(vector, value):
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def _spread(builder, value, vector):
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(first, undefined, _constant(ir.VectorType(_WORD, vector.count), 0))
