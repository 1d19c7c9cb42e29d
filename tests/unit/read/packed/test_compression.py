"""Compression formats by their first bytes."""

import pytest

from job.read.packed.compression import Compression, recognise


@pytest.mark.parametrize(
    ("head", "compression"),
    [
        (b"\x1f\x8b\x08\x00", Compression.GZIP),
        (b"\x1f\x8b", Compression.GZIP),
        (b"BZh9", Compression.BZIP2),
        (b"\xfd7zXZ\x00", Compression.XZ),
        (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
        (b"\x50\x2a\x4d\x18", Compression.ZSTD),
        (b"PK\x03\x04", Compression.ZIP),
        (b"PK\x05\x06", Compression.ZIP),
        (b"\x1f", Compression.NONE),
        (b"", Compression.NONE),
        (b"labe", Compression.NONE),
        (b"PAR1", Compression.NONE),
    ],
)
def test_compression_is_recognised_by_the_first_bytes(head, compression):
    """The magic number decides, not the file's name."""
    assert recognise(head) is compression
