"""What a running job says on standard error: lines for people or for machines, and a progress display.

Results are not logged; they go to standard output, which is `cli`'s alone.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

LogFormat = Literal["auto", "text", "json"]

# Control characters of Unicode's first two blocks: names of files may hold all but NUL.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def set_up(log_format: LogFormat) -> None:
    """Send the job's log lines to standard error; `auto`: text for a terminal, else JSON lines."""
    is_watched = sys.stderr.isatty() or sys.stdout.isatty()
    is_json = log_format == "json" or (log_format == "auto" and not is_watched)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if is_json else _TextLines())
    root = logging.getLogger("job")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False


def visible(text: str) -> str:
    """A line of text in which control characters are spelled out, so that it stays one and commands no terminal."""
    return text.translate(_ESCAPES)


class _TextLines(logging.Formatter):
    """The message alone, on one line; what is more than information says so first."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging calls it so
        return visible(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


class _JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC, ISO 8601), level, logger, message, and the traceback of a defect."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class ScoreProgress:
    """A bar with rows, rate and rejects, on a terminal; silent elsewhere. Threads may call it."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("scoring", total=None, rows=0, rejected=0, start=False)

    def begin(self, total_bytes: int) -> None:
        """The run has so much to read."""
        self._bar.update(self._task, total=total_bytes)
        self._bar.start_task(self._task)

    def advance(self, rows: int, rejected: int, size_bytes: int) -> None:
        """So much more is scored."""
        fields = self._bar.tasks[self._task].fields
        self._bar.update(
            self._task, advance=size_bytes, rows=fields["rows"] + rows, rejected=fields["rejected"] + rejected
        )


class TrainProgress:
    """A bar over the training steps, on a terminal; silent elsewhere."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("training", total=None, start=False)

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` steps are made."""
        if self._bar.tasks[self._task].total is None:
            self._bar.start_task(self._task)
        self._bar.update(self._task, total=total, completed=done)


@contextmanager
def score_progress() -> Iterator[ScoreProgress]:
    """A progress display for a scoring run."""
    counts = TextColumn("{task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected")
    with _bar(counts) as bar:
        yield ScoreProgress(bar)


@contextmanager
def train_progress() -> Iterator[TrainProgress]:
    """A progress display for a training run."""
    with _bar() as bar:
        yield TrainProgress(bar)


def _bar(*columns: TextColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), *columns,
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        redirect_stdout=False, redirect_stderr=True,
    )  # fmt: skip
