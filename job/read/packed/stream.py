"""A file as a plain stream, whatever it is compressed with.

Damage anywhere is a DataError; nothing after it is skipped silently. `unpackers` decompresses, `compression` recognises
the format.
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
from job.read.packed.compression import MAGIC_BYTES, Compression, recognise
from job.read.packed.unpackers import UNPACKERS
from job.read.packed.zip_archive import UnusableArchive
from job.storage import FileInfo, StoppableFile, Storage, is_system_error, translated_errors

# What unpackers raise for damaged data.
_DAMAGE: Final = (
    OSError, EOFError, ValueError, LookupError, NotImplementedError, pa.ArrowException, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, struct.error,
    cast("type[Exception]", igzip_lib.error),  # the library's stubs type it as an instance
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """An open file. stream: its plain content. raw: its stored bytes, read ahead of the stream."""

    stream: BinaryIO
    raw: StoppableFile
    compression: Compression


@contextmanager
def opened(storage: Storage, file: FileInfo) -> Iterator[UnpackedFile]:
    """Open a file as a plain stream.

    Each read of stored bytes and each piece unpacked calls `storage.check_stop`. Reading raises DataError for damaged
    data and for a zip archive that is encrypted or does not hold exactly one file, StorageError if the storage fails.
    """
    with translated_errors(file.path), closing(storage.open(file.path)) as stored:
        raw = StoppableFile(stored, storage.check_stop)
        compression = recognise(raw.read(MAGIC_BYTES))
        raw.seek(0)
        if compression is Compression.NONE:
            yield UnpackedFile(cast("BinaryIO", raw), raw, compression)
            return
        with closing(PieceStream(lambda: _unpacked(raw, compression, file.path))) as stream:
            yield UnpackedFile(cast("BinaryIO", stream), raw, compression)


def _unpacked(raw: StoppableFile, compression: Compression, path: str) -> Iterator[bytes]:
    """The plain content in pieces, from the start of the file. Translates what the unpackers raise."""
    raw.seek(0)
    with translated_damage(path, compression):
        for piece in UNPACKERS[compression](raw):
            raw.check_stop()
            yield piece


@contextmanager
def translated_damage(path: str, compression: Compression) -> Iterator[None]:
    """Turn what unpackers raise into DataError, but for errors of the system."""
    try:
        yield
    except UnusableArchive as error:
        raise DataError(f"{path}: {error}") from error
    except _DAMAGE as error:
        if is_system_error(error):
            raise
        problem = str(error).partition("\n")[0]
        raise DataError(f"{path}: the {compression.value} data is damaged or truncated ({problem})") from error


class PieceStream(io.RawIOBase):
    """A seekable stream of pieces. `restart` returns the pieces from the start; seeking back calls it again."""

    def __init__(self, restart: Callable[[], Iterator[bytes]]) -> None:
        self._restart = restart
        self._rewind()

    def _rewind(self) -> None:
        self._pieces = self._restart()
        self._piece = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the base is untyped
        """Fill the buffer unless the stream ends: callers take a short read for the end."""
        filled = 0
        while filled < len(buffer) and self._has_more():
            count = min(len(buffer) - filled, len(self._piece))
            buffer[filled : filled + count] = self._piece[:count]
            self._skip(count)
            filled += count
        return filled

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Only from the start, and at most to the end."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("compressed content can be sought from its start only")
        if offset < self._position:
            self._rewind()
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
