"""Storage on a local or mounted file system.

A commit is: write a temporary file, flush, fsync, rename, fsync the folder. See `Storage` for the contracts of the
methods.
"""

import errno
import io
import os
import stat
import time
import urllib.parse
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import pyarrow as pa

from job.errors import DataError, DigitJobError, NoInput, OutputOccupied, UsageError
from job.ownership import distrust
from job.storage.faults import translated_errors
from job.storage.filesystem import FileSystem, LocalFileSystem
from job.storage.finding import files_below, is_folder, matches, status_at
from job.storage.paths import check_scheme
from job.storage.protocol import FileInfo
from job.storage.removing import remove_folder
from job.storage.stopping import CheckStop, never_stop
from job.storage.streams import is_stream, open_stream, refuse_if_no_file, refuse_if_no_folder
from job.storage.swapping import (
    NO_LINKS,
    discard,
    last_change,
    left_over,
    restore_files,
    restore_folder,
    swap_files,
    swap_folder,
)

_BUFFER_BYTES = 1 << 17

_ABANDONED_SECONDS = 24 * 60 * 60


class LocalStorage:
    """The storage of paths without a scheme and of file:// URIs.

    system: the operations it is built on; those of the operating system unless a test passes others.
    """

    def __init__(self, system: FileSystem | None = None, check_stop: CheckStop = never_stop) -> None:
        self._system = system or LocalFileSystem()
        self.check_stop = check_stop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalStorage) and other._system is self._system

    def __hash__(self) -> int:
        return id(self._system)

    def stopping(self, check_stop: CheckStop) -> "LocalStorage":
        return LocalStorage(self._system, check_stop)

    def resolve(self, location: str) -> str:
        check_scheme(location)
        if location.startswith("file://"):
            path = location.removeprefix("file://").partition("/")[2]
            location = "/" + urllib.parse.unquote(path, errors="surrogateescape")
        if "\0" in location:
            raise UsageError(f"{location!r}: contains a NUL character, which no path can")
        return os.path.abspath(os.path.expanduser(location))

    def real_path(self, path: str) -> str:
        return self._system.real_path(path)

    def find(self, location: str) -> list[FileInfo]:
        path = self.resolve(location)
        with translated_errors(path):
            status = status_at(self._system, path)
            if status is None:
                paths = matches(self._system, path)
            elif stat.S_ISDIR(status.st_mode):
                paths = files_below(self._system, path)
            elif stat.S_ISREG(status.st_mode):
                paths = iter((path,))
            else:
                raise UsageError(
                    f"{location}: is a pipe or a device, which cannot be read twice; write its content to a file"
                )
            found = [info for each in sorted(set(paths)) if (info := self._existing_file(each))]
        if not found:
            raise NoInput(f"{location}: found no file there (looked at {path})")
        return found

    def is_folder(self, path: str) -> bool:
        with translated_errors(path):
            return is_folder(self._system, path)

    def stat(self, path: str) -> FileInfo | None:
        with translated_errors(path):
            return self._file(path)

    def is_stream(self, path: str) -> bool:
        with translated_errors(path):
            return is_stream(path, status_at(self._system, path))

    def list(self, folder: str) -> list[str]:
        with translated_errors(folder), suppress(FileNotFoundError, NotADirectoryError):
            return sorted(self._system.names(folder))
        return []

    def open(self, path: str) -> pa.NativeFile:
        with translated_errors(path):
            return self._system.open(path)

    def read(self, path: str) -> bytes:
        with translated_errors(path), self._system.open(path) as file:
            content: bytes = file.read()
            return content

    def read_own(self, path: str, *, max_bytes: int) -> bytes:
        with translated_errors(path):
            try:
                file = io.BufferedReader(self._system.open_own(path))
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                raise DataError(f"{path}: is a link, expected a file") from error
            with file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise DataError(f"{path}: is no regular file")
                if reason := distrust(status):
                    raise DataError(f"{path}: {reason}, who may have changed it")
                if status.st_size > max_bytes:
                    raise DataError(f"{path}: has {status.st_size:,} bytes, expected at most {max_bytes:,}")
                return file.read(max_bytes)

    @contextmanager
    def commit(self, path: str, *, beside: str | None = None, is_private: bool = False) -> Iterator[BinaryIO]:
        folder = os.path.dirname(path)
        with translated_errors(path):
            status = status_at(self._system, path)
            if is_stream(path, status):
                with io.BufferedWriter(open_stream(path), _BUFFER_BYTES) as stream:
                    yield stream
                return
            refuse_if_no_file(path, status)
            self._make_folders(folder)
            with self._temporary(beside or folder) as temporary:
                with self._new_file(temporary, mode=0o600 if is_private else 0o666) as file:
                    yield file
                self._system.rename(temporary, path)
            self._system.sync_path(folder)

    def write(self, path: str, content: bytes) -> None:
        with self.commit(path) as file:
            file.write(content)

    def create(self, path: str, content: bytes) -> bool:
        folder = os.path.dirname(path)
        with translated_errors(path):
            self._make_folders(folder)
            with self._temporary(folder) as temporary:
                with self._new_file(temporary) as file:
                    file.write(content)
                is_ours = self._rename_unless_there(temporary, path)
            self._system.sync_path(folder)
        return is_ours

    def commit_folder(self, staging: str, target: str) -> None:
        with translated_errors(target):
            refuse_if_no_folder(target, status_at(self._system, target))
            self._sync_all(staging)
            # Without an exchange there is a moment at which no folder has the name.
            if status_at(self._system, target, follows_links=False) and self._system.exchange(staging, target):
                retired = staging
            else:
                retired = swap_folder(self._system, staging, target)
            self._system.sync_path(os.path.dirname(target))
        self._discard(retired)

    def recover_folder(self, target: str) -> bool:
        with translated_errors(target):
            is_restored = restore_folder(self._system, target)
        self._remove_abandoned(os.path.dirname(target), os.path.basename(target))
        return is_restored

    def is_mount(self, path: str) -> bool:
        with translated_errors(path):
            status, above = (status_at(self._system, each) for each in (path, os.path.dirname(path)))
            return status is not None and above is not None and status.st_dev != above.st_dev

    def commit_files(self, staging: str, target: str, *, last: str, names: Collection[str]) -> None:
        with translated_errors(target):
            for name in self._system.names(staging):
                self._system.sync_path(os.path.join(staging, name))
            retired = swap_files(self._system, staging, target, last=last, names=names)
            self._system.sync_path(target)
        self._discard(retired)
        self.remove(staging)

    def recover_files(self, target: str, *, last: str, names: Collection[str]) -> bool:
        with translated_errors(target):
            is_restored = restore_files(self._system, target, last=last, names=names)
        self._remove_abandoned(target, os.path.basename(target))
        return is_restored

    def rename(self, source: str, target: str) -> bool:
        with translated_errors(source):
            try:
                self._system.rename(source, target)
            except FileNotFoundError:
                return False
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                return False
            self._system.sync_path(os.path.dirname(target))
            return True

    def remove(self, path: str, *, only: Collection[str] | None = None) -> None:
        with translated_errors(path):
            status = status_at(self._system, path, follows_links=False)
            if status is None or (only is not None and not stat.S_ISDIR(status.st_mode) and path not in only):
                return
            if stat.S_ISDIR(status.st_mode):
                remove_folder(self._system, path, only=only)
            else:
                self._unlink(path)
            with suppress(FileNotFoundError):  # another process removed the folder, too
                self._system.sync_path(os.path.dirname(path))

    def _file(self, path: str) -> FileInfo | None:
        status = status_at(self._system, path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        return FileInfo(path, status.st_size, str(status.st_mtime_ns))

    def _existing_file(self, path: str) -> FileInfo | None:
        """As `_file`, but raises FileNotFoundError for a link to nothing."""
        with translated_errors(path):
            self._system.stat(path)
            return self._file(path)

    def _make_folders(self, folder: str) -> None:
        """Make a folder and its missing parents; each is durable before anything is written into it."""
        missing: list[str] = []
        while not is_folder(self._system, folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(missing):
            try:
                self._system.make_folder(each)
            except FileExistsError as error:
                # Another process may have made it first.
                if not is_folder(self._system, each):
                    raise OutputOccupied(
                        f"{each}: is a file, so it cannot be a folder; choose another place"
                    ) from error
            self._system.sync_path(os.path.dirname(each))

    def _sync_all(self, folder: str) -> None:
        """Make everything in a folder durable: files, names and folders of any depth, hidden ones included."""
        for name in self._system.names(folder):
            path = os.path.join(folder, name)
            if is_folder(self._system, path, follows_links=False):
                self._sync_all(path)
            else:
                self._system.sync_path(path)
        self._system.sync_path(folder)

    @contextmanager
    def _temporary(self, folder: str) -> Iterator[str]:
        """A path for a temporary file, which is removed if the block raises."""
        # Not derived from the target's name, which may be as long as the file system allows.
        path = os.path.join(folder, f".{uuid.uuid4().hex}.tmp")
        try:
            yield path
        except BaseException:  # re-raised: a signal must not leave a temporary file, either
            with suppress(OSError):  # the first error is the one to report; a stray temporary file is harmless
                self._unlink(path)
            raise

    @contextmanager
    def _new_file(self, path: str, *, mode: int = 0o666) -> Iterator[BinaryIO]:
        """A new file to write, durable once the block ends without an error."""
        with self._system.create(path, mode=mode) as raw:
            file = io.BufferedWriter(raw, _BUFFER_BYTES)
            try:
                yield file
                file.flush()
                self._system.sync(raw)
            except BaseException:  # re-raised after discarding the buffer
                # Closing `file` would write the rest of its buffer.
                with suppress(OSError):
                    file.raw.close()
                raise

    def _rename_unless_there(self, source: str, target: str) -> bool:
        """Rename `source` unless `target` exists; returns whether it was renamed. `source` is gone in either case."""
        try:
            # Unlike a rename, a hard link never replaces the target.
            self._system.link(source, target)
        except FileExistsError:
            self._unlink(source)
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        else:
            self._unlink(source)
            return True
        # Some mounts (SMB, FUSE) have no hard links. There, another process can create the target before the rename.
        if status_at(self._system, target, follows_links=False):
            self._unlink(source)
            return False
        self._system.rename(source, target)
        return True

    def _remove_abandoned(self, folder: str, name: str) -> None:
        """Delete this user's staging and retired folders of `name` in a folder that nobody has touched for a day.

        Called when the folder of that name is in its place, or was never made: no retired one is the only copy.
        """
        with translated_errors(folder):
            leftovers = left_over(self._system, folder, name)
        for path in leftovers:
            with translated_errors(path):
                status = status_at(self._system, path, follows_links=False)
                age = time.time() - last_change(self._system, path)
            if status and status.st_uid == os.geteuid() and age > _ABANDONED_SECONDS:
                self._discard(path, only_own=True)

    def _discard(self, path: str, *, only_own: bool = False) -> None:
        # A leftover that cannot be deleted does no harm; a later run tries again.
        with suppress(DigitJobError), translated_errors(path):
            discard(self._system, path, only_own=only_own)

    def _unlink(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._system.unlink(path)
