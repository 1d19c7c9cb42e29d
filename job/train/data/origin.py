"""Where labelled images come from: files of any readable layout, Keras's MNIST download, scikit-learn's digits.

    --data SRC --find_images--> Origin

Training data must be clean, so unlike the scorer this refuses the first record with anything wrong.
Cutting the images into splits is `dataset`'s.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from job.contract import NO_LABEL, PixelBatch, Reject
from job.errors import DataError, NoInput, UsageError
from job.flag_names import Flag
from job.read.idx import idx_source
from job.read.source import Source, files_at, look
from job.settings import DEFAULT_PART_BYTES, ReadSettings
from job.storage import FileInfo, Storage, join
from job.train.data.mnist import mnist
from job.train.data.optdigits import optdigits
from job.train.data.split import Origin, Split, joined

_log = logging.getLogger(__name__)

_DEFAULTS: Final = ReadSettings()
_READ_ROWS: Final = 1024
# Yann LeCun's names, and the ones that some unpackers make of them.
_IDX_NAMES: Final = tuple(f"{{}}-images{dot}idx3-ubyte{suffix}" for dot in "-." for suffix in ("", ".gz"))


def find_images(
    storage: Storage,
    source: str,
    read: ReadSettings = _DEFAULTS,
    *,
    mnist_dir: str | None = None,
    has_test: bool = True,
) -> Origin:
    """The images that `source` names: `mnist`, `digits`, `auto`, or a file, folder or glob.

    `auto` is `mnist_dir` if there is one, else `mnist`, else `digits` with a warning, which is logged too.
    read: what files hold. has_test: whether test images of the data's own are wanted; if not, they are not read, and an
    empty split stands for them. Raises NoInput where there is nothing, DataError where the images cannot be trained on,
    LayoutError, and UsageError where something is said of files and there are none.
    """
    if source in {"mnist", "digits"} or (source == "auto" and not mnist_dir):
        _check_nothing_said(source, read)
    if source == "auto":
        return _first_available(storage, read, mnist_dir, has_test=has_test)
    if source == "mnist":
        return mnist(has_test=has_test)
    if source == "digits":
        return optdigits()
    return _from_files(storage, source, read, has_test=has_test)


def _check_nothing_said(source: str, read: ReadSettings) -> None:
    if read != _DEFAULTS:
        raise UsageError(
            f"{Flag.DATA} {source}: is read as it is known to be; "
            f"{Flag.LABEL_COLUMN}, {Flag.SCALE} and {Flag.TRANSPOSE} are for files"
        )


def _first_available(storage: Storage, read: ReadSettings, mnist_dir: str | None, *, has_test: bool) -> Origin:
    if mnist_dir:
        try:
            return _from_files(storage, mnist_dir, read, has_test=has_test)
        except NoInput as error:
            raise NoInput(f"{error}; the environment variable MNIST_DIR says to look there") from error
    try:
        return mnist(has_test=has_test)
    except NoInput as error:
        _log.info("%s", error)
        warning = (
            "NOT TRAINED ON MNIST, which cannot be downloaded here, but on scikit-learn's 1,797 small digits: expect "
            "far lower accuracy on other images; set MNIST_DIR to a folder of MNIST's IDX files and train again"
        )
        _log.warning(warning)
        return replace(optdigits(), warning=warning)


def _from_files(storage: Storage, source: str, read: ReadSettings, *, has_test: bool) -> Origin:
    name = PurePosixPath(storage.resolve(source)).name
    train, test = (_idx_file(storage, source, stem) for stem in ("train", "t10k"))
    if train is not None and test is not None:
        wanted = (train, test) if has_test else (train,)
        splits = [_read_all(storage, source, [idx_source(storage, each, read)]) for each in wanted]
        return Origin(name, source, splits[0], splits[1] if has_test else joined([]))
    sources = look(storage, files_at(storage, [source]), read)
    return Origin(name, source, _read_all(storage, source, sources))


def _idx_file(storage: Storage, folder: str, stem: str) -> FileInfo | None:
    path = storage.resolve(folder)
    found: list[FileInfo | None] = [storage.stat(join(path, name.format(stem))) for name in _IDX_NAMES]
    return next((file for file in found if file is not None), None)


def _read_all(storage: Storage, source: str, sources: Sequence[Source]) -> Split:
    images = joined([split for each in sources for split in _read_file(storage, each)])
    if not len(images):
        raise DataError(f"{source}: holds no images; expected labelled images to train on")
    return images


def _read_file(storage: Storage, source: Source) -> list[Split]:
    path = source.file.path
    if not source.has_labels:
        raise DataError(
            f"{path}: has no labels, and training needs them: a column named `label`, 785 columns where there is no "
            "header, or for IDX a file of labels beside the images"
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
    """The batch as images to train on. Raises DataError if anything is wrong with any of its records."""
    if batch.rejects:
        raise DataError(_complaint(batch.rejects[0].shifted(rows_before, lines_before), path))
    if batch.labels is None or (batch.labels == NO_LABEL).any():
        row = 0 if batch.labels is None else int(np.argmax(batch.labels == NO_LABEL))
        raise DataError(f"{path} row {rows_before + row} (from 0): has no label; label it or take it out")
    return Split(batch.pixels, batch.labels)


def _complaint(reject: Reject, path: str) -> str:
    place = f"row {reject.row} (from 0)" if reject.line is None else f"line {reject.line} (row {reject.row} from 0)"
    return f"{path} {place}: {reject.detail} [{reject.reason}]; training data must be clean: correct it or take it out"
