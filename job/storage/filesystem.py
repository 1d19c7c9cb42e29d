"""What an operating system does with files, one method for each operation: all that `storage` is made of.

Narrow on purpose: a test that puts another class in its place sees every operation of a run, and can make any one
of them fail. Errors are the operating system's own; `storage` translates them.
"""

import ctypes
import errno
import io
import os
from typing import Final, Protocol

import pyarrow as pa

_NO_EXCHANGE: Final = {errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}

# The manual page renameat2(2) and linux/fs.h name these.
_AT_FDCWD: Final = -100

_RENAME_EXCHANGE: Final = 2


class FileSystem(Protocol):
    """The operations. Paths are absolute; every method raises OSError, and what is not there is FileNotFoundError."""

    def stat(self, path: str, *, follows_links: bool = True) -> os.stat_result:
        """What stands at a path: its kind, size, times."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names in a folder, in any order."""
        ...

    def open(self, path: str) -> pa.NativeFile:
        """A file to read; its reads do not hold Python's lock."""
        ...

    def create(self, path: str) -> io.FileIO:
        """A new file to write, without a buffer; FileExistsError where there is one."""
        ...

    def sync(self, file: io.FileIO) -> None:
        """Return once all that was written to a file is on the device."""
        ...

    def make_folder(self, path: str) -> None:
        """A new folder in one that is there; FileExistsError where something stands at the path."""
        ...

    def sync_path(self, path: str) -> None:
        """Return once the content of a file, or the names in a folder, are on the device."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Give a file or folder another name; a file or empty folder at the target is replaced in the same step."""
        ...

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; FileExistsError where the name is taken."""
        ...

    def exchange(self, one: str, other: str) -> bool:
        """Swap two names in one step; False where this system, or this mount, cannot."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a name of a file."""
        ...

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        ...


class LocalFileSystem:
    """The machine's own. Its methods are those of FileSystem."""

    def stat(self, path: str, *, follows_links: bool = True) -> os.stat_result:
        return os.stat(path, follow_symlinks=follows_links)

    def names(self, folder: str) -> list[str]:
        return os.listdir(folder)

    def open(self, path: str) -> pa.NativeFile:
        if os.path.isdir(path):
            # Arrow has words of its own for this, and no error number.
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Arrow would encode a name itself, and know no way for one that is not UTF-8.
        return pa.OSFile(os.fsencode(path), "rb")

    def create(self, path: str) -> io.FileIO:
        return open(path, "xb", buffering=0)

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
        """By Linux's renameat2(2), which no other system has under this name."""
        renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if renameat2 is None:
            return False
        if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
            return True
        number = ctypes.get_errno()
        if number in _NO_EXCHANGE:
            return False
        raise OSError(number, os.strerror(number))

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def remove_folder(self, path: str) -> None:
        os.rmdir(path)
