"""Snappy decompression agrees with the compressor, and accepts nothing else."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from job.read.parquet.snappy_kernel import unpack


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    some.lists(some.tuples(some.binary(min_size=1, max_size=90), some.integers(1, 60)), max_size=20).map(
        lambda pieces: b"".join(piece * times for piece, times in pieces)
    )
)
def test_snappy_is_unpacked(plain):
    """Whatever the compressor writes: literals, copies near and far, and overlapping copies."""
    packed = pa.compress(plain, "snappy", asbytes=True)
    source, target = np.frombuffer(packed, np.uint8), np.zeros(len(plain) + 16, np.uint8)
    assert unpack(source.ctypes.data, len(packed), target.ctypes.data, len(plain))
    assert target[: len(plain)].tobytes() == plain
    assert not unpack(source.ctypes.data, len(packed), target.ctypes.data, len(plain) + 1)
    if len(packed) > 1:
        assert not unpack(source.ctypes.data, len(packed) - 1, target.ctypes.data, len(plain))


BAD_SNAPPY = {
    "empty": (b"", 4),
    "no length": (b"\xff\xff\xff\xff\xff\xff", 4),
    "another length": (b"\x05" + bytes([3 << 2]) + b"abcd", 4),
    "a literal that is too long": (b"\x04" + bytes([200 << 2 & 255]) + b"ab", 4),
    "a literal beyond the end": (b"\x04" + bytes([4 << 2]) + b"abcde", 4),
    "a long literal of no length": (b"\x04" + bytes([60 << 2]), 4),
    "a huge literal": (b"\x04" + bytes([63 << 2]) + b"\xff\xff\xff\xff", 4),
    "a copy of nothing": (b"\x04" + bytes([1, 1]), 4),
    "a copy from itself": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([1, 0]), 8),
    "a copy beyond the end": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([(7 << 2) | 1, 4]), 8),
    "a copy without its place": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([2, 4]), 8),
    "a copy from before the start": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([1, 5]), 8),
}


@pytest.mark.parametrize(("packed", "size"), BAD_SNAPPY.values(), ids=BAD_SNAPPY.keys())
def test_invalid_data_is_refused(packed, size):
    """Nothing is written beyond the target and its slack."""
    source, target = np.frombuffer(packed + bytes(8), np.uint8), np.full(size + 32, 170, np.uint8)
    assert not unpack(source.ctypes.data, len(packed), target.ctypes.data, size)
    assert (target[size + 16 :] == 170).all()
