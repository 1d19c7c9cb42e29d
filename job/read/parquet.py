"""A Parquet file: its columns from the footer, its parts as runs of row groups, and a run -> batches."""

import math
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from job.contract import CLASSES, NO_LABEL, PIXELS, Labels, PixelBatch, Pixels, Reason, Reject
from job.errors import DataError, LayoutError
from job.read.layout import Layout, from_names
from job.settings import ReadSettings
from job.storage import FileInfo, Storage, translated_errors

MAGIC: Final = b"PAR1"
_MAX_PIXEL: Final = 255


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file whose layout is known. A part of it is a run of whole row groups.

    group_bytes, group_rows: for each row group, its uncompressed size and its rows, from the footer.
    """

    format: ClassVar = "parquet"

    file: FileInfo
    layout: Layout
    group_bytes: tuple[int, ...]
    group_rows: tuple[int, ...]

    @property
    def has_labels(self) -> bool:
        """Whether the rows carry labels."""
        return self.layout.label_field is not None

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
        names = self.layout.names or ()
        columns = [names[field] for field in self.layout.pixel_fields]
        if self.layout.label_field is not None:
            columns.append(names[self.layout.label_field])
        with _opened(storage, self.file) as parquet:
            for batch in parquet.iter_batches(block_rows, row_groups=list(range(*span)), columns=columns):
                yield self._batch(batch, columns)

    def _batch(self, batch: pa.RecordBatch, columns: list[str]) -> PixelBatch:
        # Columns come back in the file's order, not in the order they were asked for.
        in_file_order = sorted(range(PIXELS), key=self.layout.pixel_fields.__getitem__)
        pixels, rejects = _pixels([batch.column(name) for name in columns[:PIXELS]], columns, in_file_order)
        labels = None
        if self.layout.label_field is not None:
            labels, bad = _labels(batch.column(columns[PIXELS]), columns[PIXELS])
            rejects = {**bad, **rejects}
        ordered = tuple(rejects[row] for row in sorted(rejects))
        return PixelBatch(pixels, labels, ordered, size_bytes=self.file.size * len(pixels) // self.rows)


def parquet_source(storage: Storage, file: FileInfo, settings: ReadSettings) -> ParquetSource:
    """Look at a Parquet file's footer. Raises LayoutError, or DataError where the file is damaged."""
    with _opened(storage, file) as parquet:
        schema = parquet.schema_arrow
        footer = parquet.metadata
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    layout = from_names(schema.names, settings, file.path)
    for field in layout.pixel_fields:
        _check_type(schema.field(field), file.path, "pixel")
    if layout.label_field is not None:
        _check_type(schema.field(layout.label_field), file.path, "label")
    return ParquetSource(
        file, layout, tuple(group.total_byte_size for group in groups), tuple(group.num_rows for group in groups)
    )


def _check_type(field: pa.Field, where: str, role: str) -> None:
    if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
        raise LayoutError(f"{where}: {role} column {field.name!r} is of type {field.type}, expected a number")


@contextmanager
def _opened(storage: Storage, file: FileInfo) -> Iterator[pq.ParquetFile]:
    with translated_errors(file.path):
        try:
            with closing(storage.open(file.path)) as raw, pq.ParquetFile(raw) as parquet:
                yield parquet
        except (pa.ArrowException, OSError) as error:
            # Arrow calls damaged content an OSError too, but one that the operating system has no number for.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            problem = str(error).partition("\n")[0]
            raise DataError(f"{file.path}: cannot be read as Parquet: {problem}") from error


def _pixels(columns: list[pa.Array], names: list[str], order: Iterable[int]) -> tuple[Pixels, dict[int, Reject]]:
    """uint8 (n, 784) and, by row, what is wrong first, in the order of the columns, where a row cannot be scored."""
    rows = len(columns[0])
    by_column = np.empty((PIXELS, rows), np.uint8)
    rejects: dict[int, Reject] = {}
    for index in order:
        column = columns[index]
        if column.type == pa.uint8() and not column.null_count:
            by_column[index] = _values(column, np.uint8)
            continue
        values, is_valid = _as_floats(column)
        is_pixel = is_valid & (values >= 0) & (values <= _MAX_PIXEL) & (values == np.floor(values))
        by_column[index] = np.where(is_pixel, values, 0).astype(np.uint8)
        for row in np.flatnonzero(~is_pixel).tolist():
            rejects.setdefault(row, _pixel_reject(row, names[index], column[row].as_py()))
    pixels = np.ascontiguousarray(by_column.T)
    pixels[list(rejects)] = 0
    return pixels, rejects


def _pixel_reject(row: int, name: str, value: float | None) -> Reject:
    if value is None or math.isnan(value):  # pandas writes NaN for a missing value
        return Reject(row, Reason.MISSING_VALUE, f"{name} is empty, expected 0-255", name)
    if math.isinf(value):
        return Reject(row, Reason.NOT_A_NUMBER, f"{name} is {value}, expected 0-255", name)
    if not 0 <= value <= _MAX_PIXEL:
        return Reject(row, Reason.OUT_OF_RANGE, f"{name} is {value}, expected 0-255", name)
    return Reject(row, Reason.NOT_AN_INTEGER, f"{name} is {value}, expected a whole number 0-255", name)


def _labels(column: pa.Array, name: str) -> tuple[Labels, dict[int, Reject]]:
    """int8 (n,), -1 where there is none, and by row what is wrong with labels outside 0-9."""
    values, is_valid = _as_floats(column)
    is_label = is_valid & (values >= 0) & (values < CLASSES) & (values == np.floor(values))
    labels: Labels = np.where(is_label, values, NO_LABEL).astype(np.int8)
    bad = np.flatnonzero(is_valid & ~is_label).tolist()
    return labels, {row: Reject(row, Reason.BAD_LABEL, f"{name} is {column[row]}, expected 0-9", name) for row in bad}


def _as_floats(column: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """A column's values, and where there is one: a null and NaN are none."""
    values = _values(column.cast(pa.float64(), safe=False), np.float64)
    is_valid = ~np.isnan(values)
    if column.null_count:
        bits = np.frombuffer(column.buffers()[0], np.uint8)
        is_valid &= np.unpackbits(bits, bitorder="little")[column.offset :][: len(column)].astype(np.bool_)
    return values, is_valid


def _values(column: pa.Array, dtype: type[Any]) -> npt.NDArray[Any]:
    """A column's memory as an array, undefined where null."""
    # pyarrow's to_numpy would import pandas wherever it is installed.
    return np.frombuffer(column.buffers()[1], dtype)[column.offset :][: len(column)]
