"""Compressed bytes -> plain bytes in pieces, for gzip, bzip2, xz and zstd; `zip_archive` does it for zip.

Decompression releases the GIL, and pieces are bounded in size, so that memory stays flat however far the data expands.
Errors are the libraries' own; `stream` translates them.
"""

import bz2
import io
import lzma
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import pyarrow as pa
from isal import igzip_lib

from job.read.packed.compression import LZMA_MEMORY_BYTES, PIECE_BYTES, Compression
from job.read.packed.zip_archive import unpack_zip
from job.storage import StoppableFile

_READ_BYTES: Final = 1 << 16


class _Decompressor(Protocol):
    """The interface that bz2, lzma and igzip_lib share: one member of a compressed file."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


def _members(raw: StoppableFile, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """The content of concatenated members; each may be padded with zeros."""
    packed = raw.read(_READ_BYTES)
    while packed:
        member = new()
        while not member.eof:
            if member.needs_input and not packed:
                packed = raw.read(_READ_BYTES)
                if not packed:
                    raise EOFError("it ends before its end-of-stream marker")
            piece = member.decompress(packed, PIECE_BYTES)
            packed = b""
            if piece:
                yield piece
        packed = (member.unused_data or raw.read(_READ_BYTES)).lstrip(b"\0")
        while not packed and (more := raw.read(_READ_BYTES)):
            packed = more.lstrip(b"\0")


def _gzip(raw: StoppableFile) -> Iterator[bytes]:
    return _members(raw, lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def _bzip2(raw: StoppableFile) -> Iterator[bytes]:
    return _members(raw, bz2.BZ2Decompressor)


def _xz(raw: StoppableFile) -> Iterator[bytes]:
    return _members(raw, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY_BYTES))


def _zstd(raw: StoppableFile) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(_Unclosed(raw), "r"), "zstd")
    # Not `read`, which loses the memory of a piece that turns out to be damaged.
    while len(piece := stream.read_buffer(PIECE_BYTES)):
        yield piece.to_pybytes()


class _Unclosed(io.RawIOBase):
    """A file for Arrow to read but not to close, which its streams otherwise do."""

    def __init__(self, raw: StoppableFile) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the base is untyped
        return int(self._raw.readinto(buffer))


UNPACKERS: Final[dict[Compression, Callable[[StoppableFile], Iterator[bytes]]]] = {
    Compression.GZIP: _gzip,
    Compression.BZIP2: _bzip2,
    Compression.XZ: _xz,
    Compression.ZSTD: _zstd,
    Compression.ZIP: unpack_zip,
}
