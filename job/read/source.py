"""Input locations -> sources: which files they name, and which reader each file is for.

    locations --files_at--> files --look--> sources --Source.read--> PixelBatch

`Source` is the interface of the readers; `csv.csv_source`, `parquet.parquet_source` and `idx` implement it.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Final, Protocol

import pyarrow as pa

from job.contract import PixelBatch
from job.errors import DataError, LayoutError, NoInput
from job.read.csv.csv_source import csv_source
from job.read.idx import IMAGES_MAGIC, LABELS_MAGIC, IdxSource, idx_source
from job.read.packed.compression import COMPRESSED_SUFFIXES, Compression
from job.read.packed.stream import opened
from job.read.parquet.parquet_source import MAGIC as PARQUET_MAGIC
from job.read.parquet.parquet_source import parquet_source
from job.settings import PixelScale, ReadSettings
from job.storage import FileInfo, Storage, check_unchanged

_log = logging.getLogger(__name__)

# Loading the compiled CSV scanner takes about as long as the slow parser takes for this much.
_COMPILED_PAYS_FROM_BYTES: Final = 32 << 20
_COMPRESSION_RATIO: Final = 6
_DATA_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".pq", ".parq", "ubyte", ".idx")
_MAGIC_BYTES: Final = 4


class Source(Protocol):
    """A file of digits whose layout is known. Immutable, and usable from several threads at once.

    A range of a source is a pair of integers [start, stop), in a unit of the format: bytes of CSV, row groups of
    Parquet, images of IDX.
    """

    @property
    def file(self) -> FileInfo:
        """The file as it was when the source was made."""
        ...

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """All files that the records come from: `file`, and for IDX that of the labels."""
        ...

    @property
    def format(self) -> str:
        """`csv`, `parquet` or `idx`."""
        ...

    @property
    def rows(self) -> int | None:
        """How many records the file announces; None if only reading it tells (CSV)."""
        ...

    @property
    def pixel_scale(self) -> PixelScale:
        """The stored value of a fully inked pixel, as the user said or as the first records show."""
        ...

    @property
    def has_labels(self) -> bool:
        """Whether batches have labels, though perhaps not one for each record."""
        ...

    @property
    def passthrough_schema(self) -> pa.Schema:
        """The passthrough columns in the user's order; empty if there are none."""
        ...

    def describe_columns(self) -> str:
        """One line that says which columns are the pixels, which the label, and which are skipped."""
        ...

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """At least one range of about `part_bytes` bytes each, in order and without gaps, which cover the file.

        Depends on nothing but the source and `part_bytes`.
        """
        ...

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The records of one range, in the file's order, in batches of 1 to `block_rows`; perhaps none.

        Row and line numbers of rejects count from the start of their batch. A record that cannot be scored is a row of
        zeros with a reject. Calls `storage.check_stop` at least a few times a second, also while no batch comes out.
        Raises DataError if the file is damaged, InputChanged if it was replaced, StorageError if it cannot be read.
        """
        ...


def files_at(storage: Storage, locations: Sequence[str]) -> list[FileInfo]:
    """The data files that locations name, each once, sorted by path. Raises NoInput, StorageError.

    A file with several names, because of links, is taken once, under its own name where that is among them. A file that
    is named or matched by a pattern is always taken; of a folder, those with a data file's name, and the others are
    skipped with a warning.
    """
    found: dict[str, FileInfo] = {}
    for location in locations:
        files = storage.find(location)
        is_folder = storage.is_folder(storage.resolve(location))
        taken = [file for file in files if not is_folder or _has_data_name(file)]
        skipped = [file.name for file in files if is_folder and not _has_data_name(file)]
        if skipped:
            _log.warning("%s: skipped %d files that are not data: %s", location, len(skipped), skipped[:5])
        if not taken:
            raise NoInput(f"{location}: holds no CSV, Parquet or IDX file")
        found.update({file.path: file for file in taken})
    return _without_other_names(storage, [found[path] for path in sorted(found)])


def _without_other_names(storage: Storage, files: Sequence[FileInfo]) -> list[FileInfo]:
    """The files, each under one name only."""
    real_paths = {file.path: storage.real_path(file.path) for file in files}
    taken: dict[str, FileInfo] = {}
    for file in sorted(files, key=lambda file: (file.path != real_paths[file.path], file.path)):
        first = taken.setdefault(real_paths[file.path], file)
        if first is not file:
            _log.info("%s: is the same file as %s; it is read once", file.path, first.path)
    return sorted(taken.values(), key=lambda file: file.path)


def look(storage: Storage, files: Sequence[FileInfo], settings: ReadSettings) -> list[Source]:
    """Recognise each file's format by its content and settle its layout, before any work; in the order of `files`.

    Files of IDX labels become no source of their own, but belong to their images. Raises LayoutError, DataError,
    StorageError.
    """
    heads = {file.path: _head(storage, file) for file in files}
    expected_bytes = sum(file.size * (_COMPRESSION_RATIO if heads[file.path][1] else 1) for file in files)
    is_compiled = expected_bytes >= _COMPILED_PAYS_FROM_BYTES
    sources: list[Source] = []
    labels: list[FileInfo] = []
    for file in files:
        storage.check_stop()
        head, is_packed = heads[file.path]
        if head.startswith(LABELS_MAGIC):
            labels.append(file)
            continue
        with _rechecked(storage, file):
            if head.startswith(PARQUET_MAGIC):
                if is_packed:
                    raise LayoutError(
                        f"{file.path}: is a compressed Parquet file; only CSV and IDX may be compressed; unpack it"
                    )
                sources.append(parquet_source(storage, file, settings))
            elif head.startswith(IMAGES_MAGIC):
                sources.append(idx_source(storage, file, settings))
            else:
                sources.append(csv_source(storage, file, settings, is_compiled=is_compiled))
    if not sources:
        raise DataError(
            f"{files[0].path}: holds IDX labels only; name the file of images, and keep the labels beside it"
        )
    taken = {source.labels.path for source in sources if isinstance(source, IdxSource) and source.labels}
    for file in labels:
        if file.path not in taken and not settings.is_label_ignored:
            _log.warning("%s: skipped: it holds labels, but there are no images to go with them", file.path)
    return sources


@contextmanager
def _rechecked(storage: Storage, file: FileInfo) -> Iterator[None]:
    """Raise InputChanged instead of DataError for a file that is still being written, which only looks damaged."""
    try:
        yield
    except DataError:
        check_unchanged(storage, file)
        raise


def _head(storage: Storage, file: FileInfo) -> tuple[bytes, bool]:
    """A file's first bytes, unpacked, and whether it is compressed."""
    with _rechecked(storage, file), opened(storage, file) as content:
        return content.stream.read(_MAGIC_BYTES), content.compression is not Compression.NONE


def _has_data_name(file: FileInfo) -> bool:
    name = PurePosixPath(file.name.lower())
    stem = name.stem if name.suffix in COMPRESSED_SUFFIXES else name.name
    return stem.endswith(_DATA_SUFFIXES)
