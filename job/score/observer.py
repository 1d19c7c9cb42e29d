"""The interface through which a run reports its progress, and the stopwatch that measures its stages.

The scoring stage knows no display, metrics or log format: it calls an Observer, which `job.telemetry` implements.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from time import perf_counter, thread_time
from typing import Protocol

from job.score.plan import Part, Plan


class Stage(StrEnum):
    """What a run spends time on, in order.

    PLAN: opening the model, inspecting the inputs, claiming the output. READ, PREDICT, WRITE: scoring parts, in many
    threads; WRITE includes counting and committing. GATHER: joining the parts and writing the report.
    """

    PLAN = "plan"
    READ = "read"
    PREDICT = "predict"
    WRITE = "write"
    GATHER = "gather"


class Observer(Protocol):
    """Receives the progress of a run. All methods but `planned` are called from many threads, and must be quick.

    An exception that it raises ends the run.
    """

    def planned(self, plan: Plan, parts: Sequence[Part], size_bytes: int) -> None:
        """The output is claimed; `parts` of the plan, roughly `size_bytes` of input, remain to be scored."""
        ...

    def advanced(self, rows: int, rejected: int, size_bytes: int) -> None:
        """Another batch is scored: its rows, how many of them were rejected, and its bytes of the stored input."""
        ...

    def committed(self, part: Part) -> None:
        """A part is committed."""
        ...

    def spent(self, stage: Stage, wall_s: float, cpu_s: float) -> None:
        """The calling thread has spent `wall_s` more seconds on a stage, `cpu_s` of them on a processor."""
        ...


class Stopwatch:
    """Measures how long one thread spends on each stage. A lap takes less than a microsecond."""

    def __init__(self) -> None:
        self._spent: dict[Stage, tuple[float, float]] = {}
        self._last = perf_counter(), thread_time()

    def lap(self, stage: Stage) -> None:
        """Add the time since the last lap to this stage."""
        now = perf_counter(), thread_time()
        wall, cpu = self._spent.get(stage, (0.0, 0.0))
        self._spent[stage] = wall + now[0] - self._last[0], cpu + now[1] - self._last[1]
        self._last = now

    def report_to(self, observer: Observer) -> None:
        """Report all laps to the observer, and reset."""
        for stage, (wall_s, cpu_s) in self._spent.items():
            observer.spent(stage, wall_s, cpu_s)
        self._spent.clear()


@contextmanager
def timed(observer: Observer, stage: Stage) -> Iterator[None]:
    """Report the time that the block takes, even if it raises."""
    watch = Stopwatch()
    try:
        yield
    finally:
        watch.lap(stage)
        watch.report_to(observer)
