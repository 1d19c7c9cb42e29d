"""The content of the one file in a zip archive, in pieces; any other archive is refused with the reason.

One of `unpackers`. Follows PKWARE's APPNOTE.TXT, "zip" for short.
"""

import io
import struct
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, cast

from job.read.packed.compression import LZMA_MEMORY_BYTES, PIECE_BYTES
from job.storage import StoppableFile

# The central directory of an archive of one file, comments included, is shorter. zipfile reads it whole.
_MAX_DIRECTORY_BYTES: Final = 1 << 20
_IS_ENCRYPTED: Final = 0x1
_SHOWN_MEMBERS: Final = 5

# ECMA-376, part 2: a member of every Office document, which is a zip archive.
_OFFICE_MEMBER: Final = "[Content_Types].xml"


class UnusableArchive(Exception):
    """An undamaged zip archive that does not hold exactly one plain file."""


class _BoundedFile:
    """A file for zipfile, whose only long read is the central directory; that one is bounded."""

    def __init__(self, raw: StoppableFile) -> None:
        self._raw = raw

    def read(self, size: int | None = None) -> bytes:
        if (size or 0) > _MAX_DIRECTORY_BYTES:
            raise UnusableArchive("the zip archive holds too many files, expected one; unpack it and name one file")
        return self._raw.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def unpack_zip(raw: StoppableFile) -> Iterator[bytes]:
    """The content of an archive's only file, in pieces. Raises UnusableArchive."""
    with zipfile.ZipFile(cast("BinaryIO", _BoundedFile(raw))) as archive:
        # macOS adds a member with the attributes of each file.
        members = [
            each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")
        ]
        if any(each.filename == _OFFICE_MEMBER for each in members):
            raise UnusableArchive("is a workbook, such as Excel's .xlsx; save its sheet as `CSV UTF-8`")
        if len(members) != 1:
            names = ", ".join(each.filename for each in members[:_SHOWN_MEMBERS])
            dots = ", .." if len(members) > _SHOWN_MEMBERS else ""
            found = f"{len(members)} files ({names}{dots})" if members else "no file"
            raise UnusableArchive(f"the zip archive holds {found}, expected one; unpack it and name one file")
        if members[0].flag_bits & _IS_ENCRYPTED:
            raise UnusableArchive(f"the zip archive is encrypted ({members[0].filename}); unpack it first")
        if min(each.header_offset for each in archive.infolist()):
            raise zipfile.BadZipFile("there is other data before the archive")
        if members[0].compress_type == zipfile.ZIP_LZMA:
            _check_lzma_memory(raw, members[0])
        with archive.open(members[0]) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece


def _check_lzma_memory(raw: StoppableFile, member: zipfile.ZipInfo) -> None:
    """Raise UnusableArchive if LZMA's dictionary would exceed the memory limit.

    APPNOTE 4.3.7 and 5.8.8: a header of 30 bytes, name and extra field; then two bytes of version, two of size, and
    LZMA's properties, whose last four bytes are the dictionary's size.
    """
    raw.seek(member.header_offset)
    header = raw.read(30)
    raw.seek(sum(struct.unpack("<26xHH", header)), io.SEEK_CUR)
    (size,) = struct.unpack("<5xI", raw.read(9))
    if size > LZMA_MEMORY_BYTES:
        raise UnusableArchive(f"the zip archive needs {size} bytes of memory to unpack; unpack it first")
