"""What is inside a compressed file: recognised by its first bytes, opened as a plain stream."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, Final, cast

import pyarrow as pa

from job.errors import DataError
from job.storage import FileInfo, Storage, translated_errors

_MAGIC_BYTES: Final = 4


class Compression(Enum):
    """How a file's bytes are packed; the value is the magic number it begins with (RFC 1952 for gzip)."""

    NONE = b""
    GZIP = b"\x1f\x8b"


def recognise(head: bytes) -> Compression:
    """The compression that a file's first bytes announce."""
    return Compression.GZIP if head.startswith(Compression.GZIP.value) else Compression.NONE


@dataclass(frozen=True, slots=True)
class Opened:
    """A file being read. stream: its plain content. raw: its bytes as stored, read ahead of the stream."""

    stream: BinaryIO
    raw: pa.NativeFile
    compression: Compression


@contextmanager
def opened(storage: Storage, file: FileInfo) -> Iterator[Opened]:
    """Open a file, whatever it is packed with.

    Reading raises DataError where compressed data is damaged, StorageError where the storage fails.
    """
    with translated_errors(file.path), closing(storage.open(file.path)) as raw:
        compression = recognise(raw.read(_MAGIC_BYTES))
        raw.seek(0)
        stream = raw if compression is Compression.NONE else _Gunzipped(raw, file.path)
        yield Opened(cast("BinaryIO", stream), raw, compression)


class _Gunzipped(io.RawIOBase):
    """gzip's stream with its three ways to fail folded into one."""

    def __init__(self, file: pa.NativeFile, path: str) -> None:
        self._stream = gzip.GzipFile(fileobj=file, mode="rb")
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base is untyped about buffers
        with self._checked():
            return self._stream.readinto(buffer)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._checked():
            return self._stream.seek(offset, whence)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._path}: the gzip data is damaged or cut off ({error})") from error
