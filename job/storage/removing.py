"""Removes folders without being led out of them: by descriptors, following no link. `LocalStorage` uses it.

By paths, another user could put a link in the place of a folder between a look at it and the removal of what is in it.
Only one descriptor is open at a time, so that a folder may be of any depth; the way up is checked.
"""

import errno
import os
import stat
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from job.storage.filesystem import FileSystem

_NOT_EMPTY: Final = {errno.ENOTEMPTY, errno.EEXIST}
# A link took the place of a folder.
_NO_FOLDER: Final = {errno.ELOOP, errno.ENOTDIR}
# Attempts to remove a folder into which another process keeps writing, or which it removes as well.
_TRIES: Final = 100


@dataclass(frozen=True)
class _Level:
    """A folder on the way down: its path, its device and inode, and the paths of the folders in it that are left."""

    path: str
    identity: tuple[int, int]
    folders: list[str]


def remove_folder(
    system: FileSystem, folder: str, *, only_own: bool = False, only: Collection[str] | None = None
) -> None:
    """Remove a folder and all that is in it, even while another process removes it or writes into it.

    only_own: leave what belongs to another user. only: remove no more than the files of these paths, and the folders
    that this empties. Raises OSError; PermissionError for what `only_own` leaves.
    """
    chosen = _Chosen(only_own=only_own, files=None if only is None else frozenset(only))
    for remaining_tries in reversed(range(_TRIES)):
        try:
            handle = system.open_folder(folder)
        except FileNotFoundError:
            return
        try:
            _empty(system, folder, handle, chosen)
            system.remove_folder(folder)
        except FileNotFoundError:
            continue  # another process removes it, too
        except OSError as error:
            if chosen.files is not None and error.errno in _NOT_EMPTY:
                return
            if error.errno not in _NOT_EMPTY or not remaining_tries:
                raise


@dataclass(frozen=True)
class _Chosen:
    """What is to be removed. files: None for all; otherwise, links are left alone, and folders without any of them."""

    only_own: bool
    files: frozenset[str] | None

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that hold one of `files` at any depth."""
        found: set[str] = set()
        for path in self.files or ():
            while (path := os.path.dirname(path)) not in found and path != "/":
                found.add(path)
        return frozenset(found)

    def has_file(self, path: str) -> bool:
        return self.files is None or path in self.files

    def has_folder(self, path: str) -> bool:
        return self.files is None or path in self.folders


def _empty(system: FileSystem, folder: str, handle: int, chosen: _Chosen) -> None:
    """Remove everything that is chosen in an open folder, and close it."""
    try:
        levels = [_entered(system, folder, handle, chosen)]
        while True:
            level = levels[-1]
            if level.folders:
                path = level.folders.pop()
                try:
                    below = system.open_folder(path, within=handle)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno not in _NO_FOLDER:
                        raise
                    if chosen.has_file(path):
                        system.unlink(path, within=handle)
                    continue
                os.close(handle)
                handle = below
                levels.append(_entered(system, path, handle, chosen))
            elif len(levels) > 1:
                levels.pop()
                above = system.open_folder(os.path.join(level.path, ".."), within=handle)
                os.close(handle)
                handle = above
                if _identity(handle) != levels[-1].identity:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))  # somebody moved it elsewhere meanwhile
                _remove_emptied(system, level.path, handle, chosen)
            else:
                return
    finally:
        os.close(handle)


def _remove_emptied(system: FileSystem, path: str, handle: int, chosen: _Chosen) -> None:
    try:
        system.remove_folder(path, within=handle)
    except OSError as error:
        if chosen.files is None or error.errno not in _NOT_EMPTY:
            raise


def _entered(system: FileSystem, path: str, handle: int, chosen: _Chosen) -> _Level:
    """A folder that was just opened, without the files that are chosen."""
    _check_owner(os.fstat(handle), chosen)
    folders: list[str] = []
    for name in system.names(path, handle=handle):
        each = os.path.join(path, name)
        if not chosen.has_file(each) and not chosen.has_folder(each):
            continue
        with suppress(FileNotFoundError):  # another process removed it first
            status = system.stat(each, follows_links=False, within=handle)
            if not stat.S_ISDIR(status.st_mode):
                _check_owner(status, chosen)
                if chosen.has_file(each):
                    system.unlink(each, within=handle)
            elif chosen.has_folder(each):
                folders.append(each)
    return _Level(path, _identity(handle), folders)


def _identity(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino


def _check_owner(status: os.stat_result, chosen: _Chosen) -> None:
    if chosen.only_own and status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
