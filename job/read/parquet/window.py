"""The rows of a row group of 784 columns, a window of them in memory at a time.

Columns are read one by one where their pages are plain (see `pages`), and by Arrow where they are not.

Arrow decodes a column page by page, and keeps the page. Read side by side, 784 columns keep 784 pages, up to a gigabyte
however few rows are asked for, and 784 buffers that grow. So columns are read a few at a time, from end to end of the
window, which is faster, too. A row group of more rows than a window is decoded from its beginning once for each of its
windows: its time grows with their number, its memory does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from job.contract import PIXELS, Pixels, Reject
from job.read.parquet.columns import Columns
from job.read.parquet.footer import ChunkTable
from job.read.parquet.grid import Grid, PlainPages
from job.read.pixels import PixelScale
from job.settings import MIB
from job.storage import CheckStop

# Two threads with a window each leave the process below 400 MB. The row groups that DuckDB writes fit into one.
_WINDOW_BYTES: Final = 96 * MIB
# A larger row group may take twice as much where it would be decoded more often than this.
_PASSES: Final = 4
# Decoded at once: so many rows of as many columns as take no more memory than this.
_RUN_ROWS: Final = 1 << 16
_STRIPE_BYTES: Final = 2 * MIB
# Arrow decodes any integer as 4 or 8 bytes, and whether it is null as 2, before it becomes the type of the column.
_DECODED_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class OpenRowGroup:
    """A Parquet file that is open, the plain file below, to be read at any place, and where its columns lie.

    check_stop: called with every piece that is decoded.
    """

    parquet: pq.ParquetFile
    raw: pa.NativeFile
    table: Callable[[], ChunkTable]
    check_stop: CheckStop


class Windows:
    """A row group's images, asked for in order."""

    def __init__(self, file: OpenRowGroup, group: int, columns: Columns, full_ink: PixelScale, step: int) -> None:
        """step: how many rows are asked for at once, mostly."""
        parquet = file.parquet
        self._check_stop = file.check_stop
        self._parquet = parquet
        self._group = group
        self._rows: int = parquet.metadata.row_group(group).num_rows
        self._columns = columns
        self._window_rows = min(self._rows, window_rows(self._rows, step))
        self._grid = Grid(self._window_rows, columns.pixels, full_ink)
        self._start = self._stop = 0
        # Numbers that are no bytes yet are for Arrow.
        self._pages = PlainPages(file.raw, file.table(), group, self._rows) if full_ink != 1 else None

    def rows(self, start: int, stop: int) -> tuple[Pixels, dict[int, Reject]]:
        """The images [start, stop), and by row within them what is wrong. Raises ArrowInvalid if damaged."""
        if stop > self._stop:
            self._load(start)
        if stop > self._stop:
            raise pa.ArrowInvalid(f"row group {self._group}: more rows than the {self._rows} that the footer says")
        return self._grid.rows(start - self._start, stop - self._start)

    def _load(self, start: int) -> None:
        self._start, self._stop = start, min(start + self._window_rows, self._rows)
        self._grid.clear()
        for pixels in stripes([each for each in self._columns.file_order if not self._is_plain(each)], self._rows):
            names = [self._columns.pixels[pixel] for pixel in pixels]
            at = 0
            for records in self._records(names):
                for pixel, column in zip(pixels, records.columns, strict=True):
                    self._grid.put(pixel, column, at)
                at += len(records)
            if at != self._stop - start:
                raise pa.ArrowInvalid(
                    f"row group {self._group}, column {names[0]}: {start + at} rows, and the footer says {self._rows}"
                )

    def _is_plain(self, pixel: int) -> bool:
        """Put a column into the grid without Arrow; whether that could be done."""
        if self._pages is None:
            return False
        self._check_stop()
        return self._pages.put(
            self._columns.pixels[pixel], self._start, self._grid.column(pixel, 0, self._stop - self._start)
        )

    def _records(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of the window, decoded from the row group's beginning."""
        at = 0
        for records in self._parquet.iter_batches(
            _RUN_ROWS, row_groups=[self._group], columns=names, use_threads=False
        ):
            self._check_stop()
            first, at = at, at + len(records)
            if at > self._start:
                skipped = max(0, self._start - first)
                yield records.slice(skipped, min(at, self._stop) - first - skipped)
            if at >= self._stop:
                break


def window_rows(rows: int, step: int) -> int:
    """How many rows of a row group to hold at once: a multiple of `step`, so that steps do not cross windows."""
    passes = -(-rows * PIXELS // _WINDOW_BYTES)
    if passes > _PASSES:
        passes = max(_PASSES, -(-passes // 2))
    at_least = -(-rows // max(1, passes))
    return max(1, -(-at_least // step)) * step


def stripes(pixels: Sequence[int], rows: int) -> Iterator[Sequence[int]]:
    """Pixels, as many at a time as columns of so many rows are decoded of at once."""
    width = max(1, _STRIPE_BYTES // (_DECODED_BYTES * max(1, min(rows, _RUN_ROWS))))
    return (pixels[start : start + width] for start in range(0, len(pixels), width))
