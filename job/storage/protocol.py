"""The interface of every storage, and `FileInfo`, which identifies one version of a file.

Paths are strings, so that an object store can implement `Storage` as well as a local folder, and a test can pass one
that fails on request.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

import pyarrow as pa

from job.errors import DataError, InputChanged, StorageError
from job.storage.stopping import CheckStop


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One version of a file. If two values for a path are equal, the file has not changed between them.

    size: bytes. version: distinguishes contents of the same size; for local files the modification time in ns.
    is_elsewhere: it was found through a link that leads out of the folder that the user named. found_in: that folder,
    or the file itself where it was named; "" if it was not searched for. is_folder: it is a folder read as one input,
    and who reads its files compares them with the versions that were listed.
    """

    path: str
    size: int
    version: str
    is_elsewhere: bool = field(default=False, compare=False)
    found_in: str = field(default="", compare=False)
    is_folder: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]


class Storage(Protocol):
    """A file system. Paths are absolute and use `/`.

    Every method but `resolve` raises StorageError if the system refuses the operation and ResourceExhausted if disk
    space, memory or file handles ran out; both name the path. "Atomic" means that other processes see the old state
    or the new one, also after a crash; "durable" that the new state survives a power failure.
    """

    @property
    def check_stop(self) -> CheckStop:
        """The stop token: code that works on files of this storage calls it a few times a second."""
        ...

    def stopping(self, check_stop: CheckStop) -> "Storage":
        """The same storage with another `check_stop`. The two compare equal."""
        ...

    def __hash__(self) -> int:
        """Equal storages hold the same files, so that a cache may use a storage as a key."""
        ...

    def resolve(self, location: str) -> str:
        """The absolute path of a location as the user wrote it. Raises UsageError for an unsupported scheme."""
        ...

    def real_path(self, path: str) -> str:
        """The path with all links resolved: one file has only one."""
        ...

    def find(self, location: str) -> list[FileInfo]:
        """The files at a location, sorted by path: the file itself, those below a folder, or a pattern's matches.

        Skips names that begin with `.` or `_` unless the location spells them out and, in folders and patterns, also
        pipes, devices and links to folders. A link to a file counts as that file, under the link's name.
        Raises NoInput if there is no file, UsageError for a pipe or device named by itself, and StorageError for a
        link to nothing and for a folder that cannot be read.
        """
        ...

    def is_folder(self, path: str) -> bool:
        """Whether `path` is a folder or a link to one."""
        ...

    def stat(self, path: str) -> FileInfo | None:
        """The file at `path`; None if there is none or if it is no regular file."""
        ...

    def is_stream(self, path: str) -> bool:
        """Whether what is written to `path` goes into a pipe or a device, such as `/dev/stdout`, and is not kept."""
        ...

    def list(self, folder: str) -> list[str]:
        """The names directly in a folder, sorted, hidden ones included; empty if the folder does not exist."""
        ...

    def open(self, path: str) -> pa.NativeFile:
        """Open a file for reading at any position. Reads release the GIL and raise OSError: see `translated_errors`."""
        ...

    def read(self, path: str) -> bytes:
        """The whole content of a small file."""
        ...

    def read_own(self, path: str, *, max_bytes: int) -> bytes:
        """The content of a file that only this user or root can have written; see `job.ownership`.

        Checked on the open file, which must be no link. Raises DataError for any other file and for a longer one.
        """
        ...

    @contextmanager
    def commit(self, path: str, *, beside: str | None = None, is_private: bool = False) -> Iterator[BinaryIO]:
        """A file to write, which atomically appears at `path`, durable, once the block ends without an error.

        It replaces a file of that name, and goes into a stream of that name. Raises OutputOccupied if `path` is
        anything else that is no file, such as a socket. Missing folders are made. If the block raises, nothing changes
        at `path` and the temporary file is removed. beside: the folder of the temporary file; default: that of `path`.
        is_private: no other user may read the file.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Commit a small file whose content is at hand. Atomic and durable, like `commit`."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Commit a small file unless `path` exists; returns whether this call created it.

        Of several processes that call it at once exactly one gets True, except on mounts without hard links.
        """
        ...

    def commit_folder(self, staging: str, target: str) -> None:
        """Rename the finished folder `staging` to `target`, replacing a folder of that name. Durable.

        Atomic where the system can exchange two names. Elsewhere the old folder is retired first, to
        `.NAME.<hex>.old`; on any exception it gets its name back, and after a crash by `recover_folder`.
        """
        ...

    def recover_folder(self, target: str) -> bool:
        """Undo a `commit_folder` that a crash interrupted; returns whether there was one. Call it before any other use.

        If `target` is missing or empty, the folder that was retired last gets its name back. Then staging and retired
        folders of this name (`.NAME.<hex>.tmp`, `.old`) are deleted that were neither changed nor renamed for a day.
        """
        ...

    def is_mount(self, path: str) -> bool:
        """Whether `path` is a mount point, which cannot be renamed over or into."""
        ...

    def commit_files(self, staging: str, target: str, *, last: str, names: Collection[str]) -> None:
        """Replace the files of `target` that have one of the names by those of `staging`, `last` last. Durable.

        The others are durable before `last` is moved.

        Atomic for each file only: until `last` is moved, readers find no such file. The old files are retired first, to
        `.NAME.<hex>.old` in `target`; on any exception they are moved back, and after a crash by `recover_files`.
        """
        ...

    def recover_files(self, target: str, *, last: str, names: Collection[str]) -> bool:
        """As `recover_folder`, for an interrupted `commit_files`."""
        ...

    def rename(self, source: str, target: str) -> bool:
        """Give a file or folder another name in the same folder. Atomic and durable.

        Returns False, and changes nothing, if `source` does not exist, or `target` is a folder that is not empty.
        """
        ...

    def remove(self, path: str, *, only: Collection[str] | None = None) -> None:
        """Remove a file, a link (not what it points to) or a folder with its content. Durable.

        only: of a folder, remove no more than these files, by their paths, and the folders that this empties; links to
        folders are not followed. No error if something does not exist.
        """
        ...


@contextmanager
def unquoted(file: FileInfo) -> Iterator[None]:
    """Raise a DataError inside the block without what it quotes, if the file is elsewhere.

    Whoever can write to a folder of input can put a link there to a file that only the job's user can read.
    """
    try:
        yield
    except DataError as error:
        if not file.is_elsewhere:
            raise
        raise type(error)(
            f"{file.path}: cannot be used, and is a link that leads out of the input folder, so that nothing of it is "
            "shown; remove the link, or name the file itself as the input to see why"
        ) from None


def check_unchanged(storage: Storage, seen: FileInfo) -> None:
    """Raise InputChanged if a file is no longer the version `seen`, StorageError if it is gone.

    The two differ because a file that is gone may come back unchanged, together with its mount. A folder is not looked
    at: see `FileInfo.is_folder`.
    """
    if seen.is_folder:
        return
    now = storage.stat(seen.path)
    if now is None:
        raise StorageError(f"{seen.path}: was removed while it was being read; run again once it is back")
    if now != seen:
        raise InputChanged(f"{seen.path}: was changed while it was being read; run again once it is complete")
