"""What the formats allow beyond one compressed member: several of them, padding, other frames; and limits."""

import lzma

import pytest
from support.packed import PACKERS, zstd

from job.errors import DataError

TEXT = bytes(range(256)) * 400


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_concatenated_members(stream, kind):
    """Compressed files that were concatenated are read as one, empty ones among them."""
    pack = PACKERS[kind]
    assert stream(pack(TEXT[:1000]) + pack(b"") + pack(TEXT[1000:])).read() == TEXT


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_members_padded_with_zeros(stream, kind):
    """Tapes and the xz format pad members with zeros; that is no damage."""
    pack = PACKERS[kind]
    assert stream(pack(TEXT[:1000]) + bytes(8) + pack(TEXT[1000:]) + bytes(100_000)).read() == TEXT


def test_zstd_with_a_skippable_frame(stream):
    """Pzstd writes one first."""
    assert stream(b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zstd(TEXT)).read() == TEXT


def test_xz_that_needs_too_much_memory(stream, monkeypatch):
    """A dictionary beyond the limit is refused before it is allocated."""
    monkeypatch.setattr("job.read.packed.unpackers.LZMA_MEMORY_BYTES", 1 << 20)
    with pytest.raises(DataError, match="the xz data is damaged or truncated"):
        stream(lzma.compress(TEXT, preset=9)).read()
