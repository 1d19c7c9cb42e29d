"""A file as a plain stream, whatever it is compressed with.

Damage is a DataError; nothing behind it is skipped silently.
"""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import pyarrow as pa
from isal import igzip_lib

from job.errors import DataError
from job.read.packed.compression import Compression, recognise
from job.read.packed.unpackers import UNPACKERS
from job.read.packed.zip_archive import UnusableArchive
from job.storage import FileInfo, StoppableFile, Storage, is_system_error, translated_errors

_MAGIC_BYTES: Final = 6
_DAMAGE: Final = (
    OSError, EOFError, ValueError, IndexError, NotImplementedError, pa.ArrowException, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, struct.error,
    cast("type[Exception]", igzip_lib.error),  # typed as an instance by its author
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """A file being read. stream: its plain content. raw: its bytes as stored, read ahead of the stream."""

    stream: BinaryIO
    raw: StoppableFile
    compression: Compression


@contextmanager
def opened(storage: Storage, file: FileInfo) -> Iterator[UnpackedFile]:
    """Open a file, whatever it is packed with.

    `storage.check_stop` is called with every read of stored bytes and every piece unpacked. Reading raises DataError
    where compressed data is damaged, StorageError where the storage fails. A zip archive must hold one file, which is
    not encrypted: DataError otherwise.
    """
    with translated_errors(file.path), closing(storage.open(file.path)) as stored:
        raw = StoppableFile(stored, storage.check_stop)
        compression = recognise(raw.read(_MAGIC_BYTES))
        raw.seek(0)
        if compression is Compression.NONE:
            yield UnpackedFile(cast("BinaryIO", raw), raw, compression)
            return
        with closing(_Unpacked(lambda: _checked_pieces(raw, compression, file.path))) as stream:
            yield UnpackedFile(cast("BinaryIO", stream), raw, compression)


def _checked_pieces(raw: StoppableFile, compression: Compression, path: str) -> Iterator[bytes]:
    """The plain content in pieces, from the file's beginning; every unpacker's ways to fail folded into one."""
    raw.seek(0)
    try:
        for piece in UNPACKERS[compression](raw):
            raw.check_stop()
            yield piece
    except UnusableArchive as error:
        raise DataError(f"{path}: {error}") from error
    except _DAMAGE as error:
        if is_system_error(error):
            raise
        said = str(error).partition("\n")[0]
        raise DataError(f"{path}: the {compression.value} data is damaged or cut off ({said})") from error


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
