"""A folder that is built out of sight, beside the place that it is meant for."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from job.errors import DigitJobError
from job.storage import Storage


@contextmanager
def staged_folder(storage: Storage, target: str) -> Iterator[str]:
    """The path of a folder beside the target to build the new one in; removed if the block does not end well."""
    path = PurePosixPath(target)
    staging = str(path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp"))
    try:
        yield staging
    except BaseException:  # raised again: a signal, too, must leave nothing behind
        with suppress(DigitJobError):  # the first error is the one to tell
            storage.remove(staging)
        raise
