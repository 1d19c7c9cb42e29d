"""Removes folders without being led out of them: by descriptors, following no link. `LocalStorage` uses it.

By paths, another user could put a link in the place of a folder between a look at it and the removal of what is in it.
Only one descriptor is open at a time, so that a folder may be of any depth; the way up is checked.
"""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
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


def remove_folder(system: FileSystem, folder: str, *, only_own: bool = False) -> None:
    """Remove a folder and all that is in it, even while another process removes it or writes into it.

    only_own: leave what belongs to another user. Raises OSError; PermissionError for what `only_own` leaves.
    """
    for remaining_tries in reversed(range(_TRIES)):
        try:
            handle = system.open_folder(folder)
        except FileNotFoundError:
            return
        try:
            _empty(system, folder, handle, only_own=only_own)
            system.remove_folder(folder)
        except FileNotFoundError:
            continue  # another process removes it, too
        except OSError as error:
            if error.errno not in _NOT_EMPTY or not remaining_tries:
                raise


def _empty(system: FileSystem, folder: str, handle: int, *, only_own: bool) -> None:
    """Remove everything in an open folder, and close it."""
    try:
        levels = [_entered(system, folder, handle, only_own=only_own)]
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
                    system.unlink(path, within=handle)
                    continue
                os.close(handle)
                handle = below
                levels.append(_entered(system, path, handle, only_own=only_own))
            elif len(levels) > 1:
                levels.pop()
                above = system.open_folder(os.path.join(level.path, ".."), within=handle)
                os.close(handle)
                handle = above
                if _identity(handle) != levels[-1].identity:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))  # somebody moved it elsewhere meanwhile
                system.remove_folder(level.path, within=handle)
            else:
                return
    finally:
        os.close(handle)


def _entered(system: FileSystem, path: str, handle: int, *, only_own: bool) -> _Level:
    """A folder that was just opened, without its files."""
    _check_owner(os.fstat(handle), only_own=only_own)
    folders: list[str] = []
    for name in system.names(path, handle=handle):
        each = os.path.join(path, name)
        with suppress(FileNotFoundError):  # another process removed it first
            status = system.stat(each, follows_links=False, within=handle)
            if stat.S_ISDIR(status.st_mode):
                folders.append(each)
            else:
                _check_owner(status, only_own=only_own)
                system.unlink(each, within=handle)
    return _Level(path, _identity(handle), folders)


def _identity(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino


def _check_owner(status: os.stat_result, *, only_own: bool) -> None:
    if only_own and status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
