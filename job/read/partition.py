"""Folders partitioned as Hive and Spark write them, `label=3/part-0.parquet`: the label is in the path.

`source` wraps what a format's reader returns in a `PartitionedSource`; a label in the file itself goes first.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from job.contract import CLASSES, PixelBatch
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.labels import read_labels
from job.read.layout.names import LABEL_NAMES
from job.read.layout.values import parse_number
from job.settings import LabelMap, PixelScale, ReadSettings
from job.storage import FileInfo, Storage

if TYPE_CHECKING:
    from job.read.source import Source

_log = logging.getLogger(__name__)

# What Hive writes for a missing value.
_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class PartitionedSource:
    """A source without labels, all of whose records have the label of a folder `name=value`. value: None if missing."""

    inner: "Source"
    name: str
    value: str | None
    label_map: LabelMap | None = None

    @property
    def file(self) -> FileInfo:
        return self.inner.file

    @property
    def files(self) -> tuple[FileInfo, ...]:
        return self.inner.files

    @property
    def format(self) -> str:
        return self.inner.format

    @property
    def rows(self) -> int | None:
        return self.inner.rows

    @property
    def pixel_scale(self) -> PixelScale:
        return self.inner.pixel_scale

    @property
    def has_labels(self) -> bool:
        """Always true."""
        return True

    @property
    def passthrough_schema(self) -> pa.Schema:
        return self.inner.passthrough_schema

    def describe_columns(self) -> str:
        return f"{self.inner.describe_columns()} + label (of the folder {self.name}={self.value or _NO_VALUE})"

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        return self.inner.split(part_bytes)

    def rows_in(self, part_range: tuple[int, int]) -> int | None:
        return self.inner.rows_in(part_range)

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The records of the file, with the folder's label, or its reject, for each."""
        digit, bad = read_labels(pa.array([self.value], pa.string()), self.name, self.label_map)
        for batch in self.inner.read(storage, part_range, block_rows):
            rows = len(batch.pixels)
            rejects = {row: replace(bad[0], row=row) for row in range(rows if bad else 0)}
            rejects |= {reject.row: reject for reject in batch.rejects}
            found = tuple(reject for _, reject in sorted(rejects.items()))
            yield replace(batch, labels=np.repeat(digit, rows), rejects=found)


def with_folder_label(
    open_source: Callable[[ReadSettings], "Source"], file: FileInfo, settings: ReadSettings
) -> "Source":
    """What `open_source` makes of a file, with the label of its folder where the file has none.

    A folder is the label if the user names it, or if it is called like a label and its value is one. Raises LayoutError
    where several folders could be the label, and what `open_source` raises.
    """
    values = {} if settings.is_label_ignored else _folder_values(file)
    if settings.label_column in values:
        inner = open_source(replace(settings, label_column=None, label_map=None, is_label_ignored=True))
        return _partitioned(inner, str(settings.label_column), values, settings)
    source = open_source(settings)
    if source.has_labels or settings.label_column is not None:
        return source
    named = [name for name in values if name.lower() in LABEL_NAMES]
    found = [name for name in named if _may_be_label(values[name], settings)]
    if len(found) > 1:
        raise LayoutError(
            f"{file.path}: its folders {' and '.join(f'{name}={values[name]}' for name in found)} could each be the "
            f"label; say which with {Flag.LABEL_COLUMN} NAME or {Flag.NO_LABEL}"
        )
    for name in named:
        if name not in found:
            _log.info("%s: the folder %s=%s is no label: expected 0-9", file.path, name, values[name])
    return _partitioned(source, found[0], values, settings) if found else source


def _folder_values(file: FileInfo) -> dict[str, str]:
    """The names and values of the folders above a file that are called `name=value`; "" for a missing value."""
    pairs = [folder.partition("=") for folder in PurePosixPath(file.path).parent.parts]
    values = {unquote(name): unquote(value) for name, equals, value in pairs if equals and name}
    return {name: "" if value == _NO_VALUE else value for name, value in values.items()}


def _may_be_label(value: str, settings: ReadSettings) -> bool:
    """Whether a value is a label, missing, or 10, which stands for 0 or for 9 where labels count from 1."""
    _, bad = read_labels(pa.array([value]), "", settings.label_map)
    return not bad or parse_number(value) == CLASSES


def _partitioned(inner: "Source", name: str, values: dict[str, str], settings: ReadSettings) -> PartitionedSource:
    return PartitionedSource(inner, name, values[name] or None, settings.label_map)
