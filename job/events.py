"""The events that a running job tells of in its log: a closed list, which README.md explains.

A line of the log is told as one of them by `_log.info(text, extra=told_as(Event.RESUMED, parts=3))`. What is logged
without one is a MESSAGE; what other libraries log is of the LIBRARY.
"""

from enum import StrEnum
from typing import Any


class Event(StrEnum):
    """What a line of the log is about."""

    STARTED = "started"
    PLANNED = "planned"
    RESUMED = "resumed"
    ALREADY_DONE = "already_done"
    INPUT_WARNING = "input_warning"
    PART_COMMITTED = "part_committed"
    PROGRESS = "progress"
    NOT_TOLD = "not_told"
    FINISHED = "finished"
    FAILED = "failed"
    MESSAGE = "message"
    LIBRARY = "library"


# What people read elsewhere: in the summary, or on the progress display. They see these lines with --verbose only.
FOR_MACHINES = frozenset({Event.STARTED, Event.PLANNED, Event.FINISHED})


def told_as(event: Event, **fields: Any) -> dict[str, Any]:
    """What makes a record of Python's logging one of an event; `fields` are values that JSON knows."""
    return {"event": event, "fields": fields}
