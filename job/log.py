"""The log on standard error: text lines for people or JSON lines for machines, and the closed list of its events.

`_log.info(text, extra=event(Event.RESUMED, parts=3))` logs an event; a record without one is a MESSAGE, and a record of
another library is LIBRARY. Results are not logged: `cli` writes them to standard output.
"""

import json
import logging
import os
import sys
import threading
import time
import warnings
from collections import Counter
from enum import StrEnum
from typing import Any, Final, Literal, TextIO

from job.redaction import redacted, redacted_values

LogFormat = Literal["auto", "text", "json"]
Verbosity = Literal["quiet", "normal", "verbose"]


class Event(StrEnum):
    """The kind of a line in the log."""

    STARTED = "started"
    PLANNED = "planned"
    RESUMED = "resumed"
    ALREADY_DONE = "already_done"
    NOTHING_NEW = "nothing_new"
    PROMISED = "promised"
    REPLACED = "replaced"
    OUTPUT_DAMAGED = "output_damaged"
    INPUT_WARNING = "input_warning"
    NORMALIZED = "normalized"
    PART_COMMITTED = "part_committed"
    PROGRESS = "progress"
    PHASE = "phase"
    EPOCH = "epoch"
    STOPPED_EARLY = "stopped_early"
    TRIAL = "trial"
    TELEMETRY_FAILED = "telemetry_failed"
    FINISHED = "finished"
    FAILED = "failed"
    MESSAGE = "message"
    LIBRARY = "library"


# Text lines omit these events, because the summary and the progress display show the same; on a terminal, where the
# summary is the line before it, also the last one.
_NOT_IN_TEXT: Final = frozenset({Event.STARTED, Event.PLANNED, Event.PHASE})
_LEVELS: Final = {"quiet": logging.WARNING, "normal": logging.INFO, "verbose": logging.DEBUG}
_PACKAGE: Final = "job"
_SAME_WARNINGS: Final = 5
# Line and paragraph separators, and the marks that write text from right to left: with them, a name shows as another.
_MARKS: Final = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Also the control characters of ASCII and Latin-1. A file name may hold any of them but NUL.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in _MARKS
}
_LINE_ESCAPES: Final = {code: text for code, text in _ESCAPES.items() if chr(code) not in "\t\r\n"}
# In JSON, which escapes those below 0x20 by itself.
_JSON_ESCAPES: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *_MARKS)}

_library_log = logging.getLogger("python")


def event(kind: Event, **fields: Any) -> dict[str, Any]:
    """The argument `extra` that makes a log record an event. fields: JSON values."""
    return {"event": kind, "fields": fields}


def detail(kind: Event, **fields: Any) -> dict[str, Any]:
    """The same for one of many events of a kind, which text omits unless `verbose`."""
    return {**event(kind, **fields), "is_detail": True}


def set_up(log_format: LogFormat, verbosity: Verbosity = "normal") -> None:
    """Log to standard error; `auto` is text on a terminal and in a notebook, and JSON lines elsewhere.

    Text omits events that the summary shows, unless `verbose`. JSON lines include what Python and other libraries
    would print to standard error.
    """
    is_json = is_for_machines(log_format)
    handler = _StandardErrorHandler()
    handler.setFormatter(_JsonFormatter() if is_json else _TextFormatter())
    if not is_json and verbosity != "verbose":
        is_terminal = sys.stderr.isatty() and sys.stdout.isatty()
        omitted = {*_NOT_IN_TEXT, Event.FINISHED} if is_terminal else _NOT_IN_TEXT
        handler.addFilter(lambda record: _event_of(record) not in omitted and not getattr(record, "is_detail", False))
    handler.addFilter(_BoundedWarnings())
    package_log = logging.getLogger(_PACKAGE)
    package_log.handlers[:] = [handler]
    package_log.setLevel(_LEVELS[verbosity])
    package_log.propagate = False
    if is_json:
        _log_libraries(handler)


def be_silent_by_default() -> None:
    """Add a handler that does nothing, unless there is one: without any, Python prints warnings to standard error."""
    package_log = logging.getLogger(_PACKAGE)
    if not package_log.handlers:
        package_log.addHandler(logging.NullHandler())


def is_for_machines(log_format: LogFormat) -> bool:
    """Whether log lines are JSON."""
    is_for_people = sys.stderr.isatty() or sys.stdout.isatty() or is_in_notebook()
    return log_format == "json" or (log_format == "auto" and not is_for_people)


def is_in_notebook() -> bool:
    """Whether a Jupyter kernel shows what this process prints: it is the kernel, or a cell has started it."""
    return "ipykernel" in sys.modules or "JPY_PARENT_PID" in os.environ


def visible(text: str) -> str:
    """Text without secrets, its control characters escaped: it stays on one line and cannot control the terminal."""
    return redacted(text).translate(_ESCAPES)


def visible_lines(text: str) -> str:
    """Text of several lines, such as a page, with control characters escaped; line breaks and tabs stay."""
    return text.translate(_LINE_ESCAPES)


def _event_of(record: logging.LogRecord) -> Event:
    event: Event = getattr(record, "event", Event.MESSAGE if _is_of_package(record) else Event.LIBRARY)
    return event


def _is_of_package(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == _PACKAGE


class _BoundedWarnings(logging.Filter):
    """Lets a few warnings of the package with the same wording pass: thousands of files may have the same flaw.

    Warnings that are events are bounded where they are logged, and counted in the report.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING or not _is_of_package(record) or _event_of(record) is not Event.MESSAGE:
            return True
        kind = record.name, str(record.msg)
        self._counts[kind] += 1
        if self._counts[kind] == _SAME_WARNINGS:
            record.msg = f"{record.msg}; more warnings like this one are not logged"
        return self._counts[kind] <= _SAME_WARNINGS


class _StandardErrorHandler(logging.StreamHandler[TextIO]):
    """Writes to the current sys.stderr: a progress display replaces it, to keep the log above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _TextFormatter(logging.Formatter):
    """The message on one line, with its level in front from `warning` on."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging calls it so
        return visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging calls it so
        return visible_lines(redacted(super().formatException(ei)))

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if _event_of(record) is Event.FAILED:
            text += f" (failed, exit code {getattr(record, 'fields', {}).get('exit_code')})"
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


class _JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC, ISO 8601), level, event, logger, message, fields, and any traceback."""

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
        line = redacted_values(line)
        return json.dumps(line, ensure_ascii=False, default=str).translate(_JSON_ESCAPES)


def _log_libraries(handler: logging.Handler) -> None:
    """Log what Python and other libraries would print to standard error: records, warnings, unhandled exceptions."""
    logging.getLogger().handlers[:] = [handler]
    warnings.showwarning = _log_warning
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_error


def _log_warning(  # noqa: PLR0913, PLR0917  # warnings calls it so
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    del file, line  # the log takes precedence over another file
    where = event(Event.LIBRARY, category=category.__name__, file=filename, line=lineno)
    _library_log.warning("%s", message, extra=where)


def _log_unraisable(error: Any) -> None:
    _library_log.warning("exception ignored in %r: %r", error.object, error.exc_value, extra=event(Event.LIBRARY))


def _log_thread_error(error: Any) -> None:
    exc_info = (error.exc_type, error.exc_value, error.exc_traceback)
    _library_log.error("a thread ended with %r", error.exc_value, exc_info=exc_info, extra=event(Event.LIBRARY))
