"""Numba still compiles functions as `machine_code` calls them. Its calling convention is no public interface.

    int32 status(result *, error **, arguments ...)

The tests compile a function of two integers as kernels are compiled, and look at each part of that.
"""

import ctypes
from importlib.metadata import version

import llvmlite.binding as llvm
import pytest

from job.compiled import machine_code
from job.errors import InternalError

SOURCE = """
import numba

SIGNATURE = numba.types.int64(numba.types.int64, numba.types.int64)


@numba.njit
def divide(dividend, divisor):
    if divisor == 0:
        raise ZeroDivisionError("no number")
    return dividend // divisor
"""
CHANGED = (
    f"Numba {version('numba')} with llvmlite {version('llvmlite')} does not compile functions to the calling "
    "convention that job/compiled/machine_code.py expects: adapt _intermediate_code, _compiled and _callable there, "
    "or exclude this version in pyproject.toml. What differs: "
)


@pytest.fixture
def function(monkeypatch, tmp_path):
    """The module and the name of a function that is compiled like a kernel."""
    (tmp_path / "division_kernel.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    machine_code._intermediate_code.cache_clear()
    return "division_kernel", "divide"


@pytest.fixture
def address(function):
    """Where the compiled function is in memory."""
    return machine_code._load(machine_code._compiled(*function, machine_code._level()), "divide")


@pytest.fixture
def native(address):
    """The compiled function as C calls it."""
    return ctypes.CFUNCTYPE(ctypes.c_int32)(address)


def test_the_function_has_the_name_that_numba_tells(function):
    """The wrapper's for C, without its prefix: a mangled name that ends with the types of the arguments."""
    code, name = machine_code._intermediate_code(*function)
    names = [each.name for each in llvm.parse_assembly(code).functions if not each.is_declaration]
    assert {name, f"cfunc.{name}"} <= set(names), f"{CHANGED}the names, {names}"
    assert "divide" in name, f"{CHANGED}the mangling, {name}"


def test_the_function_takes_places_for_result_and_error_before_its_arguments(function):
    """And returns a status of 32 bits."""
    code, name = machine_code._intermediate_code(*function)
    signature = str(llvm.parse_assembly(code).get_function(name).global_value_type)
    assert signature == "i32 (ptr, ptr, i64, i64)", f"{CHANGED}the signature, {signature}"


def test_the_result_is_written_where_the_first_pointer_says(native):
    """With status 0, and no error."""
    result, error = ctypes.c_int64(-1), ctypes.c_void_p()
    status = native(ctypes.byref(result), ctypes.byref(error), ctypes.c_int64(91), ctypes.c_int64(7))
    assert (status, result.value, error.value) == (0, 13, None), f"{CHANGED}result or status of success"


def test_an_exception_is_a_status_and_written_where_the_second_pointer_says(native):
    """The result is then left alone."""
    result, error = ctypes.c_int64(-1), ctypes.c_void_p()
    status = native(ctypes.byref(result), ctypes.byref(error), ctypes.c_int64(91), ctypes.c_int64(0))
    assert status > 0, f"{CHANGED}the status of an exception, {status}"
    assert error.value, f"{CHANGED}the place of an exception"
    assert result.value == -1, f"{CHANGED}the result where there is an exception"


def test_a_status_other_than_0_is_an_internal_error(function):
    """However the convention says it: no kernel may raise."""
    call = machine_code._callable(
        machine_code._load(machine_code._compiled(*function, machine_code._level()), "divide")
    )
    call(91, 7)
    with pytest.raises(InternalError, match="compiled code returned status 1"):
        call(91, 0)
