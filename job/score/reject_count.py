"""Ends a run that has rejected more records than `--max-rejects` allows, if that is a count.

A percentage is of all records, so that only `gather` can judge it. A count, too, is judged there again, over all parts.
"""

import threading
from collections.abc import Iterable
from typing import Final

from job.contract import Reject
from job.errors import TooManyRejects
from job.flag_names import Flag
from job.settings import RejectLimit

# How many more records a part under way may reject. So most parts are finished, and small inputs get a reject file.
_TOLERATED: Final = 1_000
_SHOWN: Final = 3


class RejectCount:
    """The rejected records of the parts that this process has scored. limit: None for none. Thread-safe."""

    def __init__(self, limit: RejectLimit | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._rejected = 0
        self._first: list[str] = []

    def add(self, path: str, rejected: int, rejects: Iterable[Reject]) -> None:
        """Count the rejects of the next batch of a part. Raises TooManyRejects far beyond the limit.

        path: of the input, for the message.
        """
        with self._lock:
            self._rejected += rejected
            for reject in rejects:
                if len(self._first) == _SHOWN:
                    break
                if reject.reason.is_fatal and not reject.reason.is_skipped:
                    self._first.append(_describe(path, reject))
        self._check(_TOLERATED)

    def check(self) -> None:
        """Raise TooManyRejects if there are more than the limit: no further part is started then."""
        self._check(0)

    def _check(self, tolerated: int) -> None:
        if self._limit and not self._limit.is_percent and self._limit.is_exceeded(self._rejected - tolerated, 0):
            raise TooManyRejects(
                f"{self._rejected:,} records were rejected so far, more than {Flag.MAX_REJECTS} {self._limit}; the run "
                f"has ended before its inputs; first: {'; '.join(self._first)}"
            )


def _describe(path: str, reject: Reject) -> str:
    place = "" if reject.byte_offset is None else f" at byte {reject.byte_offset:,}"
    return f"{path}{place}: {reject.detail}"
