"""784 columns of numbers -> uint8 (n, 784): the hot loop of the Parquet reader.

Columns lie one after another, images one below another: what costs is turning the one into the other. It is done some
thousand rows at a time, through a buffer that stays in the processor's cache, and without Python's lock.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, Pixels, Reject
from job.read.arrow_values import validity, values
from job.read.ink import FullInk, pixel_reject, to_pixels

# 4096 rows and more lie a power of two apart, and would all compete for the same lines of the cache.
_PADDING: Final = 64


class Grid:
    """784 columns of n numbers each, of any numeric types; order: their numbers in the order of the file.

    Reads the columns' memory in place.
    """

    best_rows: ClassVar = 8192

    def __init__(
        self, columns: Sequence[pa.Array], names: Sequence[str], order: Sequence[int], full_ink: FullInk
    ) -> None:
        self._columns = columns
        self._names = names
        self._order = order
        self._full_ink = full_ink
        self._values = [values(column) for column in columns]
        self._validity = {index: validity(column) for index, column in enumerate(columns) if column.null_count}

    def rows(self, start: int, stop: int) -> tuple[Pixels, dict[int, Reject]]:
        """The images [start, stop), and by row within them what is wrong first, in the order of the columns."""
        count = stop - start
        buffer = np.empty((PIXELS, count + _PADDING), np.uint8)
        bad: list[tuple[int, npt.NDArray[np.bool_]]] = []
        for index, numbers in enumerate(self._values):
            if numbers.dtype == np.uint8 and self._full_ink != 1 and index not in self._validity:
                buffer[index, :count] = numbers[start:stop]
                continue
            buffer[index, :count], is_pixel = to_pixels(numbers[start:stop], self._full_ink)
            if index in self._validity:
                is_pixel &= self._validity[index][start:stop]
            if not is_pixel.all():
                bad.append((index, ~is_pixel))
        pixels = np.ascontiguousarray(buffer[:, :count].T)
        rejects = self._rejects(start, bad)
        pixels[list(rejects)] = 0
        return pixels, rejects

    def samples(self) -> Iterator[npt.NDArray[Any]]:
        """The numbers of all rows, column after column, without nulls."""
        for index, numbers in enumerate(self._values):
            yield numbers[self._validity[index]] if index in self._validity else numbers

    def _rejects(self, start: int, bad: list[tuple[int, npt.NDArray[np.bool_]]]) -> dict[int, Reject]:
        rejects: dict[int, Reject] = {}
        place = {index: place for place, index in enumerate(self._order)}
        for index, is_bad in sorted(bad, key=lambda each: place[each[0]]):
            name, column = self._names[index], self._columns[index]
            for row in np.flatnonzero(is_bad).tolist():
                if row not in rejects:
                    rejects[row] = pixel_reject(row, name, name, column[start + row].as_py(), self._full_ink)
        return rejects
