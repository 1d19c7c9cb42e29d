"""`--data SRC` -> labelled images: from files, MNIST by name, or scikit-learn's digits.

`labelled_files`, `mnist` and `optdigits` beside this read them; `dataset` splits them.
"""

import logging
from collections.abc import Sequence
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
_NAMED: Final = frozenset({"mnist", "digits", "auto"})
_NOT_MNIST: Final = (
    "NOT TRAINED ON MNIST, which cannot be downloaded here, but on scikit-learn's 1,797 small digits: expect far lower "
    "accuracy on other images; set MNIST_DIR to a folder of MNIST's IDX files and train again"
)


def find_images(
    storage: Storage,
    sources: Sequence[str],
    read: ReadSettings = _DEFAULTS,
    *,
    mnist_dir: str | None = None,
    has_test: bool = True,
) -> list[FoundImages]:
    """The images that sources name: `mnist`, `digits` and `auto` each by itself, then those of all files together.

    A source that is none of these names is a file, a folder or a glob. `auto` is whatever `mnist_dir` holds if that is
    given, else `mnist`, else `digits` with a warning, which is logged too. `mnist` is MNIST from the first of several
    sources, of which `mnist_dir` is one. read: how files are read. has_test: whether test images that come with the
    data are wanted; if not, they are not read, and an empty split stands for them. Raises NoInput where there is
    nothing, LayoutError, DataError where the images cannot be trained on, and UsageError where a source is given twice,
    or `read` says something and there are no files.
    """
    repeated = next((each for each in sources if sources.count(each) > 1), None)
    if repeated is not None:
        raise UsageError(f"{repeated}: is given twice; give it once")
    files = [each for each in sources if each not in _NAMED]
    if sources and not files and not ("auto" in sources and mnist_dir):
        _check_nothing_said(sources, read)
    found = [_named(storage, each, read, mnist_dir, has_test=has_test) for each in sources if each in _NAMED]
    return [*found, *([read_files(storage, files, read, has_test=has_test)] if files else [])]


def _named(storage: Storage, source: str, read: ReadSettings, mnist_dir: str | None, *, has_test: bool) -> FoundImages:
    if source == "mnist":
        return find_mnist(storage, mnist_dir, has_test=has_test)
    return optdigits() if source == "digits" else _first_available(storage, read, mnist_dir, has_test=has_test)


def _check_nothing_said(sources: Sequence[str], read: ReadSettings) -> None:
    # That they stay as stored holds for them anyway, and can be said because of other images.
    if read not in {_DEFAULTS, replace(_DEFAULTS, normalize="none")}:
        raise UsageError(
            f"{Flag.DATA} {' '.join(sources)}: its format is known; "
            f"{Flag.LABEL_COLUMN}, {Flag.LABEL_MAP}, {Flag.SCALE}, {Flag.TRANSPOSE}, {Flag.INVERT} and "
            f"{Flag.GROUP_COLUMN} are for files"
        )


def _first_available(storage: Storage, read: ReadSettings, mnist_dir: str | None, *, has_test: bool) -> FoundImages:
    if mnist_dir:
        try:
            return read_files(storage, [mnist_dir], read, has_test=has_test, origin="MNIST_DIR")
        except NoInput as error:
            raise NoInput(f"{error}; the environment variable MNIST_DIR names it") from error
    try:
        return find_mnist(storage, None, has_test=has_test)
    except NoInput as error:
        _log.info("%s", error)
        _log.warning(_NOT_MNIST)
        return replace(optdigits(), warning=_NOT_MNIST)
