"""The fused multiply-add without the instruction: it rounds the exact result once, for any floats."""

import ctypes
from fractions import Fraction

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from job.compiled import machine_code
from job.compiled.fused import without_fma

KERNEL = """
define void @run(ptr %a, ptr %b, ptr %c, ptr %result) {
  %1 = load <4 x float>, ptr %a, align 4
  %2 = load <4 x float>, ptr %b, align 4
  %3 = load <4 x float>, ptr %c, align 4
  %4 = call <4 x float> @llvm.fma.v4f32(<4 x float> %1, <4 x float> %2, <4 x float> %3)
  store <4 x float> %4, ptr %result, align 4
  ret void
}
declare <4 x float> @llvm.fma.v4f32(<4 x float>, <4 x float>, <4 x float>)
"""


@pytest.fixture(scope="module")
def emulated():
    """A function of three float32 (4,) that returns a * b + c, compiled for processors without the instruction."""
    machine_code._llvm()
    code, functions = map(llvm.parse_assembly, without_fma(KERNEL))
    code.link_in(functions)
    engine = llvm.create_mcjit_compiler(code, machine_code._machine(llvm, machine_code._level()))
    engine.finalize_object()
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(engine.get_function_address("run"))
    arrays = np.zeros((4, 4), np.float32)

    def call(*operands):
        arrays[:3] = operands
        run(*(array.ctypes.data for array in arrays))
        return arrays[3].copy()

    yield call
    engine.close()


def _rounded(exact):
    """The float32 nearest to a fraction, the even one of two."""
    near = np.float32(float(exact))
    candidates = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return min(candidates, key=lambda each: (abs(Fraction(float(each)) - exact), int(each.view(np.int32)) & 1))


# With few bits set, so that sums are often exactly between two floats, or just beside.
_floats = some.one_of(
    some.builds(lambda a, b, c, d: np.float32((2.0**a + c * 2.0**b) * d), *[some.integers(-24, 24)] * 2,
                some.sampled_from([-1, 0, 1]), some.sampled_from([-1, 1])),
    some.floats(-1e9, 1e9, width=32).map(np.float32),
    some.floats(-(2.0**-99), 2.0**-99, width=32).map(np.float32),
)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(operands=some.lists(some.tuples(_floats, _floats, _floats), min_size=4, max_size=4))
def test_the_exact_result_is_rounded_once(emulated, operands):
    """Also where it is exactly between two floats, and where it has fewer bits than a normal float."""
    found = emulated(*zip(*operands, strict=True))
    for (a, b, c), result in zip(operands, found, strict=True):
        assert result == _rounded(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))), (a, b, c)


def test_a_sum_just_beside_the_middle_of_two_floats(emulated):
    """Rounding to a double first would put it into the middle, and then to the even one."""
    a = np.float32([1 + 2**-12, 1 - 2**-12, 1 + 2**-23, 2**-30])
    b = np.float32([2**-24, 2**-24, 2**-47, 2**-30])
    c = np.float32([1, 1, 1 + 2**-23, 1])
    np.testing.assert_array_equal(emulated(a, b, c), np.float32([1 + 2**-23, 1, 1 + 2**-23, 1]))


def test_what_is_no_number_stays_so(emulated):
    """Infinite and undefined results are those of the instruction."""
    found = emulated([np.inf, 3e38, np.nan, np.inf], [1, 3e38, 1, 0], [1, 1, 1, 1])
    np.testing.assert_array_equal(found, np.float32([np.inf, np.inf, np.nan, np.nan]))
