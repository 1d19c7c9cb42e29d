"""A file system that counts its operations and lets one of them fail, as in SQLite's tests."""

import errno
import io
import os
import threading

import pyarrow as pa

from job.storage.filesystem import LocalFileSystem

_COUNTED = (
    "stat", "names", "open_folder", "make_folder", "sync_path", "rename", "exchange", "link", "unlink", "remove_folder",
)  # fmt: skip


class Dead(BaseException):
    """The process has died: no operation has any effect any more."""


def nothing():
    """No fault, or a short write."""


def with_error(number=errno.EIO):
    """A fault: the operation raises OSError and has no effect, except that a write takes half of its bytes."""

    def fail():
        raise OSError(number, os.strerror(number))

    return fail


def die():
    """A fault: the process dies; a write takes half of its bytes before. No later operation has any effect."""
    raise Dead


def first_operation_below(folder, log):
    """The number, from 1, of the first operation in a log on a folder or on anything in it."""
    return next(number for number, (_, path) in enumerate(log, 1) if path.startswith(str(folder)))


class FaultyFileSystem(LocalFileSystem):
    """Calls `fault` in place of the `at`th of its operations, counted from 1.

    only: the operations that count; None: all. A fault that returns from a write makes it a short write: it has taken
    half of its bytes, as write(2) may. log: the operations so far, each with its path. was_struck: whether the fault
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

    def begin(self, fault, at):
        """Count from here on, and call `fault` in place of the `at`th operation."""
        self._fault, self._at, self._count, self.log = fault, at, 0, []

    def count(self, operation, path):
        """Count an operation and let it fail if it is the chosen one; of a write only return True then."""
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
        """Call the fault."""
        self._is_dead = self._fault is die
        self._fault()

    def open(self, path):
        self.count("open", path)
        return pa.PythonFile(_Reading(path, self), "r")

    def open_own(self, path):
        self.count("open_own", path)
        return super().open_own(path)

    def create(self, path, *, mode=0o666):
        self.count("create", path)
        return _Writing(path, self, mode)

    def sync(self, file):
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
    """A file being read; every read counts."""

    def __init__(self, path, system):
        super().__init__(path, "rb")
        self._system = system

    def read(self, size=-1):
        self._system.count("read", self.name)
        return super().read(size)


class _Writing(io.FileIO):
    """A file being written; every write counts."""

    def __init__(self, path, system, mode):
        super().__init__(path, "xb", opener=lambda name, access: os.open(name, access, mode))
        self._system = system

    def write(self, content):
        if not self._system.count("write", self.name):
            return super().write(content)
        taken = super().write(memoryview(content)[: (len(content) + 1) // 2])
        self._system.strike()
        return taken
