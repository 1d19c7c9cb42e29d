"""Input locations -> sources: which files they name, and which reader each file is for.

    locations --files_at--> files --look--> sources --Source.read--> PixelBatch

`Source` is the interface of the readers; `csv.csv_source`, `parquet.parquet_source`, `arrow_files.arrow_source`, `idx`,
`numpy_files.numpy_source` and `picture_folder` implement it. `recognise` tells formats apart, `partition` adds labels
of folders.
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
from job.read.picture_folder import PictureFolder, picture_folder
from job.read.pictures.kinds import LEFT_BY_WINDOWS, has_picture_name
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
# Of the results of a run: a document, and the folder beside it that may hold pictures.
_MANIFEST: Final = "manifest.json"
_DRAWN: Final = "review"
# What Hugging Face's `save_to_disk` writes beside the data, and Windows beside pictures.
_NOT_WORTH_NAMING: Final = ("state.json", "dataset_info.json", "dataset_dict.json", *LEFT_BY_WINDOWS)


class Source(Protocol):
    """A file of digits whose layout is known. Immutable, and usable from several threads at once.

    A range of a source is a pair of integers [start, stop), in a unit of the format: bytes of CSV, row groups of
    Parquet, record batches of Arrow, images of IDX and NumPy, pictures of a folder.
    """

    @property
    def file(self) -> FileInfo:
        """The file as it was when the source was made."""
        ...

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """What the records come from: `file`, which is a folder of pictures as a whole; also an IDX file's labels."""
        ...

    @property
    def format(self) -> str:
        """`csv`, `parquet`, `arrow`, `idx`, `numpy` or `pictures`."""
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


def files_at(
    storage: Storage, locations: Sequence[str], is_own: Callable[[str], bool] = lambda _path: False
) -> list[FileInfo]:
    """The files of data or pictures that locations name, each once, sorted by path. Raises NoInput, StorageError.

    A file with several names, because of links, is taken once, under its own name where that is among them. A file that
    is named or matched by a pattern is always taken; of a folder, those with a data file's name or, where there are
    none, the pictures; the others are skipped with a warning. is_own: whether a path is a result of the run itself,
    which is returned, and does not count as data.
    """

    def chosen(location: str, files: Sequence[FileInfo]) -> Sequence[FileInfo]:
        own = [file for file in files if is_own(file.path)]
        if own and len(own) == len(files):
            return own
        paths = {file.path for file in own}
        return [*own, *_chosen(location, [file for file in files if file.path not in paths])]

    return _files_at(storage, locations, chosen)


def pictures_at(storage: Storage, locations: Sequence[str]) -> list[FileInfo]:
    """The same, but of folders only the pictures, whatever else is in them. Raises NoInput, StorageError."""

    def chosen(location: str, files: Sequence[FileInfo]) -> Sequence[FileInfo]:
        pictures = _pictures(files)
        if not pictures:
            raise NoInput(f"{location}: holds no picture")
        return pictures

    return _files_at(storage, locations, chosen)


def _files_at(
    storage: Storage,
    locations: Sequence[str],
    chosen: Callable[[str, Sequence[FileInfo]], Sequence[FileInfo]],
) -> list[FileInfo]:
    """chosen: those of the files in a folder at a location that are read."""
    found: dict[str, FileInfo] = {}
    real_paths: dict[str, str] = {}
    for location in locations:
        files = storage.find(location)
        folder = storage.resolve(location)
        is_folder = storage.is_folder(folder)
        if is_folder:
            _check_plain(storage, folder, location)
        taken = chosen(location, files) if is_folder else files
        root = folder_named(folder, is_folder=is_folder)
        above = storage.real_path(root)
        for file in taken:
            real_paths.setdefault(file.path, storage.real_path(file.path))
            is_elsewhere = file.path != folder and not is_within(real_paths[file.path], above)
            first = found.get(file.path)
            # Of pictures that several locations name, the outermost folder is the input.
            roots = [root, *([first.found_in] if first else [])]
            if first is None or not is_elsewhere:
                first = replace(file, is_elsewhere=is_elsewhere)
            found[file.path] = replace(first, found_in=min(roots, key=len))
    return _without_other_names([found[path] for path in sorted(found)], real_paths)


def _chosen(location: str, files: Sequence[FileInfo]) -> Sequence[FileInfo]:
    """Of the files below a folder those to read: data files or, where there are none, pictures. Raises NoInput."""
    data = [file for file in files if _has_data_name(file)]
    pictures = _pictures(files)
    taken = data or pictures
    if not taken:
        raise NoInput(f"{location}: holds neither a CSV, Parquet, Arrow, IDX or NumPy file nor a picture")
    kept = {file.path for file in taken}
    skipped = [file.name for file in files if file.path not in kept and file.name.lower() not in _NOT_WORTH_NAMING]
    if skipped:
        _log.warning("%s: skipped %d files that are not data: %s", location, len(skipped), skipped[:5])
    if data and pictures:
        _log.warning(
            "%s: skipped %d pictures, because there are data files; name them with a pattern such as '%s/**/*.png'",
            location,
            len(pictures),
            location.rstrip("/"),
        )
    return taken


def _pictures(files: Sequence[FileInfo]) -> list[FileInfo]:
    """The pictures of some files, but for those that runs have drawn into their results."""
    drawn = [join(str(PurePosixPath(file.path).parent), _DRAWN, "") for file in files if file.name == _MANIFEST]
    return [file for file in files if has_picture_name(file.name) and not file.path.startswith(tuple(drawn))]


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


def look(storage: Storage, files: Sequence[FileInfo], settings: ReadSettings, subset: Subset = "test") -> list[Source]:
    """Recognise each file's format by its content and settle its layout, before any work; in the order of `files`.

    Files of labels become no source of their own, but belong to their images; the pictures found at a location are one
    source. subset: what to read of an archive that holds several. Raises LayoutError, DataError, StorageError.
    """
    kinds = {file.path: _kind(storage, file) for file in files if not has_picture_name(file.name)}
    pictures = [file for file in files if kinds.get(file.path, _PICTURE) == _PICTURE]
    data = [file for file in files if kinds.get(file.path, _PICTURE) != _PICTURE]
    expected_bytes = sum(file.size * (_COMPRESSION_RATIO if kinds[file.path][1] else 1) for file in data)
    is_compiled = expected_bytes >= _COMPILED_PAYS_FROM_BYTES
    sources: list[Source] = [*_picture_folders(storage, pictures, settings)]
    labels: list[FileInfo] = []
    for file in data:
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
    return sorted(sources, key=lambda each: each.file.path)


_PICTURE: Final = (FileKind.PICTURE, False)
_UNPACKED_ONLY: Final = {
    FileKind.PARQUET: "Parquet",
    FileKind.ARROW_FILE: "Arrow",
    FileKind.ARROW_STREAM: "Arrow",
    FileKind.PICTURE: "picture",
}


def _picture_folders(storage: Storage, pictures: Sequence[FileInfo], settings: ReadSettings) -> Iterator[PictureFolder]:
    """One source for the pictures of each location."""
    by_root: dict[str, list[FileInfo]] = {}
    for picture in pictures:
        by_root.setdefault(picture.found_in or picture.path, []).append(picture)
    for root, found in by_root.items():
        yield picture_folder(storage, root, found, settings)


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
