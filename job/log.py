"""The log on standard error: lines for people or JSON for machines, and the closed list of events in it.

A line becomes one of an event by `_log.info(text, extra=event(Event.RESUMED, parts=3))`; without one it is a MESSAGE,
and what libraries log is LIBRARY. Results are not logged: they go to standard output, which only `cli` writes to.
"""

import json
import logging
import sys
import threading
import time
import warnings
from enum import StrEnum
from typing import Any, Final, Literal, TextIO


class Event(StrEnum):
    """What a line of the log is about."""

    STARTED = "started"
    PLANNED = "planned"
    RESUMED = "resumed"
    ALREADY_DONE = "already_done"
    INPUT_WARNING = "input_warning"
    PART_COMMITTED = "part_committed"
    PROGRESS = "progress"
    TELEMETRY_FAILED = "telemetry_failed"
    FINISHED = "finished"
    FAILED = "failed"
    MESSAGE = "message"
    LIBRARY = "library"


# What people read elsewhere: in the summary, or on the progress display. They see these lines with --verbose only.
FOR_MACHINES = frozenset({Event.STARTED, Event.PLANNED, Event.FINISHED})


def event(kind: Event, **fields: Any) -> dict[str, Any]:
    """The `extra` that makes a log record one of an event; `fields` are JSON values."""
    return {"event": kind, "fields": fields}


LogFormat = Literal["auto", "text", "json"]

Verbosity = Literal["quiet", "normal", "verbose"]

_LEVELS: Final = {"quiet": logging.WARNING, "normal": logging.INFO, "verbose": logging.DEBUG}

_OURS: Final = "job"

# Control characters of Unicode's first two blocks: names of files may hold all but NUL.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}

_libraries = logging.getLogger("python")


def set_up(log_format: LogFormat, verbosity: Verbosity = "normal") -> None:
    """Send the job's log lines to standard error; `auto`: text for a terminal, else JSON lines."""
    is_json = is_for_machines(log_format)
    handler = _StandardError()
    handler.setFormatter(_JsonLines() if is_json else _TextLines())
    if not is_json and verbosity != "verbose":
        handler.addFilter(lambda record: _event_of(record) not in FOR_MACHINES)
    ours = logging.getLogger(_OURS)
    ours.handlers[:] = [handler]
    ours.setLevel(_LEVELS[verbosity])
    ours.propagate = False
    if is_json:
        _take_over_what_libraries_say(handler)


def be_silent_by_default() -> None:
    """Add a handler that does nothing, unless there is one: without any, Python prints warnings to standard error."""
    ours = logging.getLogger(_OURS)
    if not ours.handlers:
        ours.addHandler(logging.NullHandler())


def is_for_machines(log_format: LogFormat) -> bool:
    """Whether log lines are JSON."""
    is_watched = sys.stderr.isatty() or sys.stdout.isatty()
    return log_format == "json" or (log_format == "auto" and not is_watched)


def visible(text: str) -> str:
    """A line of text in which control characters are spelled out, so that it stays one and commands no terminal."""
    return text.translate(_ESCAPES)


def _event_of(record: logging.LogRecord) -> Event:
    event: Event = getattr(record, "event", Event.MESSAGE if _is_ours(record) else Event.LIBRARY)
    return event


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == _OURS


class _StandardError(logging.StreamHandler[TextIO]):
    """To what is standard error by then: a progress display takes its place for a while, to be written above it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _TextLines(logging.Formatter):
    """The message alone, on one line; what is more than information says so first."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging calls it so
        return visible(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


class _JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC, ISO 8601), level, event, logger, message, fields, a defect's traceback."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": _event_of(record),
            "logger": record.name,
            "message": record.getMessage(),
            "fields": getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _take_over_what_libraries_say(handler: logging.Handler) -> None:
    """Have what Python and libraries would write to standard error by themselves written as JSON lines, too."""
    logging.getLogger().handlers[:] = [handler]
    warnings.showwarning = _log_warning
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_end_of_thread


def _log_warning(  # noqa: PLR0913, PLR0917  # warnings calls it so
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    del file, line  # who asks for another file gets the log all the same
    where = event(Event.LIBRARY, category=category.__name__, file=filename, line=lineno)
    _libraries.warning("%s", message, extra=where)


def _log_unraisable(error: Any) -> None:
    _libraries.warning("exception ignored in %r: %r", error.object, error.exc_value, extra=event(Event.LIBRARY))


def _log_end_of_thread(error: Any) -> None:
    trouble = (error.exc_type, error.exc_value, error.exc_traceback)
    _libraries.error("a thread ended with %r", error.exc_value, exc_info=trouble, extra=event(Event.LIBRARY))
