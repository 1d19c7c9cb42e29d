"""A Parquet file: its columns from the footer, its parts as runs of row groups, and a run -> batches.

This module moves row groups through memory; what their columns mean is decided and done by its neighbours: `columns`
chooses them, `window` and `grid`, or `images`, turn pixels into images, and `labels` labels into digits.
"""

import functools
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from job.contract import PixelBatch, Pixels, Reject
from job.errors import DataError
from job.flag_names import Flag
from job.read.labels import read_labels
from job.read.layout.names import in_words
from job.read.parquet.columns import Columns, choose_columns
from job.read.parquet.footer import ChunkTable
from job.read.parquet.images import Images, numbers_in
from job.read.parquet.window import OpenRowGroup, Windows, stripes
from job.read.pixels import PixelScale, recognise_scale
from job.settings import MIB, ReadSettings
from job.storage import FileInfo, Storage, check_unchanged, is_system_error, translated_errors

_log = logging.getLogger(__name__)

MAGIC: Final = b"PAR1"
_PROBED_ROWS: Final = 1000

# How many rows to turn into images at once: as many columns' numbers as stay in the processor's cache.
_GRID_ROWS: Final = 4096

# Images, and the columns kept beside them, are decoded this much at a time.
_SLICE_BYTES: Final = 16 * MIB

# Without a limit, a column of a row group that is read in slices would be held in memory as stored.
_COLUMN_BUFFER_BYTES: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file whose columns are known. A part of it is a run of whole row groups.

    full_ink: the value of a full pixel, where pixels are numbers. group_bytes, group_rows: for each row group, its
    uncompressed size and its rows, from the footer.
    """

    format: ClassVar = "parquet"

    file: FileInfo
    columns: Columns
    full_ink: PixelScale
    group_bytes: tuple[int, ...]
    group_rows: tuple[int, ...]

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """The file alone."""
        return (self.file,)

    @property
    def has_labels(self) -> bool:
        """Whether the rows carry labels."""
        return self.columns.label is not None

    @property
    def scale(self) -> str:
        """What full ink is stored as: `255` or `1`."""
        return str(self.full_ink)

    @property
    def columns_in_words(self) -> str:
        """Which columns are which."""
        return in_words(self.columns.pixels, self.columns.label, self.columns.others)

    @property
    def kept_schema(self) -> pa.Schema:
        """The columns that are carried through, in the order the user gave; empty if there are none."""
        return self.columns.kept

    @property
    def rows(self) -> int:
        """The rows of the whole file, from the footer."""
        return sum(self.group_rows)

    def spans(self, part_bytes: int) -> list[tuple[int, int]]:
        """Runs of row groups [start, stop), each as long as it stays within `part_bytes`, and at least one."""
        spans = []
        start = filled = 0
        for group, size in enumerate(self.group_bytes):
            if filled and filled + size > part_bytes:
                spans.append((start, group))
                start, filled = group, 0
            filled += size
        return [*spans, (start, len(self.group_bytes))]

    def read(self, storage: Storage, span: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The rows of a run of row groups, in order, at most `block_rows` at a time.

        Raises DataError if the file is damaged, InputChanged if it cannot be read because it is another one by now.
        """
        # Two readers, because one cannot go through a row group in two ways at the same time.
        with _opened(storage, self.file) as file, _opened(storage, self.file) as other:
            for group in range(*span):
                found = 0
                for pixels, rejects, beside in self._images(file.parquet, other, group, block_rows):
                    found += len(pixels)
                    labels = None
                    if self.columns.label is not None:
                        labels, bad = read_labels(beside.column(self.columns.label), self.columns.label)
                        rejects.update({row: reject for row, reject in bad.items() if row not in rejects})
                    kept = self.columns.kept_in(beside)
                    yield from self._blocks(PixelBatch(pixels, labels, kept=kept), rejects, block_rows)
                if found != self.group_rows[group]:
                    raise DataError(
                        f"{self.file.path}: row group {group} holds {found} rows, and the footer says "
                        f"{self.group_rows[group]}"
                    )

    def _images(
        self, parquet: pq.ParquetFile, other: OpenRowGroup, group: int, block_rows: int
    ) -> Iterator[tuple[Pixels, dict[int, Reject], pa.RecordBatch]]:
        """A row group in runs of rows: images, by row what is wrong with them, and the columns beside them."""
        columns = self.columns
        if not columns.is_image:
            step = max(1, _GRID_ROWS // block_rows) * block_rows
            windows, start = Windows(other, group, columns, self.full_ink, step), 0
            # Arrow gives batches of no column, too, and they have the right number of rows.
            for beside in parquet.iter_batches(
                step, row_groups=[group], columns=columns.names_beside, use_threads=False
            ):
                yield *windows.rows(start, start + len(beside)), beside
                start += len(beside)
            return
        # Lists and bytes are decoded faster a little at a time, and to several times their final size.
        rows = max(1, min(Images.best_rows, _SLICE_BYTES // columns.row_bytes))
        for records in parquet.iter_batches(rows, row_groups=[group], columns=columns.reader_names, use_threads=False):
            column = records.column(columns.pixels[0])
            images = Images(column, columns.pixels[0], self.full_ink, is_transposed=columns.is_transposed)
            yield *images.rows(0, len(records)), records

    def _blocks(self, batch: PixelBatch, rejects: dict[int, Reject], rows: int) -> Iterator[PixelBatch]:
        """A batch in blocks of at most `rows`, with what is wrong with each row that cannot be scored."""
        for start in range(0, len(batch.pixels), rows):
            pixels = batch.pixels[start : start + rows]
            stop = start + len(pixels)
            yield PixelBatch(
                pixels,
                None if batch.labels is None else batch.labels[start:stop],
                tuple(rejects[row].shifted(-start, 0) for row in sorted(rejects) if start <= row < stop),
                size_bytes=self.file.size * len(pixels) // self.rows,
                kept=None if batch.kept is None else batch.kept.slice(start, len(pixels)),
            )


def parquet_source(storage: Storage, file: FileInfo, settings: ReadSettings) -> ParquetSource:
    """Look at a Parquet file's footer. Raises LayoutError, or DataError where the file is damaged.

    Where pixels are floating-point numbers and the user does not say on which scale, look at the first rows, too.
    """
    with _opened(storage, file) as opened:
        parquet = opened.parquet
        footer = parquet.metadata
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        if any(group.num_rows < 0 for group in groups):
            raise DataError(f"{file.path}: cannot be read as Parquet: its footer announces fewer than no rows")
        columns = choose_columns(parquet.schema_arrow, settings, file.path)
        full_ink: PixelScale = 1 if settings.scale == "1" else 255
        if settings.scale == "auto" and columns.is_float:
            full_ink = recognise_scale(_first_numbers(parquet, columns))
            if full_ink == 1:
                _log.info("%s: pixels are fractions; taken as 0-1 (%s 1)", file.path, Flag.SCALE)
    return ParquetSource(
        file,
        columns,
        full_ink,
        tuple(group.total_byte_size for group in groups),
        tuple(group.num_rows for group in groups),
    )


def _first_numbers(parquet: pq.ParquetFile, columns: Columns) -> Iterator[npt.NDArray[Any]]:
    """The pixels of the first rows as they are stored, without nulls."""
    for pixels in stripes(columns.file_order, _PROBED_ROWS):
        names = [columns.pixels[pixel] for pixel in pixels]
        first = next(parquet.iter_batches(_PROBED_ROWS, columns=names, use_threads=False), None)
        yield from [] if first is None else map(numbers_in, first.columns)


@functools.lru_cache(maxsize=2)
def _footer(storage: Storage, file: FileInfo) -> pq.FileMetaData:
    """A file's footer, which every part needs: with 784 columns in many row groups, parsing it takes its time."""
    with closing(storage.open(file.path)) as raw:
        return pq.read_metadata(raw)


@functools.lru_cache(maxsize=2)
def _chunk_table(storage: Storage, file: FileInfo) -> ChunkTable:
    """Where a file's columns lie, for the same reason."""
    with closing(storage.open(file.path)) as raw:
        return ChunkTable(raw, _footer(storage, file))


@contextmanager
def _opened(storage: Storage, file: FileInfo) -> Iterator[OpenRowGroup]:
    with translated_errors(file.path):
        try:
            with (
                closing(storage.open(file.path)) as raw,
                pq.ParquetFile(
                    raw,
                    metadata=_footer(storage, file),
                    pre_buffer=False,
                    buffer_size=_COLUMN_BUFFER_BYTES,
                    page_checksum_verification=True,
                ) as parquet,
            ):
                yield OpenRowGroup(parquet, raw, functools.partial(_chunk_table, storage, file), storage.check_stop)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # Arrow does not look at names of columns
            if is_system_error(error):
                raise
            check_unchanged(storage, file)  # or the footer may be another file's
            problem = str(error).partition("\n")[0]
            raise DataError(f"{file.path}: cannot be read as Parquet: {problem}") from error
