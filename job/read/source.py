"""Input locations -> sources: which files they name, and which reader each file is for.

    locations --files_at--> files --look--> sources --Source.read--> PixelBatch

`Source` is the interface of the readers; `csv.csv_source`, `parquet.parquet_source`, `arrow_files.arrow_source`, `idx`
and `numpy_files.numpy_source` implement it. `recognise` tells formats apart, `partition` adds labels of folders.
"""

import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final, Protocol

import pyarrow as pa

from job.contract import PixelBatch
from job.errors import DataError, LayoutError, NoInput
from job.read.arrow_files.arrow_source import arrow_source
from job.read.csv.csv_source import csv_source
from job.read.idx import idx_source
from job.read.numpy_files.array_headers import is_array_archive
from job.read.numpy_files.arrays import Subset
from job.read.numpy_files.numpy_source import is_label_file, numpy_source
from job.read.packed.compression import COMPRESSED_SUFFIXES, Compression
from job.read.packed.stream import opened
from job.read.packed.zip_archive import member_names
from job.read.parquet.parquet_source import parquet_source
from job.read.partition import with_folder_label
from job.read.pictures import PICTURE_SUFFIXES
from job.read.recognise import HEAD_BYTES, FileKind, file_kind
from job.settings import PixelScale, ReadSettings
from job.storage import FileInfo, Storage, check_unchanged, is_within, join, unquoted

_log = logging.getLogger(__name__)

# Loading the compiled CSV scanner takes about as long as the slow parser takes for this much.
_COMPILED_PAYS_FROM_BYTES: Final = 32 << 20
_COMPRESSION_RATIO: Final = 6
_DATA_SUFFIXES: Final = (
    ".csv", ".tsv", ".arff", ".parquet", ".pq", ".parq", ".arrow", ".arrows", ".feather", ".ipc", "ubyte", ".idx",
    ".npy", ".npz",
)  # fmt: skip
# The folder of the log, by the software that writes it.
_TABLES_WITH_LOG: Final = {"_delta_log": "a Delta Lake table", ".hoodie": "a Hudi table"}
# What Hugging Face's `save_to_disk` writes beside the data.
_DATASET_NAMES: Final = ("state.json", "dataset_info.json", "dataset_dict.json")


class Source(Protocol):
    """A file of digits whose layout is known. Immutable, and usable from several threads at once.

    A range of a source is a pair of integers [start, stop), in a unit of the format: bytes of CSV, row groups of
    Parquet, record batches of Arrow, images of IDX and NumPy.
    """

    @property
    def file(self) -> FileInfo:
        """The file as it was when the source was made."""
        ...

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """All files that the records come from: `file`, and for IDX and NumPy that of the labels."""
        ...

    @property
    def format(self) -> str:
        """`csv`, `parquet`, `arrow`, `idx` or `numpy`."""
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

    def rows_in(self, part_range: tuple[int, int]) -> int | None:
        """How many records a range has; None if only reading it tells (CSV)."""
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
    real_paths: dict[str, str] = {}
    for location in locations:
        files = storage.find(location)
        folder = storage.resolve(location)
        is_folder = storage.is_folder(folder)
        if is_folder:
            _check_plain(storage, folder, location)
        taken = [file for file in files if not is_folder or _has_data_name(file)]
        others = [file.name for file in files if is_folder and not _has_data_name(file)]
        skipped = [name for name in others if name not in _DATASET_NAMES]
        if not taken:
            raise _no_data(location, skipped)
        if skipped:
            _log.warning("%s: skipped %d files that are not data: %s", location, len(skipped), skipped[:5])
        above = storage.real_path(folder_named(folder, is_folder=is_folder))
        for file in taken:
            real_paths.setdefault(file.path, storage.real_path(file.path))
            is_elsewhere = file.path != folder and not is_within(real_paths[file.path], above)
            if file.path not in found or not is_elsewhere:
                found[file.path] = replace(file, is_elsewhere=is_elsewhere)
    return _without_other_names([found[path] for path in sorted(found)], real_paths)


def folder_named(path: str, *, is_folder: bool) -> str:
    """The folder that a location names: itself, or what precedes the first wildcard of a pattern."""
    return path if is_folder else re.split(r"/[^/]*[*?\[]", path, maxsplit=1)[0] or "/"


def _without_other_names(files: Sequence[FileInfo], real_paths: Mapping[str, str]) -> list[FileInfo]:
    """The files, each under one name only. real_paths: of the files, by path."""
    taken: dict[str, FileInfo] = {}
    for file in sorted(files, key=lambda file: (file.path != real_paths[file.path], file.path)):
        first = taken.setdefault(real_paths[file.path], file)
        if first is not file:
            _log.info("%s: is the same file as %s; it is read once", file.path, first.path)
    return sorted(taken.values(), key=lambda file: file.path)


def _check_plain(storage: Storage, folder: str, location: str) -> None:
    """Raise LayoutError for a table whose folder also holds files that were deleted or replaced."""
    names = storage.list(folder)
    what = next((what for name, what in _TABLES_WITH_LOG.items() if name in names), None)
    if "metadata" in names and any(each.endswith(".metadata.json") for each in storage.list(join(folder, "metadata"))):
        what = "an Iceberg table"
    if what is not None:
        raise LayoutError(
            f"{location}: is {what}, whose log says which of its files count; read it with its own software, and write "
            "it as plain Parquet"
        )


def _no_data(location: str, names: Sequence[str]) -> NoInput | LayoutError:
    """Why a folder of files with such names has nothing to read."""
    pictures = [name for name in names if name.lower().endswith(PICTURE_SUFFIXES)]
    if not pictures:
        return NoInput(f"{location}: holds no CSV, Parquet, Arrow, IDX or NumPy file")
    return LayoutError(
        f"{location}: is a folder of {len(pictures)} pictures ({pictures[0]}, ..), which are not read; write their "
        "pixels to one file, such as an array of n x 28 x 28 with numpy.save"
    )


def look(storage: Storage, files: Sequence[FileInfo], settings: ReadSettings, subset: Subset = "test") -> list[Source]:
    """Recognise each file's format by its content and settle its layout, before any work; in the order of `files`.

    Files of labels become no source of their own, but belong to their images. subset: what to read of an archive that
    holds several. Raises LayoutError, DataError, StorageError.
    """
    kinds = {file.path: _kind(storage, file) for file in files}
    expected_bytes = sum(file.size * (_COMPRESSION_RATIO if kinds[file.path][1] else 1) for file in files)
    is_compiled = expected_bytes >= _COMPILED_PAYS_FROM_BYTES
    sources: list[Source] = []
    labels: list[FileInfo] = []
    for file in files:
        storage.check_stop()
        kind, is_packed = kinds[file.path]
        with _rechecked(storage, file):
            if _holds_labels(storage, file, kind):
                labels.append(file)
                continue
            if is_packed and kind in _UNPACKED_ONLY:
                raise LayoutError(
                    f"{file.path}: is a compressed {_UNPACKED_ONLY[kind]} file; only CSV, IDX and NumPy's files may be "
                    "compressed; unpack it"
                )
            opener = _opener(storage, file, kind, subset, is_compiled=is_compiled)
            sources.append(with_folder_label(opener, file, settings))
    if not sources:
        raise DataError(f"{files[0].path}: holds labels only; name the file of images, and keep the labels beside it")
    taken = {each.path for source in sources for each in source.files}
    for file in labels:
        if file.path not in taken and not settings.is_label_ignored:
            _log.warning("%s: skipped: it holds labels, but there are no images to go with them", file.path)
    return sources


_UNPACKED_ONLY: Final = {FileKind.PARQUET: "Parquet", FileKind.ARROW_FILE: "Arrow", FileKind.ARROW_STREAM: "Arrow"}


def _opener(
    storage: Storage, file: FileInfo, kind: FileKind, subset: Subset, *, is_compiled: bool
) -> Callable[[ReadSettings], Source]:
    """What makes a source of a file."""
    match kind:
        case FileKind.PARQUET:
            return functools.partial(parquet_source, storage, file)
        case FileKind.ARROW_FILE | FileKind.ARROW_STREAM:
            return functools.partial(arrow_source, storage, file)
        case FileKind.IDX_IMAGES:
            return functools.partial(idx_source, storage, file)
        case FileKind.NPY | FileKind.NPZ:
            return functools.partial(numpy_source, storage, file, wanted=subset)
        case _:
            return functools.partial(csv_source, storage, file, is_compiled=is_compiled)


def _holds_labels(storage: Storage, file: FileInfo, kind: FileKind) -> bool:
    """Whether a file holds labels only, which belong to the images in another file."""
    if kind in {FileKind.NPY, FileKind.NPZ}:
        return is_label_file(storage, file)
    return kind is FileKind.IDX_LABELS


@contextmanager
def _rechecked(storage: Storage, file: FileInfo) -> Iterator[None]:
    """Raise InputChanged instead of DataError for a file that is still being written, which only looks damaged."""
    try:
        with unquoted(file):
            yield
    except DataError:
        check_unchanged(storage, file)
        raise


def _kind(storage: Storage, file: FileInfo) -> tuple[FileKind, bool]:
    """What a file is by its first bytes, unpacked, and whether it is compressed."""
    with _rechecked(storage, file), opened(storage, file) as content:
        if content.compression is Compression.ZIP and is_array_archive(member_names(content.raw)):
            return FileKind.NPZ, False
        return file_kind(content.stream.read(HEAD_BYTES), file.path), content.compression is not Compression.NONE


def _has_data_name(file: FileInfo) -> bool:
    name = PurePosixPath(file.name.lower())
    stem = name.stem if name.suffix in COMPRESSED_SUFFIXES else name.name
    return stem.endswith(_DATA_SUFFIXES)
