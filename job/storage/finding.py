"""Finds files: those below a folder, and those that a pattern matches.

A path that cannot be inspected raises: a file that is skipped silently is a lost input. Links to folders are followed
only where the user spells them out, because they can lead out of the folder or in circles. Functions raise the
system's own OSError; `LocalStorage` translates it.
"""

import errno
import fnmatch
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from job.storage.filesystem import FileSystem

_HIDDEN: Final = (".", "_")

# mkfs creates it in every new volume, readable by root alone.
_LOST_AND_FOUND: Final = "lost+found"

_ANY_FOLDERS: Final = "**"


def status_at(system: FileSystem, path: str, *, follows_links: bool = True) -> os.stat_result | None:
    """The status of a path; None if it does not exist, or is too long to. Others raise: the path may well exist."""
    try:
        return system.stat(path, follows_links=follows_links)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return None


def is_folder(system: FileSystem, path: str, *, follows_links: bool = True) -> bool:
    """Whether `path` is a folder or, with `follows_links`, a link to one."""
    status = status_at(system, path, follows_links=follows_links)
    return status is not None and stat.S_ISDIR(status.st_mode)


def files_below(system: FileSystem, folder: str) -> Iterator[str]:
    """All paths below a folder that are not folders, except hidden ones; in any order."""
    folders = [folder]
    while folders:
        for path in _visible(system, folders.pop()):
            if not is_folder(system, path):
                yield path
            elif is_folder(system, path, follows_links=False):
                folders.append(path)


def matches(system: FileSystem, pattern: str) -> Iterator[str]:
    """The paths that an absolute pattern matches, in any order, some perhaps twice.

    `*`, `?` and `[..]` match within a name; `**` matches any number of folders or, at the end, all files below.
    Hidden names match only where the pattern spells them out.
    """
    searched = [("/", pattern.strip("/").split("/"))]
    while searched:
        folder, (part, *rest) = searched.pop()
        if part == _ANY_FOLDERS and not rest:
            yield from files_below(system, folder) if is_folder(system, folder) else ()
        elif part == _ANY_FOLDERS:
            searched += [(folder, rest), *((each, [part, *rest]) for each in _folders_in(system, folder))]
        elif rest:
            searched += [(each, rest) for each in _component_matches(system, folder, part, are_folders=True)]
        else:
            yield from _component_matches(system, folder, part, are_folders=False)


def _component_matches(system: FileSystem, folder: str, part: str, *, are_folders: bool) -> Sequence[str]:
    """The paths in a folder that match one component of a pattern."""
    if not glob.has_magic(part):
        path = os.path.join(folder, part)
        return [path] if status_at(system, path, follows_links=False) else []
    paths = _folders_in(system, folder) if are_folders else _visible_if_folder(system, folder)
    return [path for path in paths if fnmatch.fnmatchcase(os.path.basename(path), part)]


def _folders_in(system: FileSystem, folder: str) -> list[str]:
    return [path for path in _visible_if_folder(system, folder) if is_folder(system, path, follows_links=False)]


def _visible_if_folder(system: FileSystem, folder: str) -> list[str]:
    return _visible(system, folder) if is_folder(system, folder) else []


def _visible(system: FileSystem, folder: str) -> list[str]:
    names = system.names(folder)
    return [os.path.join(folder, name) for name in names if not name.startswith(_HIDDEN) and name != _LOST_AND_FOUND]
