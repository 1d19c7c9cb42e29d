"""Tells damaged files apart from a machine that lacks something, where a library raises errors of any kind.

Keras, TensorFlow, HDF5 and zipfile do. A file's fault is ModelInvalid (78) and stays; what the system refuses can be
tried again (74, 75), and errors of `job.errors` pass.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from job.errors import DigitJobError, ModelInvalid, ResourceExhausted
from job.storage import translated_errors

# A file can lead a library to a path that is missing or is no path; the rest is the system's.
_OF_FILES: Final = {errno.ENOENT, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST}
# TensorFlow's class, by its name: it may not be imported. It covers memory and disks.
_EXHAUSTED: Final = "ResourceExhaustedError"
# Of HDF5 and TensorFlow's converters, whose errors have neither a class nor a number of the system's.
_WORDS: Final = {
    "No space left on device": errno.ENOSPC,
    "Too many open files": errno.EMFILE,
    "bad_alloc": errno.ENOMEM,
}


@contextmanager
def damage_of(where: str, message: Callable[[Exception], str]) -> Iterator[None]:
    """Raise ModelInvalid with a message for what goes wrong in the block, unless the system is to blame.

    where: the file, for errors of the system's: ResourceExhausted, StorageError.
    """
    try:
        yield
    except (DigitJobError, ImportError):  # a library that is not installed is nobody's damage
        raise
    except Exception as error:  # a foreign file can make a library raise anything
        raise_system_error(error, where)
        raise ModelInvalid(message(error)) from error


def raise_system_error(error: Exception, where: str) -> None:
    """Raise ResourceExhausted or StorageError if an error, or one that led to it, is the system's."""
    seen: BaseException | None = error
    while seen is not None:
        if type(seen).__name__ == _EXHAUSTED:
            raise ResourceExhausted(f"{where}: {str(seen)[:200]}; free some, and run the same command again") from error
        number = next((number for words, number in _WORDS.items() if words in str(seen)), None)
        if isinstance(seen, OSError) and seen.errno not in {None, *_OF_FILES}:
            number = seen.errno
        if number is not None or isinstance(seen, MemoryError):
            with translated_errors(where):
                raise seen if number is None else OSError(number, "") from error
        seen = seen.__cause__ or seen.__context__
