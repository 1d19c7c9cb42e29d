"""The fused multiply-add, for processors that lack it: `a * b + c` of floats, rounded once.

Sums of products are the same bits on every processor only if each step is. All processors since 2013 round once, in an
instruction that costs nothing; rounding the product apart would slow down every one of them. So kernels ask LLVM for
the instruction (`llvm.fma`), and where there is none, `machine_code` links what this module emulates it by.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import re
from typing import Final

from llvmlite import ir

from job.compiled.llvm import FLOAT, LONG, WORD, constant

_FMA: Final = re.compile(r"@llvm\.fma\.v(\d+)f32")
_NAME: Final = "fused_multiply_add.v"
_DOUBLE = ir.DoubleType()
# Measured: wider vectors of doubles do not fit into 16 registers of 128 bits.
_STEP: Final = 2


def without_fma(code: str) -> tuple[str, str]:
    """LLVM assembly whose fused multiply-adds are calls of functions; and these functions, as assembly."""
    module = ir.Module()
    for width in sorted({int(found) for found in _FMA.findall(code)}):
        kind = ir.VectorType(FLOAT, width)
        function = ir.Function(module, ir.FunctionType(kind, [kind] * 3), f"{_NAME}{width}")
        function.attributes.add("alwaysinline")
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(_in_steps(builder, function.args, width))
    return _FMA.sub(rf"@{_NAME}\1", code), str(module)


def _in_steps(builder, operands, count):
    """`_emulated`, _STEP lanes at a time."""
    results = []
    for start in range(0, count, _STEP):
        lanes = range(start, start + _STEP)
        results.append(_emulated(builder, *(_shuffled(builder, each, each, lanes) for each in operands)))
    while len(results) > 1:
        pairs = zip(results[::2], results[1::2], strict=True)
        results = [_shuffled(builder, *pair, range(2 * pair[0].type.count)) for pair in pairs]
    return results[0]


def _shuffled(builder, first, second, lanes):
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(WORD, len(lanes)), list(lanes)))


def _emulated(builder, factor, other, addend):
    """`factor * other + addend` by doubles.

    The product of two floats is exactly a double. The sum is rounded to odd, after which rounding to a float gives what
    rounding the exact sum gives (S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved
    algorithms using rounding to odd", IEEE Transactions on Computers 57, 2008).
    """
    count = addend.type.count
    doubles, longs = ir.VectorType(_DOUBLE, count), ir.VectorType(LONG, count)
    factor, other, addend = (builder.fpext(each, doubles) for each in (factor, other, addend))
    product = builder.fmul(factor, other)
    total = builder.fadd(addend, product)
    # What rounding lost, exactly (D. E. Knuth's TwoSum).
    added = builder.fsub(total, addend)
    lost = builder.fadd(builder.fsub(addend, builder.fsub(total, added)), builder.fsub(product, added))
    is_inexact = builder.sext(builder.fcmp_ordered("!=", lost, constant(doubles, 0.0)), longs)
    bits, top = builder.bitcast(total, longs), constant(longs, 63)
    # Where the sum was rounded away from zero, signs differ: go back by one. Then set the last bit.
    is_away = builder.and_(builder.xor(bits, builder.bitcast(lost, longs)), is_inexact)
    bits = builder.sub(bits, builder.lshr(is_away, top))
    bits = builder.or_(bits, builder.lshr(is_inexact, top))
    return builder.fptrunc(builder.bitcast(bits, doubles), ir.VectorType(FLOAT, count))
