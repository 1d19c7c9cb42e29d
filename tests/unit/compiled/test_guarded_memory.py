"""The guarded memory of the kernels' tests ends a process that reads or writes one byte too far, and tells where."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
SCRIPT = """
import ctypes, faulthandler, sys
from support.guarded_memory import guarded_bytes

def test_of_a_kernel():
    text = guarded_bytes(b"text", sys.argv[1], spare_bytes=2)
    address = ctypes.addressof(text)
    print(ctypes.string_at(address, 6), flush=True)
    ctypes.memset(address + int(sys.argv[2]), 1, 1)

faulthandler.enable()
test_of_a_kernel()
"""


def _run(side, place):
    """Touch a byte at an offset of memory that holds six."""
    command = [sys.executable, "-c", SCRIPT, side, str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(TESTS)})


@pytest.mark.parametrize(("side", "place"), [("begin", -1), ("end", 6)])
def test_one_byte_too_far_ends_the_process(side, place):
    """After it has written the name of the test."""
    found = _run(side, place)
    assert found.stdout == "b'text\\x00\\x00'\n"
    assert found.returncode == -signal.SIGSEGV
    assert "in test_of_a_kernel" in found.stderr


@pytest.mark.parametrize(("side", "place"), [("begin", 0), ("end", 5)])
def test_the_bytes_beside_the_guard_are_there(side, place):
    """The last one to spare included."""
    assert _run(side, place).returncode == 0
