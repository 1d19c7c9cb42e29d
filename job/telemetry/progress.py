"""How far a run is, while it runs: a display on a terminal, and elsewhere a line every 30 seconds.

How far a training is: a bar on a terminal.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from job.errors import ResourceExhausted
from job.flag_names import Flag
from job.log import Event, event
from job.telemetry.recorder import Counts, Recorder

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress


_log = logging.getLogger(__name__)

INTERVAL_S: Final = 30.0
_MB: Final = 1e6
_REFRESHES_PER_SECOND: Final = 8
_MINUTE: Final = 60


@contextmanager
def shown(recorder: Recorder, *, is_json: bool, is_quiet: bool) -> Iterator[None]:
    """Show how far a scoring run is, for as long as the block lasts."""
    if is_quiet:
        yield
    elif is_json or not sys.stderr.isatty():
        with told_regularly(recorder):
            yield
    else:
        with _displayed(recorder):
            yield


@contextmanager
def told_regularly(recorder: Recorder, interval_s: float = INTERVAL_S) -> Iterator[None]:
    """A line in the log at regular intervals, also when nothing moves: that, too, is worth knowing."""
    is_over = threading.Event()

    def tell() -> None:
        before = recorder.counts()
        while not is_over.wait(interval_s):
            now = recorder.counts()
            _tell(now, before)
            before = now

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    try:
        teller.start()
    except RuntimeError as refusal:  # Python's word for a thread that the system refuses
        _log.warning("no progress will be told: %s", refusal, extra=event(Event.TELEMETRY_FAILED, to="log"))
        yield
        return
    try:
        yield
    finally:
        is_over.set()
        teller.join()


def _tell(now: Counts, before: Counts) -> None:
    """A line of the log, with the rates since the one before."""
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
    words = in_words(now, rows_per_second, bytes_per_second)
    _log.info("scoring: %.0f %%, %s", 100 * now.share, words, extra=event(Event.PROGRESS, **fields))


def in_words(counts: Counts, rows_per_second: float, bytes_per_second: float) -> str:
    """`1,234 rows, 0 rejected, 120 MB/s, 65,000 rows/s, 0:42 left`."""
    left = "" if counts.eta_s is None else f", {_as_time(counts.eta_s)} left"
    rates = f"{bytes_per_second / _MB:,.0f} MB/s, {rows_per_second:,.0f} rows/s"
    return f"{counts.rows:,} rows, {counts.rejected:,} rejected, {rates}{left}"


def _as_time(seconds: float) -> str:
    minutes, second = divmod(round(seconds), _MINUTE)
    hours, minute = divmod(minutes, _MINUTE)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextmanager
def _displayed(recorder: Recorder) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    render = _renderer(recorder, console)
    live = Live(
        get_renderable=render, console=console, transient=True, refresh_per_second=_REFRESHES_PER_SECOND,
        redirect_stdout=False, redirect_stderr=True,
    )  # fmt: skip
    try:
        live.start()
    except RuntimeError as refusal:  # as above
        raise ResourceExhausted(
            f"cannot show progress: {refusal}; allow more threads, or add {Flag.QUIET}"
        ) from refusal
    try:
        yield
    finally:
        live.stop()


def _renderer(recorder: Recorder, console: "Console") -> Callable[[], "RenderableType"]:
    """What draws the display: a bar, and below it the figures, which a narrow terminal wraps."""
    from rich.progress_bar import ProgressBar
    from rich.spinner import Spinner
    from rich.table import Table

    spinner = Spinner("dots", style="progress.spinner")

    def render() -> "RenderableType":
        counts = recorder.counts()
        is_gathering = bool(counts.total_parts) and counts.parts == counts.total_parts
        doing = "gathering" if is_gathering else "scoring" if counts.total_parts else "starting"
        bar = ProgressBar(total=1, completed=counts.share, pulse=not counts.total_parts, width=min(40, console.width))
        seconds = max(counts.seconds, 1e-9)
        lines = Table.grid(padding=(0, 1))
        lines.add_row(spinner, f"{doing:<9}", bar, f"{100 * counts.share:3.0f} %")
        shown = Table.grid()
        shown.add_row(lines)
        shown.add_row("  " + in_words(counts, counts.rows / seconds, counts.bytes / seconds))
        return shown

    return render


class TrainProgress:
    """A bar over the training steps, on a terminal; silent elsewhere."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("training", total=None, start=False)

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` steps are made."""
        if self._bar.tasks[self._task].total is None:
            self._bar.start_task(self._task)
        self._bar.update(self._task, total=total, completed=done)


@contextmanager
def train_progress(*, is_quiet: bool = False) -> Iterator[TrainProgress]:
    """A progress display for a training run."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=is_quiet or not console.is_terminal,
        redirect_stdout=False, redirect_stderr=True,
    ) as bar:  # fmt: skip
        yield TrainProgress(bar)
