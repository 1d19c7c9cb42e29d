"""A folder that is built out of sight, beside the place that it is meant for; in it, where that is a mounted volume."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from job.errors import DigitJobError
from job.storage import Storage, join


def beside(storage: Storage, target: str, ending: str) -> str:
    """A hidden path that can be moved to a target folder's place, or from which files can be moved into it."""
    path = PurePosixPath(target)
    name = f".{path.name}.{ending}"
    return join(target, name) if storage.is_mount(target) else str(path.with_name(name))


@contextmanager
def staged_folder(storage: Storage, target: str) -> Iterator[str]:
    """The path of a folder beside the target to build the new one in; removed if the block does not end well."""
    staging = beside(storage, target, f"{uuid.uuid4().hex}.tmp")
    with suppress(DigitJobError):  # what was left there and cannot be removed is in nobody's way
        storage.remove_abandoned(str(PurePosixPath(staging).parent), PurePosixPath(target).name)
    try:
        yield staging
    except BaseException:  # raised again: a signal, too, must leave nothing behind
        with suppress(DigitJobError):  # the first error is the one to tell
            storage.remove(staging)
        raise
