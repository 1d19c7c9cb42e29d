"""What every storage can do, and a file as it was when it was looked at.

Paths are strings, so that an object store can stand behind `Storage` as well as a local folder, and tests can put one
there that fails on request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

import pyarrow as pa

from job.errors import InputChanged, StorageError
from job.storage.stopping import CheckStop


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file as it was when it was looked at; two equal values mean it has not changed since.

    version: what the storage knows to tell two contents of the same size apart (here: modification time in ns).
    """

    path: str
    size: int
    version: str

    @property
    def name(self) -> str:
        """The last component of the path."""
        return PurePosixPath(self.path).name


class Storage(Protocol):
    """One file system. All paths are absolute within it and use `/`."""

    @property
    def check_stop(self) -> CheckStop:
        """What whoever works on files of this storage calls a few times a second; it raises to stop the work."""
        ...

    def stopping(self, check_stop: CheckStop) -> "Storage":
        """The same files, with another `check_stop`; equal to this storage."""
        ...

    def __hash__(self) -> int:
        """Equal storages hold the same files: what was read of one may be cached by it."""
        ...

    def resolve(self, location: str) -> str:
        """The absolute path behind a location as the user wrote it."""
        ...

    def find(self, location: str) -> list[FileInfo]:
        """The files a location names, sorted by path: itself, a folder's (recursive), or a pattern's matches.

        Names that begin with `.` or `_` are passed over, except where they are named outright; so are, in folders and
        patterns, pipes and devices, and links to folders. A link to a file is that file under the link's name.
        Raises NoInput where there is none, StorageError for a link to nothing and for a folder that cannot be looked
        into, UsageError for a pipe named outright.
        """
        ...

    def is_folder(self, path: str) -> bool:
        """Whether a folder is at a path."""
        ...

    def stat(self, path: str) -> FileInfo | None:
        """The file at a path; None if there is none."""
        ...

    def list(self, folder: str) -> list[str]:
        """Names of everything directly in a folder, sorted; empty if there is no such folder."""
        ...

    def open(self, path: str) -> pa.NativeFile:
        """A file to read at any position; its reads do not hold Python's lock."""
        ...

    def read(self, path: str) -> bytes:
        """A small file's whole content."""
        ...

    @contextmanager
    def commit(self, path: str, *, beside: str | None = None) -> Iterator[BinaryIO]:
        """A new file to write, which appears under its name when the block ends well, and never otherwise.

        beside: the folder for the temporary file; the target's own if not given.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Commit a small file whole, in place of one that may be there."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Write a small new file whole, unless there is one; whether this call was the one to make it."""
        ...

    def commit_folder(self, staging: str, target: str) -> None:
        """Give a finished folder its final name, in place of a folder that may be there."""
        ...

    def remove_abandoned(self, folder: str, name: str) -> None:
        """Remove what is hidden in a folder, was to get a name or has lost it, and was left by its writer a day ago."""
        ...

    def is_mount(self, path: str) -> bool:
        """Whether a folder is where a volume begins: it cannot be replaced, nor anything be moved to it from beside."""
        ...

    def commit_files(self, staging: str, target: str, *, last: str) -> None:
        """Give the files of a finished folder their places in one that cannot be replaced, the file `last` as the last.

        Until that is there, the target holds files old and new.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; no error if it is not there."""
        ...


def check_unchanged(storage: Storage, seen: FileInfo) -> None:
    """Raise InputChanged where a file is no longer what it was when it was seen, StorageError where it is gone.

    A file that is gone may come back as it was, with the mount that holds it.
    """
    now = storage.stat(seen.path)
    if now is None:
        raise StorageError(f"{seen.path}: is gone while it was being read; run again once it is back")
    if now != seen:
        raise InputChanged(f"{seen.path}: was changed while it was being read; run again once it is complete")
