"""Labelled images in files of any readable layout, as training data.

Training data must be clean, so unlike the scorer this refuses the first record with anything wrong. Which files to
read is `origin`'s and `mnist`'s choice.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import NO_LABEL, PixelBatch, Reject
from job.errors import DataError
from job.read.idx import idx_source
from job.read.source import Source, files_at
from job.report.words import some
from job.settings import DEFAULT_PART_BYTES, ReadSettings
from job.storage import FileInfo, Storage, join
from job.train.data.split import FoundImages, Split, joined
from job.train.data.subsets import Subsets, look_by_subset

_READ_ROWS: Final = 1024
_MNIST_STEMS: Final = ("train", "t10k")
# Yann LeCun's names, and the ones that some unpackers make of them.
_IDX_NAMES: Final = tuple(f"{{}}-images{dot}idx3-ubyte{suffix}" for dot in "-." for suffix in ("", ".gz"))


def read_files(
    storage: Storage, locations: Sequence[str], read: ReadSettings, *, has_test: bool, origin: str = "files"
) -> FoundImages:
    """The images of files, folders and globs. MNIST's IDX files and what `subsets` knows bring their own test images.

    read: how the files are read; a column to keep tells the groups of images. has_test: whether to read such test
    images; otherwise they are an empty split. origin: as in `FoundImages`. Raises NoInput where there is no file;
    LayoutError; DataError where a record is not clean, a file has no labels, or there are no images.
    """
    # The card names the sources; from another folder, a relative path would lead to other data.
    paths = [storage.resolve(each) for each in locations]
    subsets = _mnist(storage, paths, read, has_test=has_test) or look_by_subset(
        storage, paths, files_at(storage, locations), read
    )
    where = some(paths)
    return FoundImages(
        some([PurePosixPath(each).name for each in paths]),
        tuple(paths),
        _read_all(storage, where, subsets.train),
        _read_all(storage, where, subsets.validation) if subsets.validation else None,
        None if subsets.test is None else _read_all(storage, where, subsets.test) if has_test else joined([]),
        origin,
    )


def _mnist(storage: Storage, paths: Sequence[str], read: ReadSettings, *, has_test: bool) -> Subsets | None:
    """MNIST's two files in the one folder that is named, whatever else is in it; None if they are not there."""
    train, test = idx_files(storage, paths[0]) if len(paths) == 1 else (None, None)
    if train is None or test is None:
        return None
    return Subsets([idx_source(storage, train, read)], test=[idx_source(storage, test, read)] if has_test else [])


def idx_files(storage: Storage, folder: str) -> tuple[FileInfo | None, FileInfo | None]:
    """MNIST's two files of images in a folder, training and test; None for one that is not there."""
    path = storage.resolve(folder)

    def find(stem: str) -> FileInfo | None:
        found = (storage.stat(join(path, name.format(stem))) for name in _IDX_NAMES)
        return next((file for file in found if file is not None), None)

    train, test = map(find, _MNIST_STEMS)
    return train, test


def _read_all(storage: Storage, location: str, sources: Sequence[Source]) -> Split:
    images = joined([split for each in sources for split in _read_file(storage, each)])
    if not len(images):
        raise DataError(f"{location}: holds no images; expected labelled images to train on")
    return images


def _read_file(storage: Storage, source: Source) -> list[Split]:
    path = source.file.path
    if not source.has_labels:
        raise DataError(
            f"{path}: has no labels, which are needed here: a column named `label`, 785 columns where there is no "
            "header, or for IDX and NumPy a file of labels beside the images"
        )
    splits: list[Split] = []
    rows = lines = 0
    for span in source.split(DEFAULT_PART_BYTES):
        for batch in source.read(storage, span, _READ_ROWS):
            splits.append(_checked(batch, rows, lines, path))
            rows += len(batch.pixels)
            lines += batch.lines
    return splits


def _checked(batch: PixelBatch, rows_before: int, lines_before: int, path: str) -> Split:
    """The batch as training images. Raises DataError if anything is wrong with any of its records."""
    if batch.rejects:
        raise DataError(_complaint(batch.rejects[0].shifted(rows_before, lines_before), path))
    if batch.labels is None or (batch.labels == NO_LABEL).any():
        row = 0 if batch.labels is None else int(np.argmax(batch.labels == NO_LABEL))
        raise DataError(f"{path} row {rows_before + row} (from 0): has no label; label it or remove it")
    return Split(batch.pixels, batch.labels, None if batch.passthrough is None else _groups(batch.passthrough))


def _groups(passthrough: pa.RecordBatch) -> npt.NDArray[np.str_]:
    """The one passthrough column as text; "" where it has no value."""
    return np.array(passthrough.column(0).cast(pa.string()).fill_null("").to_pylist(), np.str_)


def _complaint(reject: Reject, path: str) -> str:
    place = f"row {reject.row} (from 0)" if reject.line is None else f"line {reject.line} (row {reject.row} from 0)"
    return f"{path} {place}: {reject.detail} [{reject.reason}]; labelled images must be clean: correct it or remove it"
