"""Translates errors of the operating system and of Arrow into those of `job.errors`, in this one place.

ENOSPC, EMFILE, ENOMEM, ... become ResourceExhausted, every other errno StorageError.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from job.errors import OUT_OF_MEMORY, ResourceExhausted, StorageError
from job.flag_names import Flag

_EXHAUSTED = {
    errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOBUFS, errno.ENOLCK,
}  # fmt: skip


def is_system_error(error: Exception) -> bool:
    """Whether storage, memory or threads failed, as opposed to the content being damaged.

    Arrow and the decompressors raise OSError for damaged content, too, but without an errno.
    """
    has_errno = isinstance(error, OSError) and error.errno is not None
    return has_errno or isinstance(error, MemoryError) or _is_about_threads(error)


@contextmanager
def translated_errors(path: str) -> Iterator[None]:
    """Raise what goes wrong with `path` inside the block as an error of `job.errors` that names the path.

    OSError becomes ResourceExhausted or StorageError, by its errno; MemoryError and Arrow's failure to start a thread
    become ResourceExhausted. Other exceptions pass unchanged. Wrap reads from an open file in it, too.
    """
    try:
        yield
    except OSError as error:
        # Arrow's text repeats the path and can be many lines long.
        reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
        if error.errno in _EXHAUSTED:
            raise ResourceExhausted(f"{path}: {reason}; free some and run the same command again") from error
        raise StorageError(f"{path}: {reason}") from error
    except MemoryError as error:  # ArrowMemoryError is a subclass
        raise ResourceExhausted(f"{path}: {OUT_OF_MEMORY}") from error
    except pa.ArrowException as error:
        if not _is_about_threads(error):
            raise
        raise ResourceExhausted(
            f"{path}: cannot start threads to read it; lower {Flag.THREADS} or allow more"
        ) from error


def _is_about_threads(error: Exception) -> bool:
    # Arrow has no exception class for it.
    return isinstance(error, pa.ArrowException) and "worker thread" in str(error)
