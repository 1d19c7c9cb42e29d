"""`--data SRC` -> labelled images: from files, MNIST by name, or scikit-learn's digits.

`labelled_files`, `mnist` and `optdigits` beside this read them; `dataset` splits them.
"""

import logging
from dataclasses import replace
from typing import Final

from job.errors import NoInput, UsageError
from job.flag_names import Flag
from job.settings import ReadSettings
from job.storage import Storage
from job.train.data.labelled_files import read_files
from job.train.data.mnist import find_mnist
from job.train.data.optdigits import optdigits
from job.train.data.split import FoundImages

_log = logging.getLogger(__name__)

_DEFAULTS: Final = ReadSettings()
_NOT_MNIST: Final = (
    "NOT TRAINED ON MNIST, which cannot be downloaded here, but on scikit-learn's 1,797 small digits: expect far lower "
    "accuracy on other images; set MNIST_DIR to a folder of MNIST's IDX files and train again"
)


def find_images(
    storage: Storage,
    source: str,
    read: ReadSettings = _DEFAULTS,
    *,
    mnist_dir: str | None = None,
    has_test: bool = True,
) -> FoundImages:
    """The images that `source` names: `mnist`, `digits`, `auto`, or a file, folder or glob.

    `auto` is whatever `mnist_dir` holds if that is given, else `mnist`, else `digits` with a warning, which is logged
    too. `mnist` is MNIST from the first of several sources, of which `mnist_dir` is one. read: how files are read.
    has_test: whether test images that come with the data are wanted; if not, they are not read, and an empty split
    stands for them. Raises NoInput where there is nothing, LayoutError, DataError where the images cannot be trained
    on, and UsageError where `read` says something and there are no files.
    """
    if source in {"mnist", "digits"} or (source == "auto" and not mnist_dir):
        _check_nothing_said(source, read)
    if source == "auto":
        return _first_available(storage, read, mnist_dir, has_test=has_test)
    if source == "mnist":
        return find_mnist(storage, mnist_dir, has_test=has_test)
    if source == "digits":
        return optdigits()
    return read_files(storage, source, read, has_test=has_test)


def _check_nothing_said(source: str, read: ReadSettings) -> None:
    if read != _DEFAULTS:
        raise UsageError(
            f"{Flag.DATA} {source}: its format is known; "
            f"{Flag.LABEL_COLUMN}, {Flag.LABEL_MAP}, {Flag.SCALE}, {Flag.TRANSPOSE} and {Flag.INVERT} are for files"
        )


def _first_available(storage: Storage, read: ReadSettings, mnist_dir: str | None, *, has_test: bool) -> FoundImages:
    if mnist_dir:
        try:
            return read_files(storage, mnist_dir, read, has_test=has_test, origin="MNIST_DIR")
        except NoInput as error:
            raise NoInput(f"{error}; the environment variable MNIST_DIR names it") from error
    try:
        return find_mnist(storage, None, has_test=has_test)
    except NoInput as error:
        _log.info("%s", error)
        _log.warning(_NOT_MNIST)
        return replace(optdigits(), warning=_NOT_MNIST)
