"""The content of the one file in a zip archive, in pieces; any other archive is refused with the reason.

One of `unpackers`; NumPy's `.npz` archives are opened here, too, for `array_headers`. `zip_member` unpacks members.
Follows PKWARE's APPNOTE.TXT, "zip" for short.
"""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast

from job.flag_names import Flag
from job.read.packed.compression import LZMA_MEMORY_BYTES
from job.read.packed.zip_member import lzma_dictionary_bytes, member_pieces
from job.read.pictures.kinds import has_picture_name
from job.storage import StoppableFile

# The central directory of an archive of one file, comments included, is shorter. zipfile reads it whole.
_MAX_DIRECTORY_BYTES: Final = 1 << 20
_IS_ENCRYPTED: Final = 0x1
_SHOWN_MEMBERS: Final = 5

# What else is a zip archive, by a member: Office documents (ECMA-376, part 2), PyTorch's and Keras's.
_OTHER_CONTENT: Final = {
    "[Content_Types].xml": "is a workbook, such as Excel's .xlsx; save its sheet as `CSV UTF-8`",
    "content.xml": "is an OpenDocument file; save its sheet as CSV",
    "data.pkl": "is a PyTorch file, which is a pickle and never read; save the tensors with numpy.savez",
    "model.weights.h5": f"is a Keras model, not data; name it with {Flag.MODEL}",
}


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
    with open_archive(raw) as archive:
        members = plain_members(archive)
        names = {PurePosixPath(each.filename).name for each in members}
        other = next((text for name, text in _OTHER_CONTENT.items() if name in names), None)
        if other is not None:
            raise UnusableArchive(other)
        pictures = [each.filename for each in members if has_picture_name(each.filename)]
        if len(pictures) > len(members) // 2:
            raise UnusableArchive(
                f"is a zip archive of {len(pictures)} pictures ({pictures[0]}, ..); unpack it, and name the folder"
            )
        if len(members) != 1:
            shown = ", ".join(each.filename for each in members[:_SHOWN_MEMBERS])
            dots = ", .." if len(members) > _SHOWN_MEMBERS else ""
            found = f"{len(members)} files ({shown}{dots})" if members else "no file"
            raise UnusableArchive(f"the zip archive holds {found}, expected one; unpack it and name one file")
        if min(each.header_offset for each in archive.infolist()):
            raise zipfile.BadZipFile("there is other data before the archive")
        check_member(raw, members[0])
        yield from member_pieces(raw, archive, members[0])


def open_archive(raw: StoppableFile) -> zipfile.ZipFile:
    """The archive's directory, which must be short. Raises UnusableArchive."""
    return zipfile.ZipFile(cast("BinaryIO", _BoundedFile(raw)))


def member_names(raw: StoppableFile) -> list[str]:
    """The names of an archive's files; none if it is damaged, which unpacking it reports."""
    try:
        with open_archive(raw) as archive:
            return [member.filename for member in plain_members(archive)]
    except (zipfile.BadZipFile, UnusableArchive, NotImplementedError, ValueError, struct.error):
        return []


def plain_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files in an archive, but for folders, and for what macOS adds with the attributes of each file."""
    return [each for each in archive.infolist() if not each.filename.endswith("/") and not _is_of_macos(each)]


def _is_of_macos(member: zipfile.ZipInfo) -> bool:
    return member.filename.startswith("__MACOSX/")


def check_member(raw: StoppableFile, member: zipfile.ZipInfo) -> None:
    """Raise UnusableArchive for a member that is encrypted, or needs too much memory to unpack."""
    if member.flag_bits & _IS_ENCRYPTED:
        raise UnusableArchive(f"the zip archive is encrypted ({member.filename}); unpack it first")
    if member.compress_type == zipfile.ZIP_LZMA:
        _check_lzma_memory(raw, member)


def _check_lzma_memory(raw: StoppableFile, member: zipfile.ZipInfo) -> None:
    """Raise UnusableArchive if LZMA's dictionary would exceed the memory limit."""
    size = lzma_dictionary_bytes(raw, member)
    if size > LZMA_MEMORY_BYTES:
        raise UnusableArchive(f"the zip archive needs {size} bytes of memory to unpack; unpack it first")
