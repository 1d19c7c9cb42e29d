"""A cache of compiled code and templates: files beside a source file, or in the user's cache folder.

An entry may be lost, truncated or changed at any time; its maker then makes it again. This module does not know what an
entry holds. Used by `machine_code`, and by `report.template`.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

_DIGEST_BYTES: Final = 32


def folders(source: Path) -> Iterator[Path]:
    """The folders to search for what was made from a source file; write to the first one that is writable.

    These are `__pycache__` beside it, and `digit-job` in $XDG_CACHE_HOME or ~/.cache.
    """
    yield source.parent / "__pycache__"
    if folder := user_folder():
        yield folder


def user_folder() -> Path | None:
    """The job's folder in the user's cache, which need not exist; None where the user has no cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "digit-job" if os.path.isabs(cache) else None


def read(path: Path) -> bytes | None:
    """The content of an entry; None if it is missing, unreadable or damaged."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def write(path: Path, content: bytes) -> bool:
    """Write an entry atomically; returns False if the folder is not writable, which only costs time."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
        temporary.replace(path)
    except OSError as error:
        _log.debug("%s: cannot cache %s here: %s", path.parent, path.name, error)
        return False
    return True
