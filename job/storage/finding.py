"""Looking around in a file system: what stands at a path, which files a folder holds, and which a pattern matches.

Nothing is passed over because it could not be looked at: an input that is left out in silence is an input lost. Links
to folders are not followed, unless they are named outright, because they may lead out of the folder, or in circles.
Errors are the operating system's own; `storage` translates them.
"""

import fnmatch
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from job.storage.filesystem import FileSystem

_HIDDEN: Final = (".", "_")

# What comes with a new volume, closed to everybody but root.
_OF_THE_SYSTEM: Final = "lost+found"

_ANY_FOLDERS: Final = "**"


def status_at(system: FileSystem, path: str, *, follows_links: bool = True) -> os.stat_result | None:
    """What stands at a path; None where nothing does. Any other trouble is trouble: it says nothing of the file."""
    try:
        return system.stat(path, follows_links=follows_links)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_folder(system: FileSystem, path: str, *, follows_links: bool = True) -> bool:
    """Whether a folder, or a link to one, stands at a path."""
    status = status_at(system, path, follows_links=follows_links)
    return status is not None and stat.S_ISDIR(status.st_mode)


def files_below(system: FileSystem, folder: str) -> Iterator[str]:
    """All paths in a folder and in those below it that are no folders, without hidden names; in any order."""
    folders = [folder]
    while folders:
        for path in _visible(system, folders.pop()):
            if not is_folder(system, path):
                yield path
            elif is_folder(system, path, follows_links=False):
                folders.append(path)


def matches(system: FileSystem, pattern: str) -> Iterator[str]:
    """The paths that an absolute pattern matches: `*`, `?`, `[..]` within a name, `**` for any folders or, at the end,
    all files. In any order, perhaps more than once.

    Hidden names are passed over, except where the pattern spells them out.
    """  # noqa: D205  # a summary of two lines
    searched = [("/", pattern.strip("/").split("/"))]
    while searched:
        folder, (part, *rest) = searched.pop()
        if part == _ANY_FOLDERS and not rest:
            yield from files_below(system, folder) if is_folder(system, folder) else ()
        elif part == _ANY_FOLDERS:
            searched += [(folder, rest), *((each, [part, *rest]) for each in _folders_in(system, folder))]
        elif rest:
            searched += [(each, rest) for each in _named(system, folder, part, are_folders=True)]
        else:
            yield from _named(system, folder, part, are_folders=False)


def _named(system: FileSystem, folder: str, part: str, *, are_folders: bool) -> Sequence[str]:
    """What a pattern's part stands for in a folder: a name, or all that match it."""
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
    return [os.path.join(folder, name) for name in names if not name.startswith(_HIDDEN) and name != _OF_THE_SYSTEM]
