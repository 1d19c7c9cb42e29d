"""Locations and paths as strings: which URI schemes are supported, joining, common folders."""

import os
from pathlib import PurePosixPath

from job.errors import UsageError


def check_scheme(location: str) -> None:
    """Raise UsageError for a URI with an unsupported scheme. A path without a scheme passes."""
    scheme, is_uri, _ = location.partition("://")
    if is_uri and scheme != "file":
        raise UsageError(f"{location}: {scheme}:// is not supported; mount it or copy it to a local folder")


def join(folder: str, *names: str) -> str:
    """Join a folder and the names below it with single slashes."""
    return "/".join((folder.rstrip("/"), *names))


def is_below(name: object) -> bool:
    """Whether a value is a relative path that stays in its folder: text without `..`, empty components or NUL."""
    return isinstance(name, str) and "\0" not in name and not {"", ".", ".."} & {*name.split("/")}


def common_folder(paths: list[str]) -> str:
    """The deepest folder that contains all of the given absolute file paths."""
    return os.path.commonpath([os.path.dirname(path) for path in paths])


def relative_to(folder: str, path: str) -> str:
    """The path relative to `folder`, which must contain it."""
    return str(PurePosixPath(path).relative_to(folder))
