"""Snappy decompression agrees with the compressor, and accepts nothing else."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.guarded_memory import SIDES, guarded_array

from job.read.parquet.plain_pages import SLACK_BYTES
from job.read.parquet.snappy_kernel import unpack


def _unpacked(packed, expected):
    """The plain content of `expected` bytes; None if it is refused. No byte around both is touched, but for slack."""
    found = set()
    for side in SIDES:
        source = guarded_array(np.frombuffer(packed, np.uint8), side)
        target = guarded_array(np.zeros(expected + SLACK_BYTES, np.uint8), side)
        is_good = unpack(source.ctypes.data, len(packed), target.ctypes.data, expected)
        found.add(target[:expected].tobytes() if is_good else None)
    [plain] = found
    return plain


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
    assert _unpacked(packed, len(plain)) == plain
    assert _unpacked(packed, len(plain) + 1) is None
    if len(packed) > 1:
        assert _unpacked(packed[:-1], len(plain)) is None


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
    """Whatever it says about lengths and offsets."""
    assert _unpacked(packed, size) is None


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(some.binary(max_size=200), some.lists(some.tuples(some.floats(0, 1), some.binary(max_size=3)), max_size=4))
def test_damaged_data_is_unpacked_as_arrow_unpacks_it(plain, changes):
    """Or refused, as by Arrow."""
    packed = bytearray(pa.compress(plain * 3, "snappy", asbytes=True))
    for place, piece in changes:
        start = int(place * len(packed))
        packed[start : start + len(piece)] = piece
    found = _unpacked(bytes(packed), len(plain) * 3)
    if found is not None:
        assert found == pa.decompress(bytes(packed), len(plain) * 3, "snappy", asbytes=True)
