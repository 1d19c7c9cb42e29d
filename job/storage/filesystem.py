"""The file operations of an operating system, one method each. `LocalStorage` is built on these alone.

A test that passes another FileSystem sees every operation of a run and can make any of them fail. Methods raise the
system's own OSError; `LocalStorage` translates it.
"""

import ctypes
import errno
import io
import os
import stat
from typing import Final, Protocol

import pyarrow as pa

from job.storage.streams import refuse_pipe

_NO_EXCHANGE: Final = {errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}

# From linux/fcntl.h and linux/fs.h; see renameat2(2).
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


class FileSystem(Protocol):
    """The operations. Paths are absolute. Every method raises OSError, FileNotFoundError if the path does not exist.

    within: a descriptor of the folder that holds `path`; then only the last name of `path` is looked up, in that
    folder, so that nobody can lead the operation elsewhere by putting a link in the place of a folder.
    """

    def stat(self, path: str, *, follows_links: bool = True, within: int | None = None) -> os.stat_result:
        """As os.stat."""
        ...

    def real_path(self, path: str) -> str:
        """As os.path.realpath: the path with all links resolved; never raises."""
        ...

    def names(self, folder: str, *, handle: int | None = None) -> list[str]:
        """The names in a folder, hidden ones included, in any order. handle: its descriptor."""
        ...

    def open_folder(self, path: str, *, within: int | None = None) -> int:
        """A descriptor of a folder, for the caller to close. Raises OSError for a link."""
        ...

    def open(self, path: str) -> pa.NativeFile:
        """Open a file for reading. Reads release the GIL."""
        ...

    def open_own(self, path: str) -> io.FileIO:
        """Open a file for reading, unbuffered, without following a link or waiting for a pipe's other end."""
        ...

    def create(self, path: str, *, mode: int = 0o666) -> io.FileIO:
        """Create a file and open it for writing, unbuffered. mode: before the umask. Raises FileExistsError."""
        ...

    def sync(self, file: io.FileIO) -> None:
        """As fsync(2) of an open file."""
        ...

    def make_folder(self, path: str) -> None:
        """Create a folder; its parent must exist. Raises FileExistsError."""
        ...

    def sync_path(self, path: str) -> None:
        """As fsync(2) of the file or folder at `path`: its content, or its entries."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Rename a file or folder, atomically replacing a file or empty folder at `target`."""
        ...

    def link(self, source: str, target: str) -> None:
        """Create a hard link. Raises FileExistsError."""
        ...

    def exchange(self, one: str, other: str) -> bool:
        """Atomically swap two paths; returns False if the system or the mount does not support it."""
        ...

    def unlink(self, path: str, *, within: int | None = None) -> None:
        """Remove a file or link."""
        ...

    def remove_folder(self, path: str, *, within: int | None = None) -> None:
        """Remove an empty folder."""
        ...


class LocalFileSystem:
    """The operating system's own operations."""

    def stat(self, path: str, *, follows_links: bool = True, within: int | None = None) -> os.stat_result:
        return os.stat(_name(path, within), dir_fd=within, follow_symlinks=follows_links)

    def real_path(self, path: str) -> str:
        return os.path.realpath(path)

    def names(self, folder: str, *, handle: int | None = None) -> list[str]:
        return os.listdir(folder if handle is None else handle)

    def open_folder(self, path: str, *, within: int | None = None) -> int:
        return os.open(_name(path, within), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)

    def open(self, path: str) -> pa.NativeFile:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            # Arrow's own error for this has no errno.
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        refuse_pipe(path, status)
        # Arrow cannot encode a name that is not UTF-8.
        return pa.OSFile(os.fsencode(path), "rb")

    def open_own(self, path: str) -> io.FileIO:
        flags = os.O_NOFOLLOW | os.O_NONBLOCK
        return open(path, "rb", buffering=0, opener=lambda name, access: os.open(name, access | flags))

    def create(self, path: str, *, mode: int = 0o666) -> io.FileIO:
        return open(path, "xb", buffering=0, opener=lambda name, access: os.open(name, access, mode))

    def sync(self, file: io.FileIO) -> None:
        os.fsync(file.fileno())

    def make_folder(self, path: str) -> None:
        os.mkdir(path)

    def sync_path(self, path: str) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def link(self, source: str, target: str) -> None:
        os.link(source, target)

    def exchange(self, one: str, other: str) -> bool:
        """By renameat2(2), which only Linux has."""
        renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if renameat2 is None:
            return False
        if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
            return True
        number = ctypes.get_errno()
        if number in _NO_EXCHANGE:
            return False
        raise OSError(number, os.strerror(number))

    def unlink(self, path: str, *, within: int | None = None) -> None:
        os.unlink(_name(path, within), dir_fd=within)

    def remove_folder(self, path: str, *, within: int | None = None) -> None:
        os.rmdir(_name(path, within), dir_fd=within)


def _name(path: str, within: int | None) -> str:
    return path if within is None else os.path.basename(path)
