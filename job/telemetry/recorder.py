"""How much memory the process has needed.

What is known of a run so far: the observer that the scoring stage tells everything.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from job.score.observer import Stage
from job.score.plan import Part, Plan

if TYPE_CHECKING:
    from job.score.run import RunResult


_STATUS: Final = "/proc/self/status"
_PEAK: Final = "VmHWM:"


def peak_memory_bytes() -> int:
    """The most memory that the process has had resident at once.

    Asked of Linux itself, whose getrusage counts what the process's parent had before it started this one.
    """
    try:
        with open(_STATUS, encoding="ascii") as status:
            return int(status.read().split(_PEAK)[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a run is, at one moment.

    rows, rejected, bytes: what this process has scored, the rejected among it, and the bytes of the inputs for it.
    total_bytes, total_parts: what it has to score; 0 before that is known. seconds: since its start.
    """

    rows: int
    rejected: int
    bytes: int
    parts: int
    total_bytes: int
    total_parts: int
    seconds: float

    @property
    def share(self) -> float:
        """How much of the work is done, in 0-1: by bytes, which are an estimate."""
        return min(1.0, self.bytes / self.total_bytes) if self.total_bytes else 0.0

    @property
    def eta_s(self) -> float | None:
        """How many seconds are left, if it goes on like this; None where nothing tells."""
        return self.seconds * (1 - self.share) / self.share if self.share else None


class Recorder:
    """An Observer that remembers. Threads may call it; what it holds can be looked at any time.

    plan: once it is made. result: once the run has ended well. times: wall and processor seconds by thread and stage.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._lock = threading.Lock()
        self._rows = self._rejected = self._bytes = self._parts = self._total_bytes = self._total_parts = 0
        self.plan: Plan | None = None
        self.result: RunResult | None = None
        self.times: dict[tuple[str, Stage], tuple[float, float]] = {}
        self.on_planned: list[Callable[[], None]] = []
        self.on_committed: list[Callable[[Part], None]] = []

    def planned(self, plan: Plan, parts: Sequence[Part], size_bytes: int) -> None:
        """See Observer."""
        self.plan, self._total_bytes, self._total_parts = plan, size_bytes, len(parts)
        for listener in self.on_planned:
            listener()

    def advanced(self, rows: int, rejected: int, size_bytes: int) -> None:
        """See Observer."""
        with self._lock:
            self._rows += rows
            self._rejected += rejected
            self._bytes += size_bytes

    def committed(self, part: Part) -> None:
        """See Observer."""
        with self._lock:
            self._parts += 1
        for listener in self.on_committed:
            listener(part)

    def spent(self, stage: Stage, wall_s: float, cpu_s: float) -> None:
        """See Observer."""
        key = threading.current_thread().name, stage
        with self._lock:
            wall, cpu = self.times.get(key, (0.0, 0.0))
            self.times[key] = wall + wall_s, cpu + cpu_s

    def counts(self) -> Counts:
        """How far the run is."""
        with self._lock:
            return Counts(
                self._rows, self._rejected, self._bytes, self._parts, self._total_bytes, self._total_parts,
                self._clock() - self._begun,
            )  # fmt: skip

    def stage_seconds(self) -> dict[Stage, float]:
        """Wall seconds of all stages, added up over threads."""
        totals = dict.fromkeys(Stage, 0.0)
        with self._lock:
            for (_, stage), (wall_s, _) in self.times.items():
                totals[stage] += wall_s
        return totals

    def summary(self) -> dict[str, Any]:
        """All of it in figures, as the last event of the log tells it.

        rows, scored, rejected, accuracy: of the whole output where it is complete, else of what this process has
        scored; the accuracy is then null. missing: how many parts other shards have still to commit.
        """
        counts, result = self.counts(), self.result
        rows = {"read": counts.rows, "scored": counts.rows - counts.rejected, "rejected": counts.rejected}
        unknown = {"rows": rows, "accuracy": None, "accuracy_95": None}
        report: Any = result.report if result and result.report else unknown
        return {
            **({"output": result.output, "was_done": result.was_done, "missing": result.missing} if result else {}),
            "rows": report["rows"]["read"],
            "scored": report["rows"]["scored"],
            "rejected": report["rows"]["rejected"],
            "accuracy": report["accuracy"],
            "accuracy_95": report["accuracy_95"],
            "inputs": len(self.plan.inputs) if self.plan else None,
            "parts": counts.parts,
            "bytes": counts.bytes,
            "seconds": round(counts.seconds, 3),
            "rows_per_second": round(counts.rows / counts.seconds) if counts.seconds else 0,
            "stage_seconds": {stage: round(seconds, 3) for stage, seconds in self.stage_seconds().items()},
            "peak_memory_bytes": peak_memory_bytes(),
        }
