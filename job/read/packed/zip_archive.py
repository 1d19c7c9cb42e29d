"""The one file in a zip archive, in pieces; any other archive is refused with the reason."""

import io
import struct
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, cast

from job.read.packed.compression import LZMA_MEMORY_BYTES, PIECE_BYTES
from job.storage import StoppableFile

# An archive of one file lists it, its comments included, in less than this. zipfile reads the list whole.
_ZIP_LIST_BYTES: Final = 1 << 20
_IS_ENCRYPTED: Final = 0x1
_SHOWN_MEMBERS: Final = 5

# ECMA-376, part 2: what every Office document, a zip archive in itself, holds.
_OFFICE_MEMBER: Final = "[Content_Types].xml"


class UnusableArchive(Exception):
    """A whole zip archive that does not hold just one plain file."""


class _Archive:
    """A zip archive as zipfile reads it: in short pieces, but for the list of its members."""

    def __init__(self, raw: StoppableFile) -> None:
        self._raw = raw

    def read(self, size: int | None = None) -> bytes:
        if (size or 0) > _ZIP_LIST_BYTES:
            raise UnusableArchive("the zip archive lists too many files, expected one; unpack it, name what to read")
        return self._raw.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def unpack_zip(raw: StoppableFile) -> Iterator[bytes]:
    """The content of an archive's only file, in pieces. Raises UnusableArchive."""
    with zipfile.ZipFile(cast("BinaryIO", _Archive(raw))) as archive:
        # macOS puts a file of its own beside each that it packs.
        members = [
            each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")
        ]
        if any(each.filename == _OFFICE_MEMBER for each in members):
            raise UnusableArchive("is a workbook, such as Excel's .xlsx; save its sheet as `CSV UTF-8`")
        if len(members) != 1:
            names = ", ".join(each.filename for each in members[:_SHOWN_MEMBERS])
            dots = ", .." if len(members) > _SHOWN_MEMBERS else ""
            found = f"{len(members)} files ({names}{dots})" if members else "no file"
            raise UnusableArchive(f"the zip archive holds {found}, expected one; unpack it and name what to read")
        if members[0].flag_bits & _IS_ENCRYPTED:
            raise UnusableArchive(f"the zip archive is encrypted ({members[0].filename}); unpack it first")
        if min(each.header_offset for each in archive.infolist()):
            raise zipfile.BadZipFile("something stands before the archive")
        if members[0].compress_type == zipfile.ZIP_LZMA:
            _check_lzma_memory(raw, members[0])
        with archive.open(members[0]) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece


def _check_lzma_memory(raw: StoppableFile, member: zipfile.ZipInfo) -> None:
    """Refuse a dictionary that would fill the machine's memory.

    APPNOTE 4.3.7 and 5.8.8: a header of 30 bytes, name, extra field; then two bytes of version, two of size, and LZMA's
    properties, whose last four are the dictionary's size.
    """
    raw.seek(member.header_offset)
    header = raw.read(30)
    raw.seek(sum(struct.unpack("<26xHH", header)), io.SEEK_CUR)
    (size,) = struct.unpack("<5xI", raw.read(9))
    if size > LZMA_MEMORY_BYTES:
        raise UnusableArchive(f"the zip archive asks for {size} bytes of memory to unpack it; unpack it first")
