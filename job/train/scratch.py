"""Temporary folders and files, for libraries such as Keras that read and write paths only.

The free space is checked first, because some of them crash on a full disk. TensorFlow, besides, writes modules into the
folder for temporary files and imports them, so that it gets one that no other user can write to.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from job.errors import ResourceExhausted
from job.settings import MIB
from job.storage import translated_errors

if TYPE_CHECKING:
    import keras

# For a file's metadata, and for other processes that write meanwhile.
_MARGIN_BYTES: Final = 4 * MIB
# The weights, twice as many values of the optimizer, and the weights in a SavedModel's graph.
_COPIES: Final = 4
_PLACE: Final = "the folder for temporary files"


@contextmanager
def private_temporary_files() -> Iterator[None]:
    """Put all temporary files of this process and of its children into a new folder (0700), deleted after the block.

    Every command that imports TensorFlow runs in one. Raises ResourceExhausted and StorageError.
    """
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    with scratch_folder() as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before[0]
            if before[1] is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before[1]


@contextmanager
def scratch_folder(size_bytes: int = 0) -> Iterator[Path]:
    """A local folder for files of about `size_bytes`, deleted after the block.

    Raises ResourceExhausted where there is too little space, and StorageError where it cannot be created.
    """
    with translated_errors(_PLACE):
        folder = tempfile.TemporaryDirectory(prefix="digit-job-")
    with folder as path:
        check_room(path, size_bytes)
        yield Path(path)


def scratch_file() -> IO[bytes]:
    """A local file without a name, deleted when closed. Raises ResourceExhausted and StorageError."""
    with translated_errors(_PLACE):
        return tempfile.TemporaryFile()


def check_room(folder: str, size_bytes: int) -> None:
    """Raises ResourceExhausted where the disk has too little space for `size_bytes`.

    HDF5, which Keras writes weights with, crashes the process at its exit if a write has failed.
    """
    with translated_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < size_bytes + _MARGIN_BYTES:
        raise ResourceExhausted(
            f"{folder}: No space left on device: {free:,} bytes are free, {size_bytes + _MARGIN_BYTES:,} are needed; "
            "free some, or set TMPDIR to another folder for temporary files, and run the same command again"
        )


def size_of(model: "keras.Model") -> int:
    """An upper bound, in bytes, for saving a network in any format, with or without its optimizer."""
    return _COPIES * sum(int(weight.value.numpy().nbytes) for weight in model.weights)
