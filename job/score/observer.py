"""Where a run says what it is doing: all that whoever shows, counts or records it gets to know.

The scoring stage knows no display, no metrics and no log format; it calls an Observer.
"""

from collections.abc import Sequence
from enum import StrEnum
from time import perf_counter, thread_time
from typing import Protocol

from job.score.plan import Part, Plan


class Stage(StrEnum):
    """What time is spent on, in the order in which a run comes to it.

    PLAN: opening the model, looking at the inputs, claiming the output. READ, PREDICT, WRITE: of parts, on many
    threads; WRITE also counts and commits. GATHER: joining the parts and writing the report.
    """

    PLAN = "plan"
    READ = "read"
    PREDICT = "predict"
    WRITE = "write"
    GATHER = "gather"


class Observer(Protocol):
    """Who is told. Called from many threads, but for `planned`; whatever it does with what it hears, it does quickly.

    What it raises ends the run.
    """

    def planned(self, plan: Plan, parts: Sequence[Part], size_bytes: int) -> None:
        """The output is this run's own, and these parts of the plan, about so large, are still to be scored."""
        ...

    def advanced(self, rows: int, rejected: int, size_bytes: int) -> None:
        """So much more is scored: rows, the rejected among them, and bytes of the inputs, as stored."""
        ...

    def committed(self, part: Part) -> None:
        """A part is there."""
        ...

    def spent(self, stage: Stage, wall_s: float, cpu_s: float) -> None:
        """The calling thread has spent so many seconds more on a stage, and so many of these on a processor."""
        ...


class Stopwatch:
    """Seconds that a thread spends on stages, lap after lap.

    A lap costs less than a microsecond, so that each batch can afford a few.
    """

    def __init__(self) -> None:
        self._spent: dict[Stage, tuple[float, float]] = {}
        self._last = perf_counter(), thread_time()

    def lap(self, stage: Stage) -> None:
        """All the time since the last lap went into this stage."""
        now = perf_counter(), thread_time()
        wall, cpu = self._spent.get(stage, (0.0, 0.0))
        self._spent[stage] = wall + now[0] - self._last[0], cpu + now[1] - self._last[1]
        self._last = now

    def tell(self, observer: Observer) -> None:
        """Tell of all laps, and forget them."""
        for stage, (wall_s, cpu_s) in self._spent.items():
            observer.spent(stage, wall_s, cpu_s)
        self._spent.clear()
