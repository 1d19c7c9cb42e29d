"""Temporary folders for what Keras and its like read and write by path only, made where there is room for it."""

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

# What a file holds beside the weights, and what other writers may take meanwhile.
_SLACK_BYTES: Final = 4 * MIB
# Weights, and as many numbers twice more for the optimizer's means; a SavedModel has the weights in its graph, too.
_COPIES: Final = 4
_PLACE: Final = "the folder for temporary files"


@contextmanager
def scratch_folder(size_bytes: int = 0) -> Iterator[Path]:
    """A folder of this machine that is gone after the block, for files of about so many bytes.

    Raises ResourceExhausted where it cannot be made, or there is too little room.
    """
    with translated_errors(_PLACE):
        folder = tempfile.TemporaryDirectory(prefix="digit-job-")
    with folder as path:
        check_room(path, size_bytes)
        yield Path(path)


def scratch_file() -> IO[bytes]:
    """A file of this machine without a name, gone when it is closed. Raises ResourceExhausted and StorageError."""
    with translated_errors(_PLACE):
        return tempfile.TemporaryFile()


def check_room(folder: str, size_bytes: int) -> None:
    """Raises ResourceExhausted where a disk has no room for so many bytes.

    HDF5, by which Keras writes weights, crashes the process at its end where a file could not be written to its end.
    """
    with translated_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < size_bytes + _SLACK_BYTES:
        raise ResourceExhausted(
            f"{folder}: No space left on device: {free:,} bytes are free, {size_bytes + _SLACK_BYTES:,} are needed; "
            "free some, or name another folder for temporary files with TMPDIR, and run the same command again"
        )


def size_of(model: "keras.Model") -> int:
    """At most about so many bytes are written to save a network, with its optimizer or without, in any format."""
    return _COPIES * sum(int(weight.value.numpy().nbytes) for weight in model.weights)
