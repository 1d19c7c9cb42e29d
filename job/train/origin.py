"""Where labelled images come from: files of any readable layout, Keras's MNIST download, scikit-learn's digits.

    --data SRC --find_images--> Origin

Training data must be clean, so unlike the scorer this refuses the first record with anything wrong.
Cutting the images into splits is `dataset`'s.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import NO_LABEL, PIXELS, SIDE, PixelBatch, Pixels, Reject
from job.errors import DataError, NoInput, UsageError
from job.read.idx import idx_source
from job.read.source import Source, files_at, look
from job.settings import DEFAULT_PART_BYTES, ReadSettings
from job.storage import FileInfo, Storage, join
from job.train.backend import import_keras
from job.train.split import Split, joined

_log = logging.getLogger(__name__)

_DEFAULTS: Final = ReadSettings()
_READ_ROWS: Final = 1024
_DOWNLOAD_TIMEOUT_S: Final = 60.0
# Yann LeCun's names, and the ones that some unpackers make of them.
_IDX_NAMES: Final = tuple(f"{{}}-images{dot}idx3-ubyte{suffix}" for dot in "-." for suffix in ("", ".gz"))
# MNIST's digits fill a box of 20x20 in the middle of 28x28 (LeCun et al.); optdigits are 8x8 with values 0-16.
_BOX_SIDE: Final = 20
_OPTDIGITS_SIDE: Final = 8
_OPTDIGITS_MAX: Final = 16


@dataclass(frozen=True)
class Origin:
    """Labelled images as they were found.

    source: what to give as --data to find the same again. images: in the order found. test: the test images, where the
    data comes with its own. warning: what the user must know about the choice, or None.
    """

    name: str
    source: str
    images: Split
    test: Split | None = None
    warning: str | None = None


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
        return _mnist(has_test=has_test)
    if source == "digits":
        return _digits()
    return _from_files(storage, source, read, has_test=has_test)


def _check_nothing_said(source: str, read: ReadSettings) -> None:
    if read != _DEFAULTS:
        raise UsageError(
            f"--data {source}: is read as it is known to be; --label-column, --scale and --transpose are for files"
        )


def _first_available(storage: Storage, read: ReadSettings, mnist_dir: str | None, *, has_test: bool) -> Origin:
    if mnist_dir:
        try:
            return _from_files(storage, mnist_dir, read, has_test=has_test)
        except NoInput as error:
            raise NoInput(f"{error}; the environment variable MNIST_DIR says to look there") from error
    try:
        return _mnist(has_test=has_test)
    except NoInput as error:
        _log.info("%s", error)
        warning = (
            "NOT TRAINED ON MNIST, which cannot be downloaded here, but on scikit-learn's 1,797 small digits: expect "
            "far lower accuracy on other images; set MNIST_DIR to a folder of MNIST's IDX files and train again"
        )
        _log.warning(warning)
        return replace(_digits(), warning=warning)


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
    for span in source.spans(DEFAULT_PART_BYTES):
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


def _mnist(*, has_test: bool) -> Origin:
    keras = import_keras()
    try:
        train, test = _within(_DOWNLOAD_TIMEOUT_S, keras.datasets.mnist.load_data)
    except OSError as error:
        raise NoInput(
            f"mnist: cannot be downloaded ({error}); name a folder of IDX files or another file with --data, "
            "or use --data digits"
        ) from error
    # Both are in the one file that is downloaded.
    return Origin("mnist", "mnist", _flattened(*train), _flattened(*test) if has_test else joined([]))


def _flattened(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    return Split(np.ascontiguousarray(images.reshape(-1, PIXELS), np.uint8), labels.astype(np.int8))


def _within(timeout_s: float, function: Callable[[], Any]) -> Any:
    """The function's result. Raises OSError if it fails or takes longer; it then goes on until the process ends.

    Raises MemoryError as it is, for no download's failing is like it.
    """
    results: list[Any] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001  # Keras raises a bare Exception where a download fails
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if errors and isinstance(errors[0], MemoryError):
        raise errors[0]
    if errors:
        raise OSError(" ".join(str(errors[0]).split())) from errors[0]
    if not results:
        raise TimeoutError(f"no answer within {timeout_s:g} seconds")
    return results[0]


def _digits() -> Origin:
    from sklearn.datasets import load_digits

    found = load_digits()
    return Origin("digits", "digits", Split(_enlarged(found.images), found.target.astype(np.int8)))


def _enlarged(images: npt.NDArray[np.float64]) -> Pixels:
    """Optdigits, (n, 8, 8) with values 0-16 -> uint8 (n, 784) as MNIST would hold them."""
    from scipy.ndimage import zoom

    factor = _BOX_SIDE / _OPTDIGITS_SIDE
    # Cubic splines (order 3) overshoot at sharp edges; what leaves 0-255 is clipped.
    boxes = zoom(images, (1, factor, factor), order=3, mode="nearest", grid_mode=True)
    margin = (SIDE - _BOX_SIDE) // 2
    framed = np.pad(boxes, ((0, 0), (margin, margin), (margin, margin)))
    return np.clip(np.rint(framed * (255 / _OPTDIGITS_MAX)), 0, 255).astype(np.uint8).reshape(-1, PIXELS)
