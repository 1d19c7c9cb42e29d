"""What is inside a compressed file: recognised by its first bytes, opened as a plain stream."""

import gzip
import io
import zlib
from enum import Enum
from typing import BinaryIO, cast

import pyarrow as pa

from job.errors import DataError


class Compression(Enum):
    """How a file's bytes are packed; the value is the magic number it begins with (RFC 1952 for gzip)."""

    NONE = b""
    GZIP = b"\x1f\x8b"


def recognise(head: bytes) -> Compression:
    """The compression that a file's first bytes announce."""
    return Compression.GZIP if head.startswith(Compression.GZIP.value) else Compression.NONE


def opened(file: pa.NativeFile, compression: Compression, path: str) -> BinaryIO:
    """The file's plain content as a stream. Reading damaged compressed data raises DataError, which names `path`."""
    if compression is Compression.NONE:
        return cast("BinaryIO", file)
    return cast("BinaryIO", _Gunzipped(file, path))


class _Gunzipped(io.RawIOBase):
    """gzip's stream with its three ways to fail folded into one."""

    def __init__(self, file: pa.NativeFile, path: str) -> None:
        self._stream = gzip.GzipFile(fileobj=file, mode="rb")
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base is untyped about buffers
        try:
            return self._stream.readinto(buffer)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._path}: the gzip data is damaged or cut off ({error})") from error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)
