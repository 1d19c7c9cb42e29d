"""The only door to any file: find, open, commit, remove.

A place is a URI; a path without a scheme is a local one. `Storage` is what the rest of the job knows:
it deals in paths as strings, so that an object store can stand behind it as well as a local folder,
and tests can put one there that fails on request. Errors of the operating system and of Arrow leave
here as `StorageError`, `ResourceExhausted` or `NoInput`; nothing else of theirs gets out.
"""

import errno
import glob
import os
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

import pyarrow as pa

from job.errors import NoInput, ResourceExhausted, StorageError, UsageError

_EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_HIDDEN = (".", "_")


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

    def resolve(self, location: str) -> str:
        """The absolute path behind a location as the user wrote it."""
        ...

    def find(self, location: str) -> list[FileInfo]:
        """The files a location names, sorted by path: itself, a folder's (recursive), or a pattern's matches.

        Names that begin with `.` or `_` are passed over, except where they are named outright.
        Raises NoInput where there is none.
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

    def create(self, path: str, content: bytes) -> bool:
        """Write a small new file whole, unless there is one; whether this call was the one to make it."""
        ...

    def commit_folder(self, staging: str, target: str) -> None:
        """Give a finished folder its final name, in place of a folder that may be there."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; no error if it is not there."""
        ...


def storage_at(*locations: str) -> Storage:
    """The storage that all of the locations (paths or URIs) live in. Raises UsageError where there is none."""
    for location in locations:
        _check_scheme(location)
    return LocalStorage()


def _check_scheme(location: str) -> None:
    scheme = urllib.parse.urlsplit(location).scheme if "://" in location else "file"
    if scheme != "file":
        raise UsageError(f"{location}: {scheme}:// is not supported; mount it or copy it to a local folder")


class LocalStorage:
    """Files of this machine. A commit is: write beside the target, flush, fsync, rename, fsync the folder."""

    def resolve(self, location: str) -> str:
        """See Storage."""
        _check_scheme(location)
        if location.startswith("file://"):
            location = urllib.parse.unquote(urllib.parse.urlsplit(location).path)
        return os.path.abspath(os.path.expanduser(location))

    def find(self, location: str) -> list[FileInfo]:
        """See Storage."""
        path = self.resolve(location)
        with translated_errors(path):
            if os.path.isdir(path):
                paths = list(_walk(path))
            elif os.path.exists(path):
                paths = [path]
            else:
                paths = [match for match in _matches(path) if os.path.isfile(match)]
            found = [self._info(each) for each in sorted(paths)]
        if not found:
            raise NoInput(f"{location}: found no file there (looked at {path})")
        return found

    def is_folder(self, path: str) -> bool:
        """See Storage."""
        return os.path.isdir(path)

    def stat(self, path: str) -> FileInfo | None:
        """See Storage."""
        with translated_errors(path):
            return self._info(path) if os.path.isfile(path) else None

    def list(self, folder: str) -> list[str]:
        """See Storage."""
        with translated_errors(folder):
            return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def open(self, path: str) -> pa.NativeFile:
        """See Storage."""
        with translated_errors(path):
            if os.path.isdir(path):
                # Arrow has words of its own for this, and no error number.
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            return pa.OSFile(path, "rb")

    def read(self, path: str) -> bytes:
        """See Storage."""
        with translated_errors(path), open(path, "rb") as file:
            return file.read()

    @contextmanager
    def commit(self, path: str, *, beside: str | None = None) -> Iterator[BinaryIO]:
        """See Storage."""
        folder = os.path.dirname(path)
        # Not named after the target, whose name may be as long as names can be.
        temporary = os.path.join(beside or folder, f".{uuid.uuid4().hex}.tmp")
        with translated_errors(path):
            os.makedirs(folder, exist_ok=True)
            try:
                with open(temporary, "xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                with suppress(OSError):  # the first error is the one to tell; a stray temporary file is harmless
                    os.unlink(temporary)
                raise
            _sync_folder(folder)

    def create(self, path: str, content: bytes) -> bool:
        """See Storage."""
        folder = os.path.dirname(path)
        temporary = os.path.join(folder, f".{uuid.uuid4().hex}.tmp")
        with translated_errors(path):
            os.makedirs(folder, exist_ok=True)
            try:
                with open(temporary, "xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                _rename_unless_there(temporary, path)
            except FileExistsError:
                return False
            finally:
                with suppress(OSError):  # a stray temporary file is harmless
                    os.unlink(temporary)
            _sync_folder(folder)
        return True

    def commit_folder(self, staging: str, target: str) -> None:
        """See Storage."""
        parent, name = os.path.split(target)
        retired = os.path.join(parent, f".{name}.{uuid.uuid4().hex}.old")
        with translated_errors(target):
            for file in _walk(staging):
                _sync_file(file)
            _sync_folder(staging)
            if os.path.lexists(target):
                os.rename(target, retired)
            try:
                os.rename(staging, target)
            except OSError:
                if os.path.lexists(retired):
                    os.rename(retired, target)
                raise
            _sync_folder(parent)
        self.remove(retired)

    def remove(self, path: str) -> None:
        """See Storage."""
        with translated_errors(path):
            if os.path.isdir(path) and not os.path.islink(path):
                _remove_folder(path)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(path)

    @staticmethod
    def _info(path: str) -> FileInfo:
        status = os.stat(path)
        return FileInfo(path, status.st_size, str(status.st_mtime_ns))


def join(folder: str, *names: str) -> str:
    """A path below a folder."""
    return "/".join((folder.rstrip("/"), *names))


def common_folder(paths: list[str]) -> str:
    """The deepest folder that holds all of the given absolute file paths."""
    return os.path.commonpath([os.path.dirname(path) for path in paths])


def relative_to(folder: str, path: str) -> str:
    """A path as seen from a folder above it."""
    return str(PurePosixPath(path).relative_to(folder))


def _walk(folder: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
        yield from (os.path.join(here, name) for name in files if not name.startswith(_HIDDEN))


def _matches(pattern: str) -> Iterator[str]:
    """What a pattern matches, without hidden names where the pattern does not spell them out."""
    parts = pattern.split("/")
    spelled_out = next((depth for depth, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    for match in glob.iglob(pattern, recursive=True):
        if not any(name.startswith(_HIDDEN) for name in match.split("/")[spelled_out:]):
            yield match


def _rename_unless_there(source: str, target: str) -> None:
    """Raise FileExistsError where there is a target; `source` may remain beside it."""
    try:
        # Unlike a rename, a link does not replace what is there.
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Some mounts (SMB, FUSE) have no links. Between this look and the rename another process may be faster.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        os.rename(source, target)


def _remove_folder(folder: str) -> None:
    # Two processes may remove the same folder at once; what the other one took first is no error.
    for here, folders, files in os.walk(folder, topdown=False):
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        for name in (*files, *links):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(here, name))
        with suppress(FileNotFoundError):
            os.rmdir(here)


def _sync_file(path: str) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: str) -> None:
    # A rename is only durable once the folder that records it is.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def translated_errors(path: str) -> Iterator[None]:
    """Turn the operating system's errors about a path into digit-job's, for whoever reads from an open file."""
    try:
        yield
    except OSError as error:
        # Arrow's own text names the path again, and can be many lines long.
        reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
        if error.errno in _EXHAUSTED:
            raise ResourceExhausted(f"{path}: {reason}; free some and run the same command again") from error
        raise StorageError(f"{path}: {reason}") from error
