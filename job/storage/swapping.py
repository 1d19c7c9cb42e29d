"""Replaces folders where two names cannot be exchanged, so that no interruption loses one. `LocalStorage` uses it.

The old folder, or its files where the folder is a mount point, is retired first: moved to `.NAME.<hex>.old`. If the
swap does not end well, the old one gets its place back: at once after an error or a signal, by `restore_folder` or
`restore_files` after a crash. `discard` renames what it deletes to `.tmp` first, so that `.old` is always whole.
"""

import errno
import os
import re
import stat
import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress

from job.storage.filesystem import FileSystem
from job.storage.finding import is_folder, status_at
from job.storage.removing import remove_folder

# The end of the name of a staging folder (.NAME.<hex>.tmp) or a retired one (.NAME.<hex>.old).
_ENDING = re.compile(r"[0-9a-f]{32}\.(tmp|old)")
# What mounts without hard links answer.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_RETIRED = ".old"
_STAGING = ".tmp"


def swap_folder(system: FileSystem, staging: str, target: str) -> str:
    """Rename `staging` to `target`; returns the path of the retired folder, which does not exist if there was none.

    On any exception the old folder is back at `target`, unless the system refuses that, too.
    """
    retired = _retired_path(os.path.dirname(target), target)
    try:
        if status_at(system, target, follows_links=False):
            system.rename(target, retired)
            # The old folder keeps a name whatever a power cut leaves.
            system.sync_path(os.path.dirname(target))
        system.rename(staging, target)
    except BaseException:  # raised again: a signal must not leave the name without a folder
        with suppress(OSError):  # the first error is the one to report; `restore_folder` tries again
            if status_at(system, retired, follows_links=False) and not status_at(system, target, follows_links=False):
                system.rename(retired, target)
        raise
    return retired


def restore_folder(system: FileSystem, target: str) -> bool:
    """Give the folder that was retired last its name back if `target` is missing or empty; returns whether it did."""
    if _has_content(system, target):
        return False
    retired = _restorable(system, os.path.dirname(target), target)
    if not retired:
        return False
    system.rename(max(retired, key=lambda path: last_change(system, path)), target)
    system.sync_path(os.path.dirname(target))
    return True


def swap_files(system: FileSystem, staging: str, target: str, *, last: str, names: Collection[str]) -> str:
    """Move the files of `staging` into `target`, the file `last` last; returns the path of the retired folder.

    Files that `target` has of the given names are retired first. They leave `target`, `last` first, once the retired
    folder holds all of them. On any exception they are back, unless the system refuses that, too.
    """
    retired = _retired_path(target, target)
    present = set(system.names(target)) & set(names)
    try:
        # Files without the last one are no folder of this kind: nothing is lost with them.
        if last in present:
            system.make_folder(retired)
            system.sync_path(target)
            _share(system, target, retired, _ordered(present, last), last)
            system.sync_path(retired)
        _clear(system, target, present & set(system.names(target)), last)
        _move(system, staging, target, _ordered(system.names(staging), last), last)
    except BaseException:  # raised again: a signal must not leave a mixture of two folders
        with suppress(OSError):  # the first error is the one to report; `restore_files` tries again
            _put_back(system, retired, target, last, names)
        raise
    return retired


def restore_files(system: FileSystem, target: str, *, last: str, names: Collection[str]) -> bool:
    """Move the files back that an interrupted `swap_files` has retired; returns whether there were any."""
    retired = _restorable(system, target, target)
    is_whole = status_at(system, os.path.join(target, last)) is not None
    # A swap is finished if both folders have their last file.
    interrupted = [path for path in retired if not (is_whole and status_at(system, os.path.join(path, last)))]
    if not interrupted:
        return False
    _put_back(system, max(interrupted, key=lambda path: last_change(system, path)), target, last, names)
    system.sync_path(target)
    return True


def discard(system: FileSystem, path: str, *, only_own: bool = False) -> None:
    """Delete a folder, a retired one under the name of a staging folder. only_own: see `remove_folder`."""
    if path.endswith(_RETIRED) and status_at(system, path, follows_links=False):
        renamed = path.removesuffix(_RETIRED) + _STAGING
        system.rename(path, renamed)
        path = renamed
    remove_folder(system, path, only_own=only_own)
    with suppress(FileNotFoundError):  # another process removed the folder around it, too
        system.sync_path(os.path.dirname(path))


def left_over(system: FileSystem, folder: str, name: str, *endings: str) -> list[str]:
    """The staging or retired folders of `name` in a folder, in any order. endings: `.tmp`, `.old`; none: both."""
    try:
        found = system.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        path
        for each in found
        if each.startswith(f".{name}.")
        and _ENDING.fullmatch(each, len(name) + 2)
        and each.endswith(endings or (_STAGING, _RETIRED))
        and is_folder(system, path := os.path.join(folder, each), follows_links=False)
    ]


def last_change(system: FileSystem, path: str) -> float:
    """When a path was changed or renamed last, in seconds since 1970; infinity if it does not exist any more.

    A rename leaves a folder's modification time as it was, and sets its change time on most file systems.
    """
    status = status_at(system, path, follows_links=False)
    return max(status.st_mtime, status.st_ctime) if status else float("inf")


def _restorable(system: FileSystem, folder: str, target: str) -> list[str]:
    """The retired folders of `target` in a folder, except for those of users who do not own that folder.

    Such a user can have made one only to have it taken for the older model.
    """
    owners = {0, os.geteuid(), system.stat(folder).st_uid} if is_folder(system, folder) else set()
    found = left_over(system, folder, os.path.basename(target), _RETIRED)
    states = ((path, status_at(system, path, follows_links=False)) for path in found)
    return [path for path, status in states if status and status.st_uid in owners]


def _retired_path(folder: str, target: str) -> str:
    return os.path.join(folder, f".{os.path.basename(target)}.{uuid.uuid4().hex}{_RETIRED}")


def _has_content(system: FileSystem, path: str) -> bool:
    """Whether a path is there and no empty folder."""
    status = status_at(system, path, follows_links=False)
    return status is not None and not (stat.S_ISDIR(status.st_mode) and not system.names(path))


def _put_back(system: FileSystem, retired: str, target: str, last: str, names: Collection[str]) -> None:
    """The steps of `swap_files` in reverse; may itself be interrupted and repeated."""
    if not is_folder(system, retired):
        return
    kept, present = system.names(retired), set(system.names(target)) & set(names)
    if last in kept:
        # All that is in the target is new, or is in the retired folder, too.
        _clear(system, target, present, last)
        present = set()
    _share(system, retired, target, _ordered(set(kept) - present, last), last)
    system.sync_path(target)
    _unlink(system, retired, system.names(retired))
    system.remove_folder(retired)


def _share(system: FileSystem, source: str, target: str, names: Iterable[str], last: str) -> None:
    """Give files of one folder a name in another, too, `last` last; where the mount has no hard links, move them.

    A move between folders that a power cut tears apart may leave a file in neither.
    """
    for name in names:
        if name == last:
            system.sync_path(target)
        paths = os.path.join(source, name), os.path.join(target, name)
        try:
            system.link(*paths)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            system.rename(*paths)


def _move(system: FileSystem, source: str, target: str, names: Iterable[str], last: str) -> None:
    for name in names:
        if name == last:
            # A folder that holds this file after a power cut is to hold the others, too.
            system.sync_path(target)
        system.rename(os.path.join(source, name), os.path.join(target, name))


def _clear(system: FileSystem, folder: str, names: Collection[str], last: str) -> None:
    """Delete files, `last` first: a folder that holds it after a power cut is to hold the others, too."""
    if last in names:
        _unlink(system, folder, [last])
        system.sync_path(folder)
    _unlink(system, folder, set(names) - {last})


def _unlink(system: FileSystem, folder: str, names: Iterable[str]) -> None:
    for name in names:
        system.unlink(os.path.join(folder, name))


def _ordered(names: Iterable[str], last: str) -> list[str]:
    return sorted(names, key=lambda name: (name == last, name))
