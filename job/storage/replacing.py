"""Which file a command may write over: a stream, nothing at all, or one that the job is known to have written."""

from collections.abc import Callable
from typing import Final

from job.errors import OutputOccupied
from job.storage.protocol import Storage

_START_BYTES: Final = 1 << 16


def refuse_existing(storage: Storage, path: str, *, advice: str) -> None:
    """Raise OutputOccupied, which ends with `advice`, where a path holds anything but a stream."""
    if not storage.is_stream(path) and (storage.is_folder(path) or storage.stat(path) is not None):
        raise OutputOccupied(f"{path}: already exists; {advice}")


def refuse_foreign(storage: Storage, path: str, is_own: Callable[[bytes], bool], *, expected: str, advice: str) -> None:
    """Raise OutputOccupied, which ends with `advice`, where a path holds something else than the job writes there.

    is_own: tells by the first 64 KiB of a file that is not empty. expected: what it recognises.
    """
    if storage.is_stream(path):
        return
    if storage.is_folder(path):
        raise OutputOccupied(f"{path}: is a folder, expected {expected} or a new path; {advice}")
    if storage.stat(path) is None:
        return
    with storage.open(path) as file:
        start = file.read(_START_BYTES)
    if start and not is_own(start):
        raise OutputOccupied(f"{path}: already exists and is not {expected}; {advice}")
