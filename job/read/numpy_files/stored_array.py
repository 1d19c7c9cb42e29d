"""An array in a `.npy` file or in a member of a `.npz` archive, and its rows in blocks.

`array_headers` finds the arrays of a file, and has compared what their headers announce with what is there.
"""

import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, SIDE
from job.errors import DataError, LayoutError
from job.read.packed.compression import Compression
from job.read.packed.stream import PieceStream, opened, translated_damage
from job.read.packed.zip_archive import open_archive
from job.read.packed.zip_member import member_pieces
from job.settings import MIB
from job.storage import FileInfo, StoppableFile, Storage

NPY_SUFFIX: Final = ".npy"
_IMAGE_SHAPES: Final = ((PIXELS,), (SIDE, SIDE), (SIDE, SIDE, 1), (1, SIDE, SIDE))
_LABEL_SHAPES: Final = ((), (1,))
_WINDOW_BYTES: Final = 16 * MIB
_MAX_ITEM_BYTES: Final = 8

_Rows = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array whose first axis counts rows, and where it is.

    name: its name in an archive, or "" in a file of its own. start: of its values in the file, after unpacking.
    offset: the same where it can be read from any row on; None where it has to be unpacked from its start.
    """

    file: FileInfo
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    start: int
    offset: int | None

    @property
    def rows(self) -> int:
        """The first dimension; 1 for a single image."""
        return 1 if self.shape == (SIDE, SIDE) else self.shape[0] if self.shape else 0

    @property
    def width(self) -> int:
        """The number of values in a row."""
        return math.prod(self._row_shape)

    @property
    def is_image(self) -> bool:
        """Whether each row is 28 by 28 pixels."""
        return self._row_shape in _IMAGE_SHAPES

    @property
    def is_label(self) -> bool:
        """Whether each row is one value."""
        return bool(self.shape) and self._row_shape in _LABEL_SHAPES

    @property
    def row_bytes(self) -> int:
        """The size of a row as it is stored."""
        return self.width * self.dtype.itemsize

    @property
    def _row_shape(self) -> tuple[int, ...]:
        return self.shape if self.shape == (SIDE, SIDE) else self.shape[1:]

    def blocks(self, storage: Storage, start: int, counts: Iterable[int]) -> Iterator[_Rows]:
        """Blocks of `counts` rows each from the row `start` on, (n, width), C-ordered, as stored.

        start: 0 where `offset` is None. Raises DataError, StorageError.
        """
        with self._opened(storage) as stream:
            if self.is_fortran and self.width > 1:
                yield from self._column_blocks(stream, start, counts)
                return
            stream.seek(self._first_byte + start * self.row_bytes)
            for count in counts:
                start += count
                yield self._values(stream, count * self.width).reshape(count, self.width)
            if start == self.rows and self.offset is None and stream.read(1):
                raise DataError(f"{self.where}: continues after the {self.rows} rows that its header announces")

    @property
    def where(self) -> str:
        """The file, and the array's name in it, for messages."""
        return f"{self.file.path} ({self.name})" if self.name else self.file.path

    @property
    def _first_byte(self) -> int:
        return self.start if self.offset is None else self.offset

    def _column_blocks(self, stream: BinaryIO, start: int, counts: Iterable[int]) -> Iterator[_Rows]:
        """The same for an array in Fortran's order: its columns are stored one after another."""
        window = np.empty((0, self.width), self.dtype)
        window_rows = max(1, _WINDOW_BYTES // self.row_bytes)
        for count in counts:
            if len(window) < count:
                rows = min(max(count, window_rows) - len(window), self.rows - start)
                window = np.concatenate([window, self._columns(stream, start, rows)])
                start += rows
            yield np.ascontiguousarray(window[:count])
            window = window[count:]

    def _columns(self, stream: BinaryIO, start: int, rows: int) -> _Rows:
        """Some rows, (rows, width), gathered from all columns."""
        found = np.empty((rows, self.width), self.dtype)
        for column in range(self.width):
            stream.seek(self._first_byte + (column * self.rows + start) * self.dtype.itemsize)
            # In Fortran's order, the row of a pixel changes faster than its column.
            line, place = divmod(column, SIDE)
            pixel = column if self._row_shape == (PIXELS,) else place * SIDE + line
            found[:, pixel] = self._values(stream, rows)
        return found

    def _values(self, stream: BinaryIO, count: int) -> _Rows:
        size = count * self.dtype.itemsize
        content = stream.read(size)
        if len(content) != size:
            raise DataError(f"{self.where}: is truncated: {len(content)} bytes where {size} were expected")
        return np.frombuffer(content, self.dtype)

    @contextmanager
    def _opened(self, storage: Storage) -> Iterator[BinaryIO]:
        with opened(storage, self.file) as content:
            if content.compression is not Compression.ZIP:
                yield content.stream
            elif self.offset is not None:
                yield cast("BinaryIO", content.raw)
            else:
                with (
                    translated_damage(self.where, Compression.ZIP),
                    open_archive(content.raw) as archive,
                ):
                    yield unpacked_member(content.raw, archive, archive.getinfo(self.name + NPY_SUFFIX), self.where)


def unpacked_member(raw: StoppableFile, archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> BinaryIO:
    """A member of an archive as a stream, best read forward. where: for messages."""

    def pieces() -> Iterator[bytes]:
        with translated_damage(where, Compression.ZIP):
            yield from member_pieces(raw, archive, member)

    return cast("BinaryIO", PieceStream(pieces))


def counts(start: int, stop: int, rows: int) -> Iterator[int]:
    """How many rows each block of at most `rows` has between two rows."""
    return (min(rows, stop - first) for first in range(start, stop, rows))


def check_readable(array: StoredArray, what: str) -> None:
    """Raise LayoutError for values that are no numbers, or are stored in a way that is not read."""
    if array.dtype.hasobject:
        raise LayoutError(
            f"{array.where}: holds Python objects, which only unpickling reads, and that may run code; "
            f"save {what} as numbers, such as .astype('uint8')"
        )
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > _MAX_ITEM_BYTES:
        raise LayoutError(f"{array.where}: is of type {array.dtype}, expected numbers")
    if array.is_fortran and array.width > 1 and array.offset is None:
        raise LayoutError(
            f"{array.where}: is compressed and in Fortran's order, column by column; "
            "save numpy.ascontiguousarray of it, or do not compress it"
        )
