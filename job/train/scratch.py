"""Temporary folders and files, for libraries such as Keras that read and write paths only.

The free space is checked first, because some of them crash on a full disk. TensorFlow, besides, writes modules into the
folder for temporary files and imports them, so that it gets one that no other user can write to.
"""

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from job.compiled.cache import library_folder
from job.errors import ResourceExhausted
from job.settings import MIB
from job.storage import translated_errors

if TYPE_CHECKING:
    import keras

# For a file's metadata, and for other processes that write meanwhile.
_MARGIN_BYTES: Final = 4 * MIB
# The weights, twice as many values of the optimizer, and the weights in a SavedModel's graph.
_COPIES: Final = 4
_KERAS_FALLBACK: Final = "/tmp"  # noqa: S108  # Keras's own choice
_PLACE: Final = "the folder for temporary files"


@contextmanager
def private_temporary_files() -> Iterator[None]:
    """Put all temporary files of this process and of its children into a new folder (0700), deleted after the block.

    What Keras and matplotlib keep goes into the user's cache (`compiled.cache`) and not into the home, where they would
    also read what another user may have put there. Every command that imports TensorFlow runs in one. Raises
    ResourceExhausted and StorageError.
    """
    with scratch_folder() as folder, _temporary_files_in(str(folder)):
        yield


@contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    """Make a folder the one for temporary files inside the block, here and in the environment."""
    variables = {"TMPDIR": folder, **_library_folders(folder)}
    before = tempfile.tempdir, {name: os.environ.get(name) for name in variables}
    tempfile.tempdir = folder
    os.environ.update(variables)
    try:
        yield
    finally:
        tempfile.tempdir = before[0]
        for name, value in before[1].items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _library_folders(fallback: str) -> dict[str, str]:
    """The variables for the folders of Keras and matplotlib that the user has not set. fallback: without a cache."""
    libraries = {"KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}
    if _has_own_keras_home():
        del libraries["KERAS_HOME"]
    return {
        variable: library_folder(library) or fallback
        for variable, library in libraries.items()
        if variable not in os.environ
    }


def _has_own_keras_home() -> bool:
    """Whether Keras has a folder where only this user, the user's group or root can write its settings, `keras.json`.

    As keras.config: `~/.keras`, or `/tmp/.keras`, which anyone can make, if the home cannot be written to.
    """
    home = os.path.expanduser("~")
    folder = os.path.join(home if os.access(home, os.W_OK) else _KERAS_FALLBACK, ".keras")
    paths = [path for path in (folder, os.path.join(folder, "keras.json")) if os.path.lexists(path)]
    try:
        statuses = [look(path) for path in paths for look in (os.lstat, os.stat)]
    except FileNotFoundError:  # a link to nowhere
        return False
    return bool(statuses) and all(
        each.st_uid in {0, os.geteuid()} and (stat.S_ISLNK(each.st_mode) or not each.st_mode & stat.S_IWOTH)
        for each in statuses
    )


@contextmanager
def scratch_folder(size_bytes: int = 0) -> Iterator[Path]:
    """A local folder for files of about `size_bytes`, deleted after the block.

    Those that killed processes of this user have left beside it are deleted first. Raises ResourceExhausted where there
    is too little space, and StorageError where it cannot be created.
    """
    with translated_errors(_PLACE):
        _remove_abandoned(tempfile.gettempdir())
        folder, lock = _locked_folder()
    try:
        with folder as path:
            check_room(path, size_bytes)
            yield Path(path)
    finally:
        os.close(lock)


def _locked_folder() -> tuple["tempfile.TemporaryDirectory[str]", int]:
    """A new folder, and its descriptor with a lock, which the system takes away when the process ends in any way."""
    while True:
        folder = tempfile.TemporaryDirectory(prefix=_prefix(), ignore_cleanup_errors=True)
        handle = os.open(folder.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        # On a system without locks, no folder counts as abandoned.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_at(handle, folder.name):
            return folder, handle
        os.close(handle)  # another process took it for abandoned before it had a lock


def _remove_abandoned(place: str) -> None:
    """Delete the folders in `place` that processes of this user, on this machine, have left without a lock."""
    for name in os.listdir(place):
        if not re.fullmatch(re.escape(_prefix()) + "[a-z0-9_]{8}", name):
            continue
        path = os.path.join(place, name)
        # What cannot be deleted does no harm; that includes a link, and the folder of a process that is alive.
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_uid == os.geteuid():
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _is_at(handle, path):
                        shutil.rmtree(path)
            finally:
                os.close(handle)


def _prefix() -> str:
    # Locks need not reach other machines that share the folder.
    return f"digit-job-{re.sub('[^A-Za-z0-9]', '_', os.uname().nodename)}_"


def _is_at(handle: int, path: str) -> bool:
    """Whether an open folder is still at a path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


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
