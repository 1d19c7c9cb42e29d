"""784 columns of numbers -> images, uint8 (n, 784): the hot loop of the Parquet reader, called from Python.

Columns are stored one after another, images one after another; turning the one into the other is what costs. `Grid`
collects columns as pixels in a matrix of its own, whose transpose (`grid_kernel`), some thousand rows at a time, is the
images. `PlainPages` decodes a column into the grid without Arrow (`page_kernel`) where its pages allow it: Arrow would
decode integers of 4 or 8 bytes, convert them to the schema's type, and allocate a page's worth of memory for each.
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
from job.read.pixels import pixel_reject, to_pixels
from job.settings import MIB, PixelScale

# Writers make pages of about 1 MiB; larger ones are left to Arrow.
_PAGE_BYTES: Final = 4 * MIB

# Sizes of what `page_kernel` asks for: a dictionary, slack after a page, and the numbers of a page's header.
TABLE_BYTES: Final = 256
SLACK_BYTES: Final = 16
HEADER_NUMBERS: Final = 14

_CACHE_LINE_BYTES: Final = 64


class PlainPages:
    """Decodes columns of one row group; those that are not plain are left to Arrow. Not for use by several threads."""

    def __init__(self, file: pa.NativeFile, table: ChunkTable, group: int, rows: int) -> None:
        """rows: the number of rows of the row group `group`."""
        self._file = file
        self._table = table
        self._group = group
        self._rows = rows
        self._scratch = np.empty(TABLE_BYTES + _PAGE_BYTES + SLACK_BYTES, np.uint8)
        self._numbers, self._result = np.empty(HEADER_NUMBERS, np.int64), np.empty(1, np.int64)
        self._decode = kernel("job.read.parquet.page_kernel", "decode")

    def put(self, name: str, start: int, target: npt.NDArray[np.uint8]) -> bool:
        """Write the pixels of column `name` from row `start` on to `target`, (n,), as many as it holds.

        Returns False, and leaves garbage, if the column is not plain.
        """
        chunk = self._table.chunk(self._group, name)
        if chunk is None:
            return False
        content = np.frombuffer(self._file.read_at(chunk.size_bytes, chunk.offset), np.uint8)
        self._decode(
            content.ctypes.data, len(content), chunk.value_bytes, chunk.is_snappy, chunk.has_levels,
            self._rows, start, start + len(target), target.ctypes.data,
            self._scratch.ctypes.data, _PAGE_BYTES, self._numbers.ctypes.data, self._result.ctypes.data,
        )  # fmt: skip
        return bool(self._result[0])


class Grid:
    """Up to n rows of 784 columns, collected column by column and read row by row; takes 784 n bytes."""

    def __init__(self, rows: int, names: Sequence[str], scale: PixelScale) -> None:
        """names: of the 784 columns, in pixel order. scale: of the numbers that `put` takes."""
        # Columns a power of two apart would compete for the same lines of the processor's cache. Columns an odd number
        # of lines apart do not.
        lines = -(-rows // _CACHE_LINE_BYTES) | 1
        self._matrix = np.empty((PIXELS, lines * _CACHE_LINE_BYTES), np.uint8)
        self._is_bad = np.zeros(rows, np.bool_)
        self._bad: dict[int, tuple[int, Any]] = {}
        self._names = names
        self._scale = scale
        self._transpose = kernel("job.read.parquet.grid_kernel", "transpose")

    def clear(self) -> None:
        """Forget all rows."""
        self._is_bad[:] = False
        self._bad.clear()

    def column(self, pixel: int, start: int, stop: int) -> Pixels:
        """The memory for a pixel of the rows [start, stop), uint8 (stop - start,), to be written directly."""
        return self._matrix[pixel, start:stop]

    def put(self, pixel: int, column: pa.Array, start: int) -> None:
        """Store a column of any numeric type for the rows from `start` on. A row's first bad value is its reject."""
        numbers, stop = values(column), start + len(column)
        place = self._matrix[pixel, start:stop]
        if numbers.dtype == np.uint8 and self._scale == "255" and not column.null_count:
            place[:] = numbers
            return
        place[:], is_pixel = to_pixels(numbers, self._scale)
        if column.null_count:
            is_pixel &= validity(column)
        if not is_pixel.all():
            is_bad = self._is_bad[start:stop]
            for row in np.flatnonzero(~is_pixel & ~is_bad).tolist():
                self._bad[start + row] = (pixel, column[row].as_py())
            is_bad |= ~is_pixel

    def rows(self, start: int, stop: int) -> tuple[Pixels, dict[int, Reject]]:
        """The images [start, stop), uint8 (n, 784), 0 where rejected; and rejects by row, counted from `start`."""
        pixels: Pixels = np.empty((stop - start, PIXELS), np.uint8)
        self._transpose(self._matrix.ctypes.data + start, self._matrix.strides[0], stop - start, pixels.ctypes.data)
        rejects = {}
        for row in np.flatnonzero(self._is_bad[start:stop]).tolist():
            pixel, value = self._bad[start + row]
            name = self._names[pixel]
            rejects[row] = pixel_reject(row, name, name, value, self._scale)
            pixels[row] = 0
        return pixels, rejects
