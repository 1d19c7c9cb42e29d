"""What only an extra can do."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from job.errors import UsageError


def train_extra() -> AbstractContextManager[None]:
    """See `extra`; the one that nearly all need."""
    return extra("train")


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Raises UsageError where the block needs a library that is not installed, and names the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"this needs the {name} extra ({error.name} is not installed): pip install 'digit-job[{name}]'"
        raise UsageError(message) from error
