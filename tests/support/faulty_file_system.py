"""A file system that counts its operations and breaks the one it is told to, as SQLite's tests do."""

import errno
import io
import os
import threading

import pyarrow as pa

from job.storage.filesystem import LocalFileSystem

_COUNTED = (
    "stat", "names", "make_folder", "sync_path", "rename", "exchange", "link", "unlink", "remove_folder",
)  # fmt: skip


class Dead(BaseException):
    """The process is no more: whatever still runs of it reaches nothing."""


def nothing():
    """No fault: operations are only counted."""


def with_error(number=errno.EIO):
    """A fault: the operation does not happen, and says why; of a write, half of the bytes are written all the same."""

    def fail():
        raise OSError(number, os.strerror(number))

    return fail


def die():
    """A fault: the process stops; of a write, half of the bytes are written. No later operation has any effect."""
    raise Dead


class FaultyFileSystem(LocalFileSystem):
    """Breaks the `at`th of its operations, counted from 1; of its writes, where the fault is a short write.

    fault: called in the operation's place; where it returns from a write, that has taken half of its bytes and says
    so, as write(2) may. `log`: the operations so far, in order, each with its path. `was_struck`: whether the fault
    has happened.
    """

    def __init__(self, fault=nothing, at=0, *, only=None):
        self._fault = fault
        self._at = at
        self._only = only
        self._count = 0
        self._lock = threading.Lock()
        self._is_dead = False
        self.log = []
        self.was_struck = False

    def count(self, operation, path):
        """Count an operation; raises in the place of the one to fail, unless it is a write: True then."""
        with self._lock:
            if self._is_dead:
                raise Dead
            self.log.append((operation, path))
            self._count += self._only in {None, operation}
            if self.was_struck or self._count != self._at:
                return False
            self.was_struck = True
        if operation != "write":
            self.strike()
        return True

    def strike(self):
        """Let the fault happen."""
        self._is_dead = self._fault is die
        self._fault()

    def open(self, path):
        """See FileSystem."""
        self.count("open", path)
        return pa.PythonFile(_Reading(path, self), "r")

    def create(self, path):
        """See FileSystem."""
        self.count("create", path)
        return _Writing(path, self)

    def sync(self, file):
        """See FileSystem."""
        self.count("sync", file.name)
        super().sync(file)


def _counted(name):
    operation = getattr(LocalFileSystem, name)

    def counted(self, path, *others, **options):
        self.count(name, (others or (path,))[0])
        return operation(self, path, *others, **options)

    return counted


for _name in _COUNTED:
    setattr(FaultyFileSystem, _name, _counted(_name))


class _Reading(io.FileIO):
    """A file being read, each of whose reads counts."""

    def __init__(self, path, system):
        super().__init__(path, "rb")
        self._system = system

    def read(self, size=-1):
        self._system.count("read", self.name)
        return super().read(size)


class _Writing(io.FileIO):
    """A file being written, each of whose writes counts."""

    def __init__(self, path, system):
        super().__init__(path, "xb")
        self._system = system

    def write(self, content):
        if not self._system.count("write", self.name):
            return super().write(content)
        taken = super().write(memoryview(content)[: (len(content) + 1) // 2])
        self._system.strike()
        return taken
