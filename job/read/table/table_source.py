"""A table in groups of rows as a `Source`: its parts are runs of groups, and a run -> batches.

What Parquet and Arrow files have in common: `columns` chooses the columns; `window`, or `images`, turns pixels into
images; `labels` turns labels into digits. A format opens its files as an `OpenTable`.
"""

import functools
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, SIDE, PixelBatch, Pixels, Reject
from job.errors import DataError, LayoutError
from job.flag_names import Flag
from job.read.labels import read_labels
from job.read.layout.cell import is_image_cell
from job.read.layout.names import describe_columns
from job.read.pixels import detect_scale, inverted
from job.read.table.columns import Columns, choose_columns
from job.read.table.images import Images, numbers_in
from job.read.table.numbers import as_numbers
from job.read.table.window import OpenTable, Windows
from job.settings import MIB, LabelMap, PixelScale, ReadSettings
from job.storage import FileInfo, Storage

_log = logging.getLogger(__name__)

_PROBED_ROWS: Final = 1000
_PROBED_CELLS: Final = 20
_CENTRE: Final = PIXELS // 2 + SIDE // 2
# A list of text with fewer values is something else than an image with some pixels missing.
_MIN_LISTED: Final = 196

# How many rows to turn into images at once: as many as keep a column's numbers in the processor's cache.
_GRID_ROWS: Final = 4096

# How much of a column of images, and of the columns beside it, to decode at once.
_SLICE_BYTES: Final = 16 * MIB


@dataclass(frozen=True, slots=True)
class TableSource(ABC):
    """A table whose columns are known. A range is [first group, last group + 1).

    group_name: what the format calls a group. group_bytes, group_rows: the uncompressed size and the rows of each
    group, as the file announces them.
    """

    format: ClassVar[str]
    group_name: ClassVar[str]

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
        """Each range is as many groups as stay within `part_bytes`, and at least one."""
        ranges = []
        start = filled = 0
        for group, size in enumerate(self.group_bytes):
            if filled and filled + size > part_bytes:
                ranges.append((start, group))
                start, filled = group, 0
            filled += size
        return [*ranges, (start, len(self.group_bytes))]

    def rows_in(self, part_range: tuple[int, int]) -> int:
        return sum(self.group_rows[slice(*part_range)])

    @abstractmethod
    def opened(self, storage: Storage) -> AbstractContextManager[OpenTable]:
        """The file, opened; what Arrow raises meanwhile becomes DataError, InputChanged or StorageError."""

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The rows of a run of groups."""
        # Two readers, because one cannot be at two places of a group at the same time.
        with self.opened(storage) as table, self.opened(storage) as other:
            for group in range(*part_range):
                self._check_rows(group, table.rows(group))
                found = 0
                for pixels, rejects, beside in self._images(table, other, group, block_rows):
                    found += len(pixels)
                    labels = None
                    if self.columns.label is not None:
                        column = _label_column(beside, self.columns.label)
                        labels, bad = read_labels(column, self.columns.label, self.label_map)
                        rejects.update({row: reject for row, reject in bad.items() if row not in rejects})
                    passthrough = self.columns.passthrough_of(beside, self.file.path)
                    blocks = self._blocks(PixelBatch(pixels, labels, passthrough=passthrough), rejects, block_rows)
                    yield from map(inverted, blocks) if self.columns.is_inverted else blocks
                self._check_rows(group, found)

    def _check_rows(self, group: int, found: int) -> None:
        announced = self.group_rows[group]
        if found != announced:
            raise DataError(
                f"{self.file.path}: {self.group_name} {group} has {found} rows, but the file announces {announced}"
            )

    def _images(
        self, table: OpenTable, other: OpenTable, group: int, block_rows: int
    ) -> Iterator[tuple[Pixels, dict[int, Reject], pa.RecordBatch]]:
        """A group in runs of rows: (images, rejects by row, the other columns)."""
        columns = self.columns
        if not columns.is_image:
            step = max(1, _GRID_ROWS // block_rows) * block_rows
            windows, start = Windows(other, group, columns, self.pixel_scale, step), 0
            for beside in table.batches(group, columns.names_beside_pixels, step):
                yield *windows.rows(start, start + len(beside)), beside
                start += len(beside)
            return
        # Decoded lists and byte strings take several times the size of their pixels.
        rows = max(1, min(Images.best_rows, _SLICE_BYTES // columns.row_bytes))
        for records in table.batches(group, columns.reader_names, rows):
            column = records.column(columns.pixels[0])
            images = Images(
                column,
                columns.pixels[0],
                self.pixel_scale,
                is_transposed=columns.is_transposed,
                is_inverted=columns.is_inverted,
            )
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


def settle(table: OpenTable, schema: pa.Schema, settings: ReadSettings, where: str) -> tuple[Columns, PixelScale]:
    """Which columns a table has, and their scale. Raises LayoutError.

    Reads the first rows where the types leave something open: text, and the scale where the user did not state it.
    """

    def looks_like_images(name: str) -> bool:
        first = next(_first_batches(table, [name], _PROBED_CELLS), None)
        cells = [] if first is None else [cell for cell in first.column(0).to_pylist() if cell]
        found = [len(cell) >= _MIN_LISTED if isinstance(cell, list) else is_image_cell(cell) for cell in cells]
        return 2 * sum(found) > len(found)

    try:
        columns = _columns_of(_SchemaKey(schema), settings)
    except LayoutError:
        columns = choose_columns(schema, settings, where, looks_like_images)
    return columns, _scale(table, columns, settings, where)


class _SchemaKey:
    """A schema as the key of a cache: files of one folder mostly have the same."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SchemaKey) and bool(self.schema.equals(other.schema))

    def __hash__(self) -> int:
        return len(self.schema)


@functools.lru_cache(maxsize=4)
def _columns_of(key: _SchemaKey, settings: ReadSettings) -> Columns:
    """As `choose_columns`, for files that need not be looked into; they share the names of their columns in memory."""
    return choose_columns(key.schema, settings, "", lambda _: False)


def _scale(table: OpenTable, columns: Columns, settings: ReadSettings, where: str) -> PixelScale:
    if columns.is_boolean:
        if settings.scale == "255":
            raise LayoutError(f"{where}: its pixels are booleans, so true is full ink; leave {Flag.SCALE} 255 out")
        return "1"
    if settings.scale != "auto":
        return settings.scale
    scale = detect_scale(_first_numbers(table, columns), where)
    if scale == "1":
        _log.info("%s: pixels are fractions; using the scale 0-1 (%s 1)", where, Flag.SCALE)
    return scale


def _first_numbers(table: OpenTable, columns: Columns) -> Iterator[npt.NDArray[Any]]:
    """The pixels of the first rows as they are stored, (n,) each, without nulls."""
    if columns.is_image:
        for records in _first_batches(table, columns.reader_names, _PROBED_ROWS):
            yield numbers_in(records.column(columns.pixels[0]), is_image=True)
        return
    # From the centre of the images, where there is ink, so that a few columns usually settle the scale.
    outwards = sorted(range(PIXELS), key=lambda pixel: abs(pixel - _CENTRE))
    # The first one alone: a page of each column is decoded, and takes up to a megabyte.
    starts = [0, *range(1, PIXELS, SIDE), PIXELS]
    for start, stop in itertools.pairwise(starts):
        names = [columns.pixels[pixel] for pixel in outwards[start:stop]]
        for records in _first_batches(table, names, _PROBED_ROWS):
            yield from (numbers_in(column, is_image=False) for column in records.columns)


def _first_batches(table: OpenTable, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """The first rows of a table as one batch; none if it is empty."""
    for group in range(table.group_count):
        for records in table.batches(group, names, rows):
            yield records
            return


def _label_column(records: pa.RecordBatch, name: str) -> pa.Array:
    """The labels, of a type that `read_labels` takes."""
    column = records.column(name)
    return as_numbers(column) if pa.types.is_decimal(column.type) else column
