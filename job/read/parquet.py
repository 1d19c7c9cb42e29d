"""A Parquet file: its columns from the footer, its parts as runs of row groups, and a run -> batches.

This module moves row groups through memory; what their columns mean is decided and done by its neighbours:
`parquet_columns` chooses them, `parquet_grid`, `parquet_images` and `parquet_labels` turn them into arrays.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.parquet as pq

from job.contract import PixelBatch, Reject
from job.errors import DataError
from job.read.ink import FullInk, recognise_full_ink
from job.read.layout import in_words
from job.read.parquet_columns import Columns, choose_columns
from job.read.parquet_labels import read_labels
from job.settings import MIB, ReadSettings
from job.storage import FileInfo, Storage, translated_errors

_log = logging.getLogger(__name__)

MAGIC: Final = b"PAR1"
_PROBED_ROWS: Final = 1000
# A row group is decoded at once where it takes no more than this, and slice by slice where it takes more. Measured with
# row groups of 51 MB: as fast in slices, in half the memory.
_WHOLE_BYTES: Final = 16 * MIB
_SLICE_BYTES: Final = 16 * MIB
# Without a limit, every column of a row group that is read in slices would be held in memory as stored.
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
    full_ink: FullInk
    group_bytes: tuple[int, ...]
    group_rows: tuple[int, ...]

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
        """The rows of a run of row groups, in order, at most `block_rows` at a time. Raises DataError if damaged."""
        with _opened(storage, self.file) as parquet:
            for group in range(*span):
                found = 0
                for records in self._records(parquet, group):
                    found += len(records)
                    yield from self._batches(records, block_rows)
                if found != self.group_rows[group]:
                    raise DataError(
                        f"{self.file.path}: row group {group} holds {found} rows, and the footer says "
                        f"{self.group_rows[group]}"
                    )

    def _records(self, parquet: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
        """A row group's columns, as stored: at once, or in slices where they would take too much memory."""
        rows, columns = self.group_rows[group], self.columns
        names = columns.reader_names
        if not columns.is_image and rows * columns.row_bytes <= _WHOLE_BYTES:
            yield from parquet.read_row_group(group, columns=names, use_threads=False).to_batches()
            return
        # Lists and bytes are decoded faster a little at a time, and to several times their final size.
        slice_rows = max(1, min(columns.best_rows, _SLICE_BYTES // columns.row_bytes))
        yield from parquet.iter_batches(slice_rows, row_groups=[group], columns=names, use_threads=False)

    def _batches(self, records: pa.RecordBatch, block_rows: int) -> Iterator[PixelBatch]:
        images = self.columns.images_in(records, self.full_ink)
        step = max(1, self.columns.best_rows // block_rows) * block_rows
        for start in range(0, len(records), step):
            stop = min(start + step, len(records))
            pixels, rejects = images.rows(start, stop)
            part, labels = records.slice(start, stop - start), None
            if self.columns.label is not None:
                labels, bad = read_labels(part.column(self.columns.label), self.columns.label)
                rejects = {**bad, **rejects}
            yield from self._blocks(PixelBatch(pixels, labels, kept=self.columns.kept_in(part)), rejects, block_rows)

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
    with _opened(storage, file) as parquet:
        footer = parquet.metadata
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        columns = choose_columns(parquet.schema_arrow, settings, file.path)
        full_ink: FullInk = 1 if settings.scale == "1" else 255
        if settings.scale == "auto" and columns.is_float:
            full_ink = _probed(parquet, columns)
            if full_ink == 1:
                _log.info("%s: pixels are fractions from 0 to 1; --scale 255 would take them as they are", file.path)
    return ParquetSource(
        file,
        columns,
        full_ink,
        tuple(group.total_byte_size for group in groups),
        tuple(group.num_rows for group in groups),
    )


def _probed(parquet: pq.ParquetFile, columns: Columns) -> FullInk:
    """The scale that the first rows of a file show."""
    names = columns.reader_names
    first = next(parquet.iter_batches(_PROBED_ROWS, columns=names, use_threads=False), None)
    if first is None:
        return 255
    return recognise_full_ink(columns.images_in(first, 255).samples())


@contextmanager
def _opened(storage: Storage, file: FileInfo) -> Iterator[pq.ParquetFile]:
    with translated_errors(file.path):
        try:
            with (
                closing(storage.open(file.path)) as raw,
                pq.ParquetFile(
                    raw,
                    pre_buffer=False,
                    buffer_size=_COLUMN_BUFFER_BYTES,
                    page_checksum_verification=True,
                ) as parquet,
            ):
                yield parquet
        except (pa.ArrowException, OSError) as error:
            # Arrow calls damaged content an OSError too, but one that the operating system has no number for.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            problem = str(error).partition("\n")[0]
            raise DataError(f"{file.path}: cannot be read as Parquet: {problem}") from error
