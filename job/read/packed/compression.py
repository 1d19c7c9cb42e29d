"""How a file is compressed, by its first bytes."""

from enum import Enum
from typing import Final

# What is unpacked at a time.
PIECE_BYTES: Final = 1 << 20
# `xz -9` needs 65 MiB; a header may ask for 4 GiB, as may that of a member of a zip archive.
LZMA_MEMORY_BYTES: Final = 256 << 20
COMPRESSED_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")


class Compression(Enum):
    """How a file's bytes are packed."""

    NONE = "none"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ZIP = "zip"


# RFC 1952; bzip2's manual; "The .xz File Format"; RFC 8878, whose skippable frame pzstd begins with; PKWARE's APPNOTE,
# with the magic number that an archive of nothing begins with.
_MAGIC: Final = {
    b"\x1f\x8b": Compression.GZIP,
    b"BZh": Compression.BZIP2,
    b"\xfd7zXZ\x00": Compression.XZ,
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
    b"\x50\x2a\x4d\x18": Compression.ZSTD,
    b"PK\x03\x04": Compression.ZIP,
    b"PK\x05\x06": Compression.ZIP,
}


def recognise(head: bytes) -> Compression:
    """The compression that a file's first bytes announce."""
    return next((found for magic, found in _MAGIC.items() if head.startswith(magic)), Compression.NONE)
