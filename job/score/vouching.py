"""Whose the files are that `--overwrite` is to remove: those that a manifest or run.json of this job vouches for.

`Output` asks before it clears a folder of another run's results; people have data in folders named `predictions`, too.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from job.documents.parts_json import RunClaim
from job.errors import StorageError
from job.storage import Storage, join

_MANIFEST: Final = "manifest.json"
_RUN: Final = "_parts/run.json"
_MANIFEST_KEYS: Final = {"digit_job", "fingerprint", "inputs", "outputs", "settings", "model"}
# A committed part, or the temporary file of a process that was killed.
_PART: Final = re.compile(r"_parts/(\d{6,}\.arrow|\.[0-9a-f]{32}\.tmp)")
# Of `_SUCCESS`: a fingerprint. Other programs leave theirs empty.
_MAX_MARKER_BYTES: Final = 256


def unvouched(storage: Storage, folder: str, names: Iterable[str]) -> Iterator[str]:
    """The files below some names in an output folder, relative to it, that nothing says a run has written.

    names: in the folder, of those that runs use. A link counts as a file, and is not followed.
    """
    run = _document(storage, join(folder, _RUN))
    manifest = _document(storage, join(folder, _MANIFEST))
    listed = _listed(manifest)
    if run is not None and {"fingerprint", "part_bytes"} <= set(run) <= RunClaim.__required_keys__:
        return
    for name in names:
        for path in _files(storage, folder, name):
            is_marker = path == "_SUCCESS" and _is_marker(storage, join(folder, path))
            if path not in listed and not _PART.fullmatch(path) and not is_marker:
                yield path


def _listed(manifest: Mapping[str, Any] | None) -> set[str]:
    """The paths that a manifest of this job vouches for, itself and `_FAILED` included; none for another document."""
    if manifest is None or not set(manifest) >= _MANIFEST_KEYS:
        return set()
    try:
        return {_MANIFEST, "_FAILED", *(str(each["path"]) for each in manifest["outputs"])}
    except (LookupError, TypeError):
        return set()


def _document(storage: Storage, path: str) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is none."""
    if storage.stat(path) is None:
        return None
    try:
        content = json.loads(storage.read(path))
    except (ValueError, RecursionError, StorageError):
        return None
    return content if isinstance(content, dict) else None


def _is_marker(storage: Storage, path: str) -> bool:
    found = storage.stat(path)
    return found is not None and 0 < found.size <= _MAX_MARKER_BYTES and storage.read(path).count(b"\n") <= 1


def _files(storage: Storage, folder: str, name: str) -> Iterator[str]:
    """The paths, relative to `folder`, of what a name in it stands for: itself, or all that is in it and no folder."""
    waiting = [name]
    while waiting:
        relative = waiting.pop()
        path = join(folder, relative)
        parent, own_name = os.path.split(path)
        is_link = storage.real_path(path) != join(storage.real_path(parent), own_name)
        if storage.is_folder(path) and not is_link:
            waiting += [join(relative, each) for each in storage.list(path)]
        else:
            yield relative
