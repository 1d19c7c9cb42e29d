"""A group of rows with 784 columns -> images, with a window of its rows in memory at a time.

Plain columns of Parquet are decoded one by one (`parquet.plain_pages`), the others by Arrow. Arrow decodes a column
page by page and keeps the page, so that 784 columns read side by side keep 784 pages, up to a gigabyte however few rows
are asked for. So columns are read a few at a time, from end to end of the window, which is also faster. A group with
more rows than a window is decoded from its start once for each window: its time grows with their number, its memory
does not.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, Pixels, Reject
from job.read.table.columns import Columns
from job.read.table.grid import Grid
from job.settings import MIB, PixelScale
from job.storage import CheckStop

# Two threads with a window each keep the process below 400 MB. The row groups that DuckDB writes fit into one window.
_WINDOW_BYTES: Final = 96 * MIB
# A row group that would be decoded more often than this gets windows of up to twice the size.
_PASSES: Final = 4
# Arrow decodes at most this many rows at once, of as many columns as fit into this much memory.
_RUN_ROWS: Final = 1 << 16
_STRIPE_BYTES: Final = 2 * MIB
# Arrow decodes any integer as 4 or 8 bytes, and its null flag as 2, before it converts it to the column's type.
_DECODED_BYTES: Final = 8


class Decoder(Protocol):
    """Decodes columns of one group without Arrow."""

    def put(self, name: str, start: int, target: npt.NDArray[np.uint8]) -> bool:
        """Write the pixels of column `name` from row `start` on to `target`, (n,); False if Arrow has to read it."""
        ...


class OpenTable(Protocol):
    """An open file whose rows are in groups. Not for use by several threads."""

    @property
    def group_count(self) -> int:
        """The number of groups."""
        ...

    @property
    def check_stop(self) -> CheckStop:
        """Called with every piece that is decoded."""
        ...

    def rows(self, group: int) -> int:
        """The number of rows that the file announces for a group."""
        ...

    def batches(self, group: int, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Some columns of a group, in batches of `rows` and perhaps a smaller last one; of no columns, too.

        Where `rows` might take too much memory, the batches have a divisor of it, so that none crosses a multiple.
        """
        ...

    def decoder(self, group: int) -> Decoder | None:
        """What decodes a group's columns of integers 0-255 faster than Arrow, if anything does."""
        ...


class Windows:
    """The images of a group, which are asked for in order."""

    def __init__(self, table: OpenTable, group: int, columns: Columns, scale: PixelScale, step: int) -> None:
        """step: how many rows are asked for at once; only the last time it may be fewer."""
        self._table = table
        self._group = group
        self._rows = table.rows(group)
        self._columns = columns
        self._window_rows = min(self._rows, window_rows(self._rows, step))
        self._grid = Grid(self._window_rows, columns.pixels, scale)
        self._start = self._stop = 0
        self._decoder = table.decoder(group) if scale == "255" and columns.are_integers else None

    def rows(self, start: int, stop: int) -> tuple[Pixels, dict[int, Reject]]:
        """The images [start, stop), uint8 (n, 784), 0 where rejected; and rejects by row, counted from `start`.

        Raises ArrowInvalid if the row group is damaged.
        """
        if stop > self._stop:
            self._load(start)
        if stop > self._stop:
            raise pa.ArrowInvalid(f"group {self._group}: has more than the {self._rows} rows that the file announces")
        return self._grid.rows(start - self._start, stop - self._start)

    def _load(self, start: int) -> None:
        """Read the window from row `start` on."""
        self._start, self._stop = start, min(start + self._window_rows, self._rows)
        self._grid.clear()
        for pixels in stripes([each for each in self._columns.file_order if not self._put_plain(each)], self._rows):
            names = [self._columns.pixels[pixel] for pixel in pixels]
            row = 0
            for records in self._records(names):
                for pixel, column in zip(pixels, records.columns, strict=True):
                    self._grid.put(pixel, column, row)
                row += len(records)
            if row != self._stop - start:
                raise pa.ArrowInvalid(
                    f"group {self._group}, column {names[0]}: has {start + row} rows, but the file announces "
                    f"{self._rows}"
                )

    def _put_plain(self, pixel: int) -> bool:
        """Decode a column into the grid without Arrow; returns whether it is plain."""
        if self._decoder is None:
            return False
        self._table.check_stop()
        return self._decoder.put(
            self._columns.pixels[pixel], self._start, self._grid.column(pixel, 0, self._stop - self._start)
        )

    def _records(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of the window, in runs of rows, decoded from the start of the row group."""
        row = 0
        for records in self._table.batches(self._group, names, _RUN_ROWS):
            self._table.check_stop()
            first, row = row, row + len(records)
            if row > self._start:
                skipped = max(0, self._start - first)
                yield records.slice(skipped, min(row, self._stop) - first - skipped)
            if row >= self._stop:
                break


def window_rows(rows: int, step: int) -> int:
    """How many of a row group's rows to hold at once: a multiple of `step`, so that no step crosses two windows."""
    passes = -(-rows * PIXELS // _WINDOW_BYTES)
    if passes > _PASSES:
        passes = max(_PASSES, -(-passes // 2))
    at_least = -(-rows // max(1, passes))
    return max(1, -(-at_least // step)) * step


def stripes(pixels: Sequence[int], rows: int) -> Iterator[Sequence[int]]:
    """Pixels in groups of as many columns as Arrow may decode at once, for a row group of `rows` rows."""
    width = max(1, _STRIPE_BYTES // (_DECODED_BYTES * max(1, min(rows, _RUN_ROWS))))
    return (pixels[start : start + width] for start in range(0, len(pixels), width))
