"""784 columns of numbers -> images, uint8 (n, 784).

Columns are stored one after another, images one after another; turning the one into the other is what costs. `Grid`
collects columns as pixels in a matrix of its own, whose transpose (`grid_kernel`), some thousand rows at a time, is the
images. `window` fills it.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from job.compiled.machine_code import kernel
from job.contract import PIXELS, Pixels, Reject
from job.read.arrow import validity, values
from job.read.pixels import to_pixels
from job.read.table.numbers import as_numbers, number_reject
from job.settings import PixelScale

_CACHE_LINE_BYTES: Final = 64


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
        self._transpose = kernel("job.read.table.grid_kernel", "transpose")

    def clear(self) -> None:
        """Forget all rows."""
        self._is_bad[:] = False
        self._bad.clear()

    def column(self, pixel: int, start: int, stop: int) -> Pixels:
        """The memory for a pixel of the rows [start, stop), uint8 (stop - start,), to be written directly."""
        return self._matrix[pixel, start:stop]

    def put(self, pixel: int, column: pa.Array, start: int) -> None:
        """Store a column of numbers for the rows from `start` on. A row's first bad value is its reject."""
        plain = as_numbers(column)
        numbers, stop = values(plain), start + len(column)
        place = self._matrix[pixel, start:stop]
        if numbers.dtype == np.uint8 and self._scale == "255" and not plain.null_count:
            place[:] = numbers
            return
        place[:], is_pixel = to_pixels(numbers, self._scale)
        if plain.null_count:
            is_pixel &= validity(plain)
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
            rejects[row] = number_reject(row, name, name, value, self._scale)
            pixels[row] = 0
        return pixels, rejects
