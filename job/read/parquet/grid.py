"""Columns of a row group -> pixels without Arrow, where their pages are plain; see `page_kernel`.

Arrow makes integers of a column, then of these the type that the schema names, and takes a page's worth of memory for
each; a pixel is a byte, and there are 784 columns.

784 columns of numbers -> uint8 (n, 784): the hot loop of the Parquet reader.

Columns lie one after another, images one below another: what costs is turning the one into the other. Columns are put
into a matrix of their own as they are decoded, as pixels already; its transpose, some thousand rows at a time, is the
images.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.compiled.machine_code import kernel
from job.contract import PIXELS, Pixels, Reject
from job.read.arrow import validity, values
from job.read.parquet.footer import ChunkTable
from job.read.pixels import PixelScale, pixel_reject, to_pixels
from job.settings import MIB

# Writers make pages of about 1 MiB; larger ones are left to Arrow.
_PAGE_BYTES: Final = 4 * MIB

# Room that the kernel asks for: for a dictionary, behind a page, and for the numbers of a page's header.
TABLE_BYTES: Final = 256
SLACK_BYTES: Final = 16
NUMBERS: Final = 14


class PlainPages:
    """The columns of a row group; those that are not plain are for Arrow to read."""

    def __init__(self, file: pa.NativeFile, table: ChunkTable, group: int, rows: int) -> None:
        """rows: of the row group."""
        self._file = file
        self._table = table
        self._group = group
        self._rows = rows
        self._room = np.empty(TABLE_BYTES + _PAGE_BYTES + SLACK_BYTES, np.uint8)
        self._numbers, self._result = np.empty(NUMBERS, np.int64), np.empty(1, np.int64)
        self._decode = kernel("job.read.parquet.page_kernel", "decode")

    def put(self, name: str, start: int, target: npt.NDArray[np.uint8]) -> bool:
        """Write a column's pixels, from row `start` on, to `target`; False, and rubbish, if it is not plain."""
        chunk = self._table.chunk(self._group, name)
        if chunk is None:
            return False
        content = np.frombuffer(self._file.read_at(chunk.size_bytes, chunk.offset), np.uint8)
        self._decode(
            content.ctypes.data, len(content), chunk.number_bytes, chunk.is_snappy, chunk.has_levels,
            self._rows, start, start + len(target), target.ctypes.data,
            self._room.ctypes.data, _PAGE_BYTES, self._numbers.ctypes.data, self._result.ctypes.data,
        )  # fmt: skip
        return bool(self._result[0])


_LINE_BYTES: Final = 64


class Grid:
    """At most n rows of 784 columns of any numeric types, whose names are in pixel order; takes 784 n bytes."""

    def __init__(self, rows: int, names: Sequence[str], full_ink: PixelScale) -> None:
        # Columns that lie a power of two apart would all compete for the same lines of the processor's cache; those
        # an odd number of lines apart do not.
        lines = -(-rows // _LINE_BYTES) | 1
        self._matrix = np.empty((PIXELS, lines * _LINE_BYTES), np.uint8)
        self._is_bad = np.zeros(rows, np.bool_)
        self._bad: dict[int, tuple[int, Any]] = {}
        self._names = names
        self._full_ink = full_ink
        self._transpose = kernel("job.read.parquet.grid_kernel", "transpose")

    def clear(self) -> None:
        """Make room for other rows."""
        self._is_bad[:] = False
        self._bad.clear()

    def column(self, pixel: int, start: int, stop: int) -> Pixels:
        """Where a pixel of the rows [start, stop) lies, uint8 (stop - start,), for who writes it there itself."""
        return self._matrix[pixel, start:stop]

    def put(self, pixel: int, column: pa.Array, start: int) -> None:
        """Take a column's numbers for the rows from `start`. Of a row's bad values, the one put first is told."""
        numbers, stop = values(column), start + len(column)
        place = self._matrix[pixel, start:stop]
        if numbers.dtype == np.uint8 and self._full_ink != 1 and not column.null_count:
            place[:] = numbers
            return
        place[:], is_pixel = to_pixels(numbers, self._full_ink)
        if column.null_count:
            is_pixel &= validity(column)
        if not is_pixel.all():
            is_bad = self._is_bad[start:stop]
            for row in np.flatnonzero(~is_pixel & ~is_bad).tolist():
                self._bad[start + row] = (pixel, column[row].as_py())
            is_bad |= ~is_pixel

    def rows(self, start: int, stop: int) -> tuple[Pixels, dict[int, Reject]]:
        """The images [start, stop), and by row within them what is wrong; their pixels are 0."""
        pixels: Pixels = np.empty((stop - start, PIXELS), np.uint8)
        self._transpose(self._matrix.ctypes.data + start, self._matrix.strides[0], stop - start, pixels.ctypes.data)
        rejects = {}
        for row in np.flatnonzero(self._is_bad[start:stop]).tolist():
            pixel, value = self._bad[start + row]
            name = self._names[pixel]
            rejects[row] = pixel_reject(row, name, name, value, self._full_ink)
            pixels[row] = 0
        return pixels, rejects
