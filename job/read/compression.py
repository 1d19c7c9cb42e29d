"""What is inside a compressed file: recognised by its first bytes, opened as a plain stream.

Packed data is unpacked piece by piece, without Python's lock, so that memory stays bounded whatever it swells to.
Whatever is wrong with it is a DataError for whoever reads; nothing behind the damage is passed over in silence.
"""

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO, Final, Protocol, cast

import pyarrow as pa
from isal import igzip_lib

from job.errors import DataError
from job.read.stop import CheckStop, Watched, go_on
from job.storage import FileInfo, Storage, is_of_the_machine, translated_errors

COMPRESSED_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")

_MAGIC_BYTES: Final = 6
_PACKED_BYTES: Final = 1 << 16
_PIECE_BYTES: Final = 1 << 20
# `xz -9` needs 65 MiB; a header may ask for 4 GiB, as may that of a member of a zip archive.
_LZMA_MEMORY_BYTES: Final = 256 << 20
# An archive of one file lists it, its comments included, in less than this. zipfile reads the list whole.
_ZIP_LIST_BYTES: Final = 1 << 20
_DAMAGE: Final = (
    OSError, EOFError, ValueError, IndexError, NotImplementedError, pa.ArrowException, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, struct.error,
    cast("type[Exception]", igzip_lib.error),  # typed as an instance by its author
)  # fmt: skip
_IS_ENCRYPTED: Final = 0x1
_SHOWN_MEMBERS: Final = 5
# ECMA-376, part 2: what every Office document, a zip archive in itself, holds.
_OFFICE_MEMBER: Final = "[Content_Types].xml"


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


@dataclass(frozen=True, slots=True)
class Opened:
    """A file being read. stream: its plain content. raw: its bytes as stored, read ahead of the stream."""

    stream: BinaryIO
    raw: Watched
    compression: Compression


@contextmanager
def opened(storage: Storage, file: FileInfo, check_stop: CheckStop = go_on) -> Iterator[Opened]:
    """Open a file, whatever it is packed with.

    check_stop: called with every read of the stored bytes, and every piece of those unpacked. Reading raises DataError
    where compressed data is damaged, StorageError where the storage fails. A zip archive must hold one file, which is
    not encrypted: DataError otherwise.
    """
    with translated_errors(file.path), closing(storage.open(file.path)) as stored:
        raw = Watched(stored, check_stop)
        compression = recognise(raw.read(_MAGIC_BYTES))
        raw.seek(0)
        if compression is Compression.NONE:
            yield Opened(cast("BinaryIO", raw), raw, compression)
            return
        with closing(_Unpacked(lambda: _checked_pieces(raw, compression, file.path))) as stream:
            yield Opened(cast("BinaryIO", stream), raw, compression)


class _Decompressor(Protocol):
    """The face that bz2, lzma and igzip_lib share: one member of a packed file."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


def _checked_pieces(raw: Watched, compression: Compression, path: str) -> Iterator[bytes]:
    """The plain content in pieces, from the file's beginning; every unpacker's ways to fail folded into one."""
    raw.seek(0)
    try:
        for piece in _UNPACKERS[compression](raw):
            raw.check_stop()
            yield piece
    except _UnusableArchive as error:
        raise DataError(f"{path}: {error}") from error
    except _DAMAGE as error:
        if is_of_the_machine(error):
            raise
        said = str(error).partition("\n")[0]
        raise DataError(f"{path}: the {compression.value} data is damaged or cut off ({said})") from error


def _members(raw: Watched, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """The content of packed members, one behind the other; zeros may pad the end of each."""
    packed = raw.read(_PACKED_BYTES)
    while packed:
        member = new()
        while not member.eof:
            if member.needs_input and not packed:
                packed = raw.read(_PACKED_BYTES)
                if not packed:
                    raise EOFError("it ends before its end-of-stream marker")
            piece = member.decompress(packed, _PIECE_BYTES)
            packed = b""
            if piece:
                yield piece
        packed = (member.unused_data or raw.read(_PACKED_BYTES)).lstrip(b"\0")
        while not packed and (more := raw.read(_PACKED_BYTES)):
            packed = more.lstrip(b"\0")


def _gzip(raw: Watched) -> Iterator[bytes]:
    return _members(raw, lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def _bzip2(raw: Watched) -> Iterator[bytes]:
    return _members(raw, bz2.BZ2Decompressor)


def _xz(raw: Watched) -> Iterator[bytes]:
    return _members(raw, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES))


def _zstd(raw: Watched) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(_Borrowed(raw), "r"), "zstd")
    while piece := stream.read(_PIECE_BYTES):
        yield piece


class _Borrowed(io.RawIOBase):
    """A file lent to Arrow, whose streams would close what is below them."""

    def __init__(self, raw: Watched) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the base is untyped
        return int(self._raw.readinto(buffer))


class _UnusableArchive(Exception):
    """A whole zip archive that does not hold just one plain file."""


class _Archive:
    """A zip archive as zipfile reads it: in short pieces, but for the list of its members."""

    def __init__(self, raw: Watched) -> None:
        self._raw = raw

    def read(self, size: int | None = None) -> bytes:
        if (size or 0) > _ZIP_LIST_BYTES:
            raise _UnusableArchive("the zip archive lists too many files, expected one; unpack it, name what to read")
        return self._raw.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _zip(raw: Watched) -> Iterator[bytes]:
    with zipfile.ZipFile(cast("BinaryIO", _Archive(raw))) as archive:
        # macOS puts a file of its own beside each that it packs.
        members = [
            each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")
        ]
        if any(each.filename == _OFFICE_MEMBER for each in members):
            raise _UnusableArchive("is a workbook, such as Excel's .xlsx; save its sheet as `CSV UTF-8`")
        if len(members) != 1:
            names = ", ".join(each.filename for each in members[:_SHOWN_MEMBERS])
            dots = ", .." if len(members) > _SHOWN_MEMBERS else ""
            found = f"{len(members)} files ({names}{dots})" if members else "no file"
            raise _UnusableArchive(f"the zip archive holds {found}, expected one; unpack it and name what to read")
        if members[0].flag_bits & _IS_ENCRYPTED:
            raise _UnusableArchive(f"the zip archive is encrypted ({members[0].filename}); unpack it first")
        if min(each.header_offset for each in archive.infolist()):
            raise zipfile.BadZipFile("something stands before the archive")
        if members[0].compress_type == zipfile.ZIP_LZMA:
            _check_lzma_memory(raw, members[0])
        with archive.open(members[0]) as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece


def _check_lzma_memory(raw: Watched, member: zipfile.ZipInfo) -> None:
    """Refuse a dictionary that would fill the machine's memory.

    APPNOTE 4.3.7 and 5.8.8: a header of 30 bytes, name, extra field; then two bytes of version, two of size, and LZMA's
    properties, whose last four are the dictionary's size.
    """
    raw.seek(member.header_offset)
    header = raw.read(30)
    raw.seek(sum(struct.unpack("<26xHH", header)), io.SEEK_CUR)
    (size,) = struct.unpack("<5xI", raw.read(9))
    if size > _LZMA_MEMORY_BYTES:
        raise _UnusableArchive(f"the zip archive asks for {size} bytes of memory to unpack it; unpack it first")


_UNPACKERS: Final[dict[Compression, Callable[[Watched], Iterator[bytes]]]] = {
    Compression.GZIP: _gzip,
    Compression.BZIP2: _bzip2,
    Compression.XZ: _xz,
    Compression.ZSTD: _zstd,
    Compression.ZIP: _zip,
}


class _Unpacked(io.RawIOBase):
    """Pieces as a stream; going back starts over. `start` gives the pieces from the beginning."""

    def __init__(self, start: Callable[[], Iterator[bytes]]) -> None:
        self._start = start
        self._begin()

    def _begin(self) -> None:
        self._pieces = self._start()
        self._piece = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the base is untyped
        """Fill the buffer, except at the end: who asks for a number of bytes may take fewer for the end."""
        filled = 0
        while filled < len(buffer) and self._has_more():
            count = min(len(buffer) - filled, len(self._piece))
            buffer[filled : filled + count] = self._piece[:count]
            self._skip(count)
            filled += count
        return filled

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """From the beginning only, and not beyond the end."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("packed content can be sought from its beginning only")
        if offset < self._position:
            self._begin()
        while self._position < offset and self._has_more():
            self._skip(min(offset - self._position, len(self._piece)))
        return self._position

    def _has_more(self) -> bool:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        return bool(self._piece)

    def _skip(self, count: int) -> None:
        self._piece = self._piece[count:]
        self._position += count
