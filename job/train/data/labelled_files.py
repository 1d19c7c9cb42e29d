"""Labelled images in files of any readable layout, as training data.

Training data must be clean, so unlike the scorer this refuses the first record with anything wrong. Which files to
read is `origin`'s and `mnist`'s choice.
"""

import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import NO_LABEL, PixelBatch, Reject
from job.errors import DataError
from job.log import Event, event
from job.normalize.decision import HEAD_IMAGES, decide
from job.normalize.form import Form
from job.read.checks import read_first_rows
from job.read.idx import idx_source
from job.read.source import Source, files_at, look
from job.report.words import some
from job.settings import DEFAULT_PART_BYTES, ReadSettings
from job.storage import FileInfo, Storage, join
from job.train.data.split import FoundImages, Split, joined
from job.train.data.subsets import Subsets, look_by_subset

_log = logging.getLogger(__name__)

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
    read_all = functools.partial(_read_all, storage, some(paths), read)
    return FoundImages(
        some([PurePosixPath(each).name for each in paths]),
        tuple(paths),
        read_all(subsets.train),
        read_all(subsets.validation) if subsets.validation else None,
        None if subsets.test is None else read_all(subsets.test) if has_test else joined([]),
        origin,
    )


def read_labelled(storage: Storage, location: str, read: ReadSettings) -> tuple[Split, int]:
    """The labelled images of a file, a folder or a pattern, and how many have no label.

    Raises NoInput, LayoutError; DataError where a record is not clean, or a file has no column of labels.
    """
    sources = look(storage, files_at(storage, [location]), read)
    found = joined([split for each in sources for split in _read_file(storage, each, read, has_all_labels=False)])
    is_labelled = found.labels != NO_LABEL
    return found.rows(np.flatnonzero(is_labelled)), int((~is_labelled).sum())


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


def _read_all(storage: Storage, location: str, read: ReadSettings, sources: Sequence[Source]) -> Split:
    images = joined([split for each in sources for split in _read_file(storage, each, read)])
    if not len(images):
        raise DataError(f"{location}: holds no images; expected labelled images to train on")
    return images


def _read_file(storage: Storage, source: Source, read: ReadSettings, *, has_all_labels: bool = True) -> list[Split]:
    """The images of a file, in MNIST's form where its first images show that it is not in it."""
    path = source.file.path
    if not source.has_labels:
        raise DataError(
            f"{path}: has no labels, which are needed here: a column named `label`, 785 columns where there is no "
            "header, for IDX and NumPy a file of labels beside the images, or for pictures folders called 0 to 9"
        )
    form = _form(storage, source, read)
    splits: list[Split] = []
    rows = lines = 0
    for span in source.split(DEFAULT_PART_BYTES):
        for batch in source.read(storage, span, _READ_ROWS):
            images = _checked(batch, rows, lines, path, has_all_labels=has_all_labels)
            splits.append(replace(images, pixels=form.apply(images.pixels)))
            rows += len(batch.pixels)
            lines += batch.lines
    return splits


def _form(storage: Storage, source: Source, read: ReadSettings) -> Form:
    """How the images are brought to MNIST's form. No network is there yet to agree."""
    decision = decide(read, read_first_rows(source, storage, HEAD_IMAGES).pixels, sureness=None)
    if not decision.form.is_as_stored:
        normalized = event(Event.NORMALIZED, path=source.file.path, inputs=1, form=decision.form.to_json())
        _log.info("%s: images are %s", source.file.path, decision.form, extra=normalized)
    if decision.doubt is not None:
        _log.warning("%s: %s", source.file.path, decision.doubt)
    return decision.form


def _checked(batch: PixelBatch, rows_before: int, lines_before: int, path: str, *, has_all_labels: bool) -> Split:
    """The batch as training images. Raises DataError if anything is wrong with any of its records.

    has_all_labels: whether a record without a label is wrong, too; otherwise its label is -1.
    """
    if batch.rejects:
        raise DataError(_complaint(batch.rejects[0].shifted(rows_before, lines_before), path))
    if batch.labels is None or (has_all_labels and (batch.labels == NO_LABEL).any()):
        row = 0 if batch.labels is None else int(np.argmax(batch.labels == NO_LABEL))
        raise DataError(f"{path} row {rows_before + row} (from 0): has no label; label it or remove it")
    return Split(batch.pixels, batch.labels, None if batch.passthrough is None else _groups(batch.passthrough))


def _groups(passthrough: pa.RecordBatch) -> npt.NDArray[np.str_]:
    """The one passthrough column as text; "" where it has no value."""
    return np.array(passthrough.column(0).cast(pa.string()).fill_null("").to_pylist(), np.str_)


def _complaint(reject: Reject, path: str) -> str:
    place = f"row {reject.row} (from 0)" if reject.line is None else f"line {reject.line} (row {reject.row} from 0)"
    return f"{path} {place}: {reject.detail} [{reject.reason}]; labelled images must be clean: correct it or remove it"
