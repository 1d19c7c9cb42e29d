"""Memory access and vectors for compiled kernels, which Numba's own types cannot express.

Two levels. `load_byte`, `store_long`, ... are functions that a kernel calls. `load`, `broadcast`, ... are for the body
of an intrinsic: each emits LLVM instructions through llvmlite's `builder` and returns the value that they compute.

Addresses are plain integers, and nothing checks them: the caller answers for every byte that is read or written.
Little-endian, like every processor that this code is compiled for.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions, and its decorators are untyped.)

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

BIT, BYTE, SHORT, WORD, LONG = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
FLOAT = ir.FloatType()


# For the bodies of intrinsics


def load(builder, address, kind, align=1):
    """The value of an LLVM type at an address, which is a multiple of `align` bytes."""
    value = builder.load(builder.inttoptr(address, kind.as_pointer()), typ=kind)
    value.align = align
    return value


def store(builder, value, address, align=1):
    """Write a value to an address, which is a multiple of `align` bytes."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = align


def constant(vector, value):
    """A vector constant whose lanes are all `value`."""
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def broadcast(builder, value, count):
    """A vector of `count` lanes that all hold a value known at run time only."""
    undefined = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(WORD, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(WORD, count), None))


def lanes_to_bits(builder, lanes):
    """A vector of `n` booleans, such as a comparison's result, as an `n`-bit integer; lane 0 is the lowest bit."""
    return builder.bitcast(lanes, ir.IntType(lanes.type.count))


def bits_to_lanes(builder, bits):
    """The inverse of `lanes_to_bits`."""
    return builder.bitcast(bits, ir.VectorType(BIT, bits.type.width))


def call_llvm(builder, name, result, arguments):
    """Call the LLVM intrinsic `name`, which returns a value of the type `result`."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(get_or_insert_function(builder.module, kind, name), arguments)


# For kernels


def _load_function(kind):
    @intrinsic
    def load_integer(_context, address):
        def codegen(_target, builder, _signature, arguments):
            value = load(builder, arguments[0], kind)
            return value if kind is LONG else builder.zext(value, LONG)

        return (types.uint64 if kind is LONG else types.int64)(types.int64), codegen

    return load_integer


def _store_function(kind):
    @intrinsic
    def store_integer(_context, address, value):
        def codegen(target, builder, _signature, arguments):
            store(builder, arguments[1] if kind is LONG else builder.trunc(arguments[1], kind), arguments[0])
            return target.get_dummy_value()

        return types.void(types.int64, types.uint64), codegen

    return store_integer


# Load one or four bytes as int64, or eight as uint64. The narrow ones are signed because Numba turns a signed and an
# unsigned operand into floats, and offsets and lengths are computed from them.
load_byte, load_word, load_long = _load_function(BYTE), _load_function(WORD), _load_function(LONG)

# Store the lowest byte, or all eight bytes, of a uint64.
store_byte, store_long = _store_function(BYTE), _store_function(LONG)
