"""What only the train extra can do."""

from collections.abc import Iterator
from contextlib import contextmanager

from job.errors import UsageError


@contextmanager
def train_extra() -> Iterator[None]:
    """Raises UsageError where the block needs a library that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"this needs the train extra ({error.name} is not installed): pip install 'digit-job[train]'"
        raise UsageError(message) from error
