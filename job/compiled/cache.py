"""A cache of compiled code and templates: files beside a source file, or in the user's cache folder.

An entry may be lost, truncated or changed at any time; its maker then makes it again. A digest finds damage. Against
other users it is no help, for they could write the digest, too: so a folder or file that another user can have written
is not used. This module does not know what an entry holds. Used by `machine_code`, and by `report.template`.
"""

import functools
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from job.ownership import distrust

_log = logging.getLogger(__name__)

_DIGEST_BYTES: Final = 32
_BESIDE: Final = "__pycache__"
# Set to `off`, for images, which have all compiled code beside the sources.
_VARIABLE: Final = "DIGIT_JOB_CODE_CACHE"


class _Distrusted(OSError):
    """Another user can have written a folder or file."""


def folders(source: Path) -> Iterator[Path]:
    """The folders to search for what was made from a source file; write to the first one that is writable.

    These are `__pycache__` beside it and, unless $DIGIT_JOB_CODE_CACHE is `off`, `digit-job` in $XDG_CACHE_HOME or
    ~/.cache.
    """
    yield source.parent / _BESIDE
    folder = user_folder()
    if folder and os.environ.get(_VARIABLE) != "off":
        yield folder


def user_folder() -> Path | None:
    """The job's folder in the user's cache, which need not exist; None where the user has no cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "digit-job" if os.path.isabs(cache) else None


def library_folder(library: str) -> str | None:
    """The folder in the user's cache for what a library keeps in files, such as a list of fonts; made if it is missing.

    None where there is none that only this user can write to.
    """
    parent = user_folder()
    if parent is None:
        return None
    folder = parent / library
    make_folder(folder)
    try:
        with _opened(parent), _opened(folder):
            return str(folder)
    except OSError:
        return None


def read(places: Iterable[Path], name: str) -> bytes | None:
    """The content of an entry in the first folder that has it; None if it is missing, unreadable or damaged."""
    for folder in places:
        try:
            with _opened(folder) as handle:
                stored = _content(name, handle)
        except OSError:
            continue
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() == digest:
            return content
    return None


def write(places: Iterable[Path], name: str, content: bytes) -> None:
    """Write an entry atomically into the first folder that is writable; where none is, this only costs time.

    Logs one warning for each folder that is not used because of other users, if no other folder is usable.
    """
    distrusted = []
    for folder in places:
        try:
            make_folder(folder)
            with _opened(folder) as handle:
                _replace(name, handle, hashlib.sha256(content).digest() + content)
        except _Distrusted as error:
            distrusted.append(f"{folder}: {error}")
        except OSError as error:
            _log.debug("%s: cannot cache %s here: %s", folder, name, error)
        else:
            return
    for reason in distrusted:
        _warn(reason)


@functools.cache
def _warn(reason: str) -> None:
    _log.warning("%s, so compiled code is not kept there; every run makes it anew", reason)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, no link, that no other user can write to. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _check(handle)
        yield handle
    finally:
        os.close(handle)


def _content(name: str, folder: int) -> bytes:
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as file:
        _check(file.fileno())
        return file.read()


def _replace(name: str, folder: int, content: bytes) -> None:
    temporary = f".{os.getpid()}-{name}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    # Other users may read an entry where they may search its folder: a shared installation serves all of them.
    with open(os.open(temporary, flags, 0o644, dir_fd=folder), "wb") as file:
        file.write(content)
    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def _check(handle: int) -> None:
    if reason := distrust(os.fstat(handle)):
        raise _Distrusted(reason)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents; no other user can write to them, and only beside a source read them."""
    mode = 0o755 if folder.name == _BESIDE else 0o700
    for each in [*reversed(folder.parents), folder]:
        try:
            each.mkdir(mode)
        except OSError:
            # It exists, or cannot be made, which the next one or its use will tell.
            continue
