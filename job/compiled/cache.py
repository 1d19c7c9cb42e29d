"""Files that keep what was costly to make, so that the next run need not: beside a source file, or in the user's cache.

What is kept can be lost, cut or changed at any time: it is made again. Nothing here knows what it is.
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
    """Where to look for what was made from a source file; it is kept in the first that can be written."""
    yield source.parent / "__pycache__"
    if folder := user_folder():
        yield folder


def user_folder() -> Path | None:
    """The job's folder in the user's cache, which need not exist; None where the user has no cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "digit-job" if os.path.isabs(cache) else None


def read(path: Path) -> bytes | None:
    """What a file keeps; None where there is none or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, kept = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return kept if hashlib.sha256(kept).digest() == digest else None


def write(path: Path, content: bytes) -> bool:
    """Keep something in a file, whole or not at all; False where that cannot be, which costs the next run its time."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
        temporary.replace(path)
    except OSError as error:
        _log.debug("%s: %s cannot be kept here: %s", path.parent, path.name, error)
        return False
    return True
