"""Locations and paths as strings: joining, splitting, and which URI schemes there are."""

import os
from pathlib import PurePosixPath

from job.errors import UsageError


def check_scheme(location: str) -> None:
    """Raise UsageError for a URI whose scheme no storage handles."""
    scheme, is_uri, _ = location.partition("://")
    if is_uri and scheme != "file":
        raise UsageError(f"{location}: {scheme}:// is not supported; mount it or copy it to a local folder")


def join(folder: str, *names: str) -> str:
    """A path below a folder."""
    return "/".join((folder.rstrip("/"), *names))


def common_folder(paths: list[str]) -> str:
    """The deepest folder that holds all of the given absolute file paths."""
    return os.path.commonpath([os.path.dirname(path) for path in paths])


def relative_to(folder: str, path: str) -> str:
    """A path as seen from a folder above it."""
    return str(PurePosixPath(path).relative_to(folder))
