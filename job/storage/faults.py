"""Errors of the operating system and of Arrow, translated once into this job's own.

ENOSPC, EMFILE, ENOMEM and their like become ResourceExhausted, every other errno StorageError.
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


def is_of_the_machine(error: Exception) -> bool:
    """Whether an error is of storage, memory or threads, and so says nothing of the content being read.

    Arrow and the unpackers call damaged content an OSError too, but one that the operating system has no number for.
    """
    is_numbered = isinstance(error, OSError) and error.errno is not None
    return is_numbered or isinstance(error, MemoryError) or _is_about_threads(error)


@contextmanager
def translated_errors(path: str) -> Iterator[None]:
    """Turn the operating system's errors about a path, and running out of memory meanwhile, into digit-job's.

    For whoever reads from an open file, too. Each number of the operating system's has a meaning here: what can be
    freed is ResourceExhausted, and all the rest StorageError.
    """
    try:
        yield
    except OSError as error:
        # Arrow's own text names the path again, and can be many lines long.
        reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
        if error.errno in _EXHAUSTED:
            raise ResourceExhausted(f"{path}: {reason}; free some and run the same command again") from error
        raise StorageError(f"{path}: {reason}") from error
    except MemoryError as error:  # Arrow's is one, too
        raise ResourceExhausted(f"{path}: {OUT_OF_MEMORY}") from error
    except pa.ArrowException as error:
        if not _is_about_threads(error):
            raise
        raise ResourceExhausted(
            f"{path}: cannot start threads to read it; lower {Flag.THREADS} or allow more"
        ) from error


def _is_about_threads(error: Exception) -> bool:
    # Arrow has no class of its own for it.
    return isinstance(error, pa.ArrowException) and "worker thread" in str(error)
