"""A Parquet file as a `Source`: its parts are runs of row groups, and a run -> batches.

This module opens the file and passes row groups through memory. `columns` chooses the columns; `window`, or `images`,
turns pixels into images; `labels` turns labels into digits.
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
from job.read.layout.names import describe_columns
from job.read.parquet.columns import Columns, choose_columns
from job.read.parquet.footer import ChunkTable
from job.read.parquet.images import Images, numbers_in
from job.read.parquet.window import OpenParquet, Windows, stripes
from job.read.pixels import detect_scale
from job.settings import MIB, LabelMap, PixelScale, ReadSettings
from job.storage import FileInfo, Storage, check_unchanged, is_system_error, translated_errors

_log = logging.getLogger(__name__)

MAGIC: Final = b"PAR1"
_PROBED_ROWS: Final = 1000

# How many rows to turn into images at once: as many as keep a column's numbers in the processor's cache.
_GRID_ROWS: Final = 4096

# How much of a column of images, and of the columns beside it, to decode at once.
_SLICE_BYTES: Final = 16 * MIB

# Without this limit, Arrow holds a column of a row group in memory as stored, even if it is read in slices.
_COLUMN_BUFFER_BYTES: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file whose columns are known. A range is [first row group, last row group + 1).

    group_bytes, group_rows: the uncompressed size and the rows of each row group, from the footer.
    """

    format: ClassVar = "parquet"

    file: FileInfo
    columns: Columns
    pixel_scale: PixelScale
    group_bytes: tuple[int, ...]
    group_rows: tuple[int, ...]
    label_map: LabelMap | None = None

    @property
    def files(self) -> tuple[FileInfo, ...]:
        return (self.file,)

    @property
    def rows(self) -> int:
        return sum(self.group_rows)

    @property
    def has_labels(self) -> bool:
        return self.columns.label is not None

    @property
    def passthrough_schema(self) -> pa.Schema:
        return self.columns.passthrough

    def describe_columns(self) -> str:
        return describe_columns(self.columns.pixels, self.columns.label, self.columns.others)

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """Each range is as many row groups as stay within `part_bytes`, and at least one."""
        ranges = []
        start = filled = 0
        for group, size in enumerate(self.group_bytes):
            if filled and filled + size > part_bytes:
                ranges.append((start, group))
                start, filled = group, 0
            filled += size
        return [*ranges, (start, len(self.group_bytes))]

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The rows of a run of row groups."""
        # Two readers, because one cannot be at two places of a row group at the same time.
        with _opened(storage, self.file) as file, _opened(storage, self.file) as other:
            for group in range(*part_range):
                found = 0
                for pixels, rejects, beside in self._images(file.parquet, other, group, block_rows):
                    found += len(pixels)
                    labels = None
                    if self.columns.label is not None:
                        column = beside.column(self.columns.label)
                        labels, bad = read_labels(column, self.columns.label, self.label_map)
                        rejects.update({row: reject for row, reject in bad.items() if row not in rejects})
                    passthrough = self.columns.passthrough_of(beside)
                    yield from self._blocks(PixelBatch(pixels, labels, passthrough=passthrough), rejects, block_rows)
                if found != self.group_rows[group]:
                    raise DataError(
                        f"{self.file.path}: row group {group} has {found} rows, but the footer says "
                        f"{self.group_rows[group]}"
                    )

    def _images(
        self, parquet: pq.ParquetFile, other: OpenParquet, group: int, block_rows: int
    ) -> Iterator[tuple[Pixels, dict[int, Reject], pa.RecordBatch]]:
        """A row group in runs of rows: (images, rejects by row, the other columns)."""
        columns = self.columns
        if not columns.is_image:
            step = max(1, _GRID_ROWS // block_rows) * block_rows
            windows, start = Windows(other, group, columns, self.pixel_scale, step), 0
            # Asked for no columns, Arrow returns batches without columns that have the right number of rows.
            for beside in parquet.iter_batches(
                step, row_groups=[group], columns=columns.names_beside_pixels, use_threads=False
            ):
                yield *windows.rows(start, start + len(beside)), beside
                start += len(beside)
            return
        # Decoded lists and byte strings take several times the size of their pixels.
        rows = max(1, min(Images.best_rows, _SLICE_BYTES // columns.row_bytes))
        for records in parquet.iter_batches(rows, row_groups=[group], columns=columns.reader_names, use_threads=False):
            column = records.column(columns.pixels[0])
            images = Images(column, columns.pixels[0], self.pixel_scale, is_transposed=columns.is_transposed)
            yield *images.rows(0, len(records)), records

    def _blocks(self, batch: PixelBatch, rejects: dict[int, Reject], rows: int) -> Iterator[PixelBatch]:
        """A batch cut into batches of at most `rows`, each with its rejects."""
        for start in range(0, len(batch.pixels), rows):
            pixels = batch.pixels[start : start + rows]
            stop = start + len(pixels)
            yield PixelBatch(
                pixels,
                None if batch.labels is None else batch.labels[start:stop],
                tuple(rejects[row].shifted(-start, 0) for row in sorted(rejects) if start <= row < stop),
                size_bytes=self.file.size * len(pixels) // self.rows,
                passthrough=None if batch.passthrough is None else batch.passthrough.slice(start, len(pixels)),
            )


def parquet_source(storage: Storage, file: FileInfo, settings: ReadSettings) -> ParquetSource:
    """Read a Parquet file's footer and settle its columns. Raises LayoutError, DataError, StorageError.

    If pixels are floating-point numbers and the user did not state their scale, the first rows are read, too.
    """
    with _opened(storage, file) as opened:
        parquet = opened.parquet
        footer = parquet.metadata
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        if any(group.num_rows < 0 for group in groups):
            raise DataError(f"{file.path}: cannot be read as Parquet: its footer announces a negative number of rows")
        columns = choose_columns(parquet.schema_arrow, settings, file.path)
        scale: PixelScale = "255" if settings.scale == "auto" else settings.scale
        if settings.scale == "auto" and columns.is_float:
            scale = detect_scale(_first_numbers(parquet, columns), file.path)
            if scale == "1":
                _log.info("%s: pixels are fractions; using the scale 0-1 (%s 1)", file.path, Flag.SCALE)
    return ParquetSource(
        file,
        columns,
        scale,
        tuple(group.total_byte_size for group in groups),
        tuple(group.num_rows for group in groups),
        settings.label_map,
    )


def _first_numbers(parquet: pq.ParquetFile, columns: Columns) -> Iterator[npt.NDArray[Any]]:
    """The pixels of the first rows as they are stored, (n,) each, without nulls."""
    for pixels in stripes(columns.file_order, _PROBED_ROWS):
        names = [columns.pixels[pixel] for pixel in pixels]
        first = next(parquet.iter_batches(_PROBED_ROWS, columns=names, use_threads=False), None)
        yield from [] if first is None else map(numbers_in, first.columns)


# Every part needs the footer, which takes long to parse with 784 columns in many row groups.


@functools.lru_cache(maxsize=2)
def _footer(storage: Storage, file: FileInfo) -> pq.FileMetaData:
    with closing(storage.open(file.path)) as raw:
        return pq.read_metadata(raw)


@functools.lru_cache(maxsize=2)
def _chunk_table(storage: Storage, file: FileInfo) -> ChunkTable:
    with closing(storage.open(file.path)) as raw:
        return ChunkTable(raw, _footer(storage, file))


@contextmanager
def _opened(storage: Storage, file: FileInfo) -> Iterator[OpenParquet]:
    """Open a file; what Arrow raises meanwhile becomes DataError, InputChanged or StorageError."""
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
                yield OpenParquet(parquet, raw, functools.partial(_chunk_table, storage, file), storage.check_stop)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # Arrow does not validate column names
            if is_system_error(error):
                raise
            check_unchanged(storage, file)  # the cached footer may be that of another file
            problem = str(error).partition("\n")[0]
            raise DataError(f"{file.path}: cannot be read as Parquet: {problem}") from error
