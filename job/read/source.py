"""One input file, whatever its format: the readers' common face, and which of them a file is for.

locations --files_at--> files --look--> sources --read--> PixelBatch
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
from job.settings import ReadSettings
from job.storage import FileInfo, Storage, check_unchanged

_log = logging.getLogger(__name__)

# Importing and loading the compiled CSV scanner takes about as long as parsing this much without it.
_COMPILED_PAYS_FROM_BYTES: Final = 32 << 20
_PACKED_RATIO: Final = 6
_DATA_SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".pq", ".parq", "ubyte", ".idx")


class Source(Protocol):
    """A file of digits whose layout is known."""

    @property
    def file(self) -> FileInfo:
        """The file as it was when it was looked at."""
        ...

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """All files that the records come from: this one and, for IDX, that of the labels."""
        ...

    @property
    def format(self) -> str:
        """`csv`, `parquet` or `idx`."""
        ...

    @property
    def rows(self) -> int | None:
        """How many records the file announces; None where only reading it tells."""
        ...

    @property
    def scale(self) -> str:
        """What full ink is stored as: `255` or `1`."""
        ...

    @property
    def columns_in_words(self) -> str:
        """Which columns are the pixels, the label, and passed over."""
        ...

    @property
    def has_labels(self) -> bool:
        """Whether the rows carry labels."""
        ...

    @property
    def kept_schema(self) -> pa.Schema:
        """The columns that are carried through to the predictions, in order; empty if there are none."""
        ...

    def spans(self, part_bytes: int) -> list[tuple[int, int]]:
        """The file cut into ranges of about `part_bytes`, in order and without gap; at least one."""
        ...

    def read(self, storage: Storage, span: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The rows of one range, in order, at most `block_rows` at a time.

        Calls `storage.check_stop` at least a few times a second, also where no batch comes out for long.
        """
        ...


def files_at(storage: Storage, locations: Sequence[str]) -> list[FileInfo]:
    """The data files that some locations name, each once, sorted by path. Raises NoInput.

    A file named outright, or matched by a pattern, is always taken; in a folder, those with a data file's name.
    """
    found: dict[str, FileInfo] = {}
    for location in locations:
        files = storage.find(location)
        is_folder = storage.is_folder(storage.resolve(location))
        taken = [file for file in files if not is_folder or _looks_like_data(file)]
        passed_over = [file.name for file in files if is_folder and not _looks_like_data(file)]
        if passed_over:
            _log.warning("%s: passed over %d files that are not data: %s", location, len(passed_over), passed_over[:5])
        if not taken:
            raise NoInput(f"{location}: holds no CSV, Parquet or IDX file")
        found.update({file.path: file for file in taken})
    return [found[path] for path in sorted(found)]


def look(storage: Storage, files: Sequence[FileInfo], settings: ReadSettings) -> list[Source]:
    """Recognise files by content and settle each one's layout, before any work. Raises LayoutError, DataError.

    Files of IDX labels are no input of their own: they go with their images.
    """
    heads = {file.path: _head(storage, file) for file in files}
    expected_bytes = sum(file.size * (_PACKED_RATIO if heads[file.path][1] else 1) for file in files)
    is_compiled = expected_bytes >= _COMPILED_PAYS_FROM_BYTES
    sources: list[Source] = []
    labels: list[FileInfo] = []
    for file in files:
        storage.check_stop()
        head, is_packed = heads[file.path]
        if head.startswith(LABELS_MAGIC):
            labels.append(file)
            continue
        with _meant_as_it_is(storage, file):
            if head.startswith(PARQUET_MAGIC):
                if is_packed:
                    raise LayoutError(
                        f"{file.path}: is a packed Parquet file, which only text and IDX may be; unpack it"
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
            _log.warning("%s: passed over: it holds labels, but there are no images to go with them", file.path)
    return sources


@contextmanager
def _meant_as_it_is(storage: Storage, file: FileInfo) -> Iterator[None]:
    """A file that is being written or copied still looks damaged, and is not: InputChanged instead of DataError."""
    try:
        yield
    except DataError:
        check_unchanged(storage, file)
        raise


def _head(storage: Storage, file: FileInfo) -> tuple[bytes, bool]:
    """A file's first four bytes, unpacked, and whether it is compressed."""
    with _meant_as_it_is(storage, file), opened(storage, file) as content:
        return content.stream.read(4), content.compression is not Compression.NONE


def _looks_like_data(file: FileInfo) -> bool:
    name = PurePosixPath(file.name.lower())
    stem = name.stem if name.suffix in COMPRESSED_SUFFIXES else name.name
    return stem.endswith(_DATA_SUFFIXES)
