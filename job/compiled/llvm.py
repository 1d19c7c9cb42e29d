"""Reading and writing at an address, for compiled code: what Numba's arrays cannot do with bytes at any place.

Addresses are plain integers; the caller answers for every byte that is read or written. Little-endian, as every
processor is that LLVM compiles this for.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions, and its decorators are untyped.)

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_BYTE, _WORD, _LONG = (ir.IntType(bits) for bits in (8, 32, 64))


def _loading(kind):
    @intrinsic
    def load(_context, address):
        def codegen(_target, builder, _signature, arguments):
            value = builder.load(builder.inttoptr(arguments[0], kind.as_pointer()), typ=kind)
            value.align = 1
            return value if kind is _LONG else builder.zext(value, _LONG)

        return (types.uint64 if kind is _LONG else types.int64)(types.int64), codegen

    return load


def _storing(kind):
    @intrinsic
    def store(_context, address, value):
        def codegen(target, builder, _signature, arguments):
            value = arguments[1] if kind is _LONG else builder.trunc(arguments[1], kind)
            builder.store(value, builder.inttoptr(arguments[0], kind.as_pointer())).align = 1
            return target.get_dummy_value()

        return types.void(types.int64, types.uint64), codegen

    return store


# The byte and the four bytes at an address as int64, the eight as uint64, the first of them lowest. What is calculated
# with has a sign: to Numba, such a number with one that has none is a float, and a place or a length from it any.
load_byte, load_word, load_long = _loading(_BYTE), _loading(_WORD), _loading(_LONG)

# Write the lowest byte, or all eight, of a uint64 to an address.
store_byte, store_long = _storing(_BYTE), _storing(_LONG)
