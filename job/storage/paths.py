"""Locations and paths as strings: which URI schemes are supported, joining, common folders."""

import os
from pathlib import PurePosixPath
from typing import Final

from job.errors import UsageError

_MAX_NAME_BYTES: Final = 255
_MAX_PATH_BYTES: Final = 4095


def check_scheme(location: str) -> None:
    """Raise UsageError for a URI with an unsupported scheme. A path without a scheme passes."""
    scheme, is_uri, _ = location.partition("://")
    if is_uri and scheme != "file":
        raise UsageError(f"{location}: {scheme}:// is not supported; mount it or copy it to a local folder")


def too_long(path: str) -> str | None:
    """How an absolute path is too long for a file system, as a clause; None if it is not.

    Linux's limits, NAME_MAX and PATH_MAX, in bytes.
    """
    name = max(path.split("/"), key=lambda each: len(os.fsencode(each)))
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        return f"has a name of {len(os.fsencode(name)):,} bytes, {name[:40]}.., of at most {_MAX_NAME_BYTES}"
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        return f"has {len(os.fsencode(path)):,} bytes, of at most {_MAX_PATH_BYTES:,}"
    return None


def join(folder: str, *names: str) -> str:
    """Join a folder and the names below it with single slashes."""
    return "/".join((folder.rstrip("/"), *names))


def is_below(name: object) -> bool:
    """Whether a value is a relative path that stays in its folder: text without `..`, empty components or NUL."""
    return isinstance(name, str) and "\0" not in name and not {"", ".", ".."} & {*name.split("/")}


def is_within(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder's or leads below it; links are not looked at, see `Storage.real_path`."""
    return path == folder or path.startswith(join(folder, ""))


def common_folder(paths: list[str]) -> str:
    """The deepest folder that contains all of the given absolute file paths."""
    return os.path.commonpath([os.path.dirname(path) for path in paths])


def relative_to(folder: str, path: str) -> str:
    """The path relative to `folder`, which must contain it."""
    return str(PurePosixPath(path).relative_to(folder))
