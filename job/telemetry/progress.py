"""The progress of a command while it runs.

Of a scoring run: a live display on a terminal, elsewhere a line in the log every 30 seconds. Of a training, a search or
an export: a bar on a terminal, elsewhere nothing, because they log their phases, epochs and trials.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from job.errors import ResourceExhausted
from job.flag_names import Flag
from job.log import Event, event, is_in_notebook
from job.storage import translated_errors
from job.telemetry.recorder import Counts, Recorder

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.progress import Progress

_log = logging.getLogger(__name__)

INTERVAL_S: Final = 30.0
_MB: Final = 1e6
_REFRESHES_PER_SECOND: Final = 8
_MINUTE: Final = 60
# Shown as 99 %: as long as a display is there, something is left to do.
_MAX_SHOWN: Final = 0.994


@contextmanager
def show_progress(recorder: Recorder, *, is_json: bool, is_quiet: bool) -> Iterator[None]:
    """Show the progress of a scoring run inside the block."""
    if is_quiet:
        yield
    # A notebook shows a cell's commands a terminal, but not what a display that moves would draw there.
    elif is_json or is_in_notebook() or not sys.stderr.isatty():
        with log_progress(recorder):
            yield
    else:
        with _live_display(recorder):
            yield


@contextmanager
def log_progress(recorder: Recorder, interval_s: float = INTERVAL_S) -> Iterator[None]:
    """Log a line at regular intervals inside the block, also if nothing has moved: a stalled run shows."""
    is_over = threading.Event()

    def log_lines() -> None:
        before = recorder.counts()
        while not is_over.wait(interval_s):
            now = recorder.counts()
            _log_line(now, before)
            before = now

    thread = threading.Thread(target=log_lines, name="progress", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the system allows no more threads
        _log.warning("progress is not logged: %s", error, extra=event(Event.TELEMETRY_FAILED, to="log"))
        yield
        return
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _log_line(now: Counts, before: Counts) -> None:
    """Log the progress, with the rates since the line before."""
    seconds = max(now.seconds - before.seconds, 1e-9)
    rows_per_second, bytes_per_second = (now.rows - before.rows) / seconds, (now.bytes - before.bytes) / seconds
    fields = {
        "rows": now.rows,
        "rejected": now.rejected,
        "bytes": now.bytes,
        "total_bytes": now.total_bytes,
        "parts": now.parts,
        "total_parts": now.total_parts,
        "share": round(now.share, 4),
        "seconds": round(now.seconds, 3),
        "rows_per_second": round(rows_per_second),
        "mb_per_second": round(bytes_per_second / _MB, 3),
        "eta_seconds": None if now.eta_s is None else round(now.eta_s),
    }
    text = describe_counts(now, rows_per_second, bytes_per_second)
    _log.info("scoring: %.0f %%, %s", 100 * now.share, text, extra=event(Event.PROGRESS, **fields))


def describe_counts(counts: Counts, rows_per_second: float, bytes_per_second: float) -> str:
    """`1,234 rows, 0 rejected, 120 MB/s, 65,000 rows/s, 0:42 left`."""
    left = "" if counts.eta_s is None else f", {_clock_time(counts.eta_s)} left"
    rates = f"{bytes_per_second / _MB:,.0f} MB/s, {rows_per_second:,.0f} rows/s"
    return f"{counts.rows:,} rows, {counts.rejected:,} rejected, {rates}{left}"


def _clock_time(seconds: float) -> str:
    """`0:42`, `1:05:00`."""
    minutes, second = divmod(round(seconds), _MINUTE)
    hours, minute = divmod(minutes, _MINUTE)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextmanager
def _live_display(recorder: Recorder) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    render = _renderer(recorder, console)
    live = Live(
        get_renderable=render, console=console, transient=True, refresh_per_second=_REFRESHES_PER_SECOND,
        redirect_stdout=False, redirect_stderr=True,
    )  # fmt: skip
    with _started(live):
        yield


def _renderer(recorder: Recorder, console: "Console") -> Callable[[], "RenderableType"]:
    """A function that renders the display: a bar, and below it the figures, which a narrow terminal wraps."""
    from rich.progress_bar import ProgressBar
    from rich.spinner import Spinner
    from rich.table import Table

    spinner = Spinner("dots", style="progress.spinner")

    def render() -> "RenderableType":
        counts = recorder.counts()
        is_gathering = bool(counts.total_parts) and counts.parts == counts.total_parts
        phase = "gathering" if is_gathering else "scoring" if counts.total_parts else "starting"
        bar = ProgressBar(total=1, completed=counts.share, pulse=not counts.total_parts, width=min(40, console.width))
        seconds = max(counts.seconds, 1e-9)
        lines = Table.grid(padding=(0, 1))
        lines.add_row(spinner, f"{phase:<9}", bar, f"{100 * counts.share:3.0f} %")
        display = Table.grid()
        display.add_row(lines)
        display.add_row("  " + describe_counts(counts, counts.rows / seconds, counts.bytes / seconds))
        return display

    return render


@contextmanager
def show_phases(*, is_json: bool, is_quiet: bool) -> Iterator[Callable[[str, float | None], None]]:
    """A function that shows what a training, a search or an export is doing, with a bar; only on a terminal.

    It takes a text and the share of the work that is done, in 0-1, or None as long as that is unknown.
    """
    if is_json or is_quiet or is_in_notebook() or not sys.stderr.isatty():
        yield lambda _text, _share: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    with translated_errors("standard error"):
        # A descriptor of its own: while libraries load and convert, what they write to standard error is captured.
        descriptor = os.dup(sys.stderr.fileno())
    with open(descriptor, "w", encoding=sys.stderr.encoding, errors="backslashreplace") as terminal:
        bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
            TimeRemainingColumn(), console=Console(file=terminal), transient=True,
            redirect_stdout=sys.stdout.isatty(), redirect_stderr=True,
        )  # fmt: skip
        with _started(bar):
            yield _PhaseBar(bar)


@contextmanager
def _started(display: "Live | Progress") -> Iterator[None]:
    """Show a display inside the block. Raises ResourceExhausted where it gets no thread."""
    try:
        display.start()
    except RuntimeError as error:  # the system allows no more threads
        raise ResourceExhausted(f"cannot show progress: {error}; allow more threads, or add {Flag.QUIET}") from error
    try:
        yield
    finally:
        display.stop()


class _PhaseBar:
    """A line of a terminal: a text, a bar, the share that is done, and the time that is left."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def __call__(self, text: str, share: float | None) -> None:
        is_new = text != self._bar.tasks[0].description
        total, completed = (None, None) if share is None else (1.0, min(share, _MAX_SHOWN))
        # A new text is drawn at once, because a library may let no other thread run for a while.
        self._bar.update(self._task, description=text, total=total, completed=completed, refresh=is_new)
