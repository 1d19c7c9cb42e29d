"""A folder that is built out of sight, beside the place that it is meant for."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from job.errors import DigitJobError
from job.storage import Storage, hidden_name


@contextmanager
def staged_folder(storage: Storage, target: str) -> Iterator[str]:
    """The path of a folder beside the target to build the new one in; removed if the block does not end well."""
    path = PurePosixPath(target)
    with suppress(DigitJobError):  # what was left there and cannot be removed is in nobody's way
        storage.remove_abandoned(target)
    staging = str(path.with_name(hidden_name(path.name, "tmp")))
    try:
        yield staging
    except BaseException:  # raised again: a signal, too, must leave nothing behind
        with suppress(DigitJobError):  # the first error is the one to tell
            storage.remove(staging)
        raise
