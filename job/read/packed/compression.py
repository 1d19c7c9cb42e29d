"""How a file is compressed, by its first bytes; and the limits that all unpackers share."""

from enum import Enum
from typing import Final

# How much plain content is unpacked at a time.
PIECE_BYTES: Final = 1 << 20
# `xz -9` needs 65 MiB; the header of an xz file, or of a zip archive's member, may ask for up to 4 GiB.
LZMA_MEMORY_BYTES: Final = 256 << 20
COMPRESSED_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")


class Compression(Enum):
    """How a file's bytes are compressed."""

    NONE = "none"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ZIP = "zip"


# RFC 1952; the bzip2 manual; "The .xz File Format"; RFC 8878, and the skippable frame that pzstd writes first; PKWARE's
# APPNOTE, and the magic number of an empty archive.
_MAGIC: Final = {
    b"\x1f\x8b": Compression.GZIP,
    b"BZh": Compression.BZIP2,
    b"\xfd7zXZ\x00": Compression.XZ,
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
    b"\x50\x2a\x4d\x18": Compression.ZSTD,
    b"PK\x03\x04": Compression.ZIP,
    b"PK\x05\x06": Compression.ZIP,
}
MAGIC_BYTES: Final = max(map(len, _MAGIC))


def recognise(head: bytes) -> Compression:
    """The compression of a file by its first MAGIC_BYTES bytes."""
    return next((compression for magic, compression in _MAGIC.items() if head.startswith(magic)), Compression.NONE)
