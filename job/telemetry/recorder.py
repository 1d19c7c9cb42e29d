"""The figures of a scoring run while it runs and at its end: an Observer that the scoring stage reports to.

All other modules of telemetry read a run's figures from here.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from job.report.warning_list import outcome
from job.score.observer import Stage
from job.score.plan import Part, Plan

if TYPE_CHECKING:
    from job.score.run import RunResult

_STATUS: Final = "/proc/self/status"
_PEAK: Final = "VmHWM:"


@dataclass(frozen=True, slots=True)
class Counts:
    """The progress of a run at one moment.

    rows, rejected, bytes, parts: scored by this process; rows include the rejected, bytes are those of the inputs, as
    stored. total_bytes, total_parts: what it has to score; 0 before the run is planned. seconds: since its start.
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
        """The share of the work that is done, 0-1, by bytes, which are an estimate."""
        return min(1.0, self.bytes / self.total_bytes) if self.total_bytes else 0.0

    @property
    def eta_s(self) -> float | None:
        """The seconds left at the mean speed so far; None before anything is scored."""
        return self.seconds * (1 - self.share) / self.share if self.share else None


class Recorder:
    """An Observer that keeps all figures. Thread-safe.

    plan: None until it is made. result: set by whoever runs the stage, once its output is written. times: wall and
    processor seconds by thread and stage. failed_outlets: those that could not be written. on_planned, on_committed:
    called after the event of that name.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._rows = self._rejected = self._bytes = self._parts = self._total_bytes = self._total_parts = 0
        self.plan: Plan | None = None
        self.result: RunResult | None = None
        self.failed_outlets: set[str] = set()
        self.times: dict[tuple[str, Stage], tuple[float, float]] = {}
        self.on_planned: list[Callable[[], None]] = []
        self.on_committed: list[Callable[[Part], None]] = []

    def planned(self, plan: Plan, parts: Sequence[Part], size_bytes: int) -> None:
        self.plan, self._total_bytes, self._total_parts = plan, size_bytes, len(parts)
        for listener in self.on_planned:
            listener()

    def advanced(self, rows: int, rejected: int, size_bytes: int) -> None:
        with self._lock:
            self._rows += rows
            self._rejected += rejected
            self._bytes += size_bytes

    def committed(self, part: Part) -> None:
        with self._lock:
            self._parts += 1
        for listener in self.on_committed:
            listener(part)

    def spent(self, stage: Stage, wall_s: float, cpu_s: float) -> None:
        key = threading.current_thread().name, stage
        with self._lock:
            wall, cpu = self.times.get(key, (0.0, 0.0))
            self.times[key] = wall + wall_s, cpu + cpu_s

    def counts(self) -> Counts:
        """The progress so far."""
        with self._lock:
            return Counts(
                self._rows, self._rejected, self._bytes, self._parts, self._total_bytes, self._total_parts,
                self._clock() - self._started,
            )  # fmt: skip

    def stage_seconds(self) -> dict[Stage, float]:
        """Wall seconds by stage, summed over threads."""
        totals = dict.fromkeys(Stage, 0.0)
        with self._lock:
            for (_, stage), (wall_s, _) in self.times.items():
                totals[stage] += wall_s
        return totals

    def warnings(self) -> int:
        """How many warnings the report has and telemetry has given."""
        report: Any = (self.result.report if self.result else None) or {}
        # Output of an earlier version has no warnings.
        return len(report.get("warnings", [])) + len(self.failed_outlets)

    def summary(self) -> dict[str, Any]:
        """The fields of the log's last event, of a run that does not fail.

        rows, scored, rejected, accuracy: of the whole output if it is complete; otherwise of what this process has
        scored, with no accuracy. missing: the number of parts that other shards have not committed yet.
        """
        counts, result = self.counts(), self.result
        rows = {"read": counts.rows, "scored": counts.rows - counts.rejected, "rejected": counts.rejected}
        incomplete = {"rows": rows, "accuracy": None, "accuracy_95": None, "accuracy_withheld": None}
        report: Any = result.report if result and result.report else incomplete
        return {
            "outcome": outcome(self.warnings()),
            "warnings": self.warnings(),
            **({"output": result.output, "was_done": result.was_done, "missing": result.missing} if result else {}),
            "rows": report["rows"]["read"],
            "scored": report["rows"]["scored"],
            "rejected": report["rows"]["rejected"],
            "accuracy": report["accuracy"],
            "accuracy_95": report["accuracy_95"],
            "accuracy_withheld": report.get("accuracy_withheld"),
            # Of an earlier version, it is only the mean confidence.
            "estimated_accuracy": report.get("estimated_accuracy") if "mean_confidence" in report else None,
            **_of_promise(report.get("promise")),
            "inputs": len(self.plan.inputs) if self.plan else None,
            "parts": counts.parts,
            "bytes": counts.bytes,
            "seconds": round(counts.seconds, 3),
            "rows_per_second": round(counts.rows / counts.seconds) if counts.seconds else 0,
            "stage_seconds": {stage: round(seconds, 3) for stage, seconds in self.stage_seconds().items()},
            "peak_memory_bytes": peak_memory_bytes(),
        }


def _of_promise(promise: Any) -> dict[str, Any]:
    """The fields about `--max-error`; none without it."""
    if promise is None:
        return {}
    names = ("accepted", "review", "coverage", "max_error", "threshold")
    return {**{name: promise[name] for name in names}, "is_promise_withdrawn": promise["is_withdrawn"]}


def peak_memory_bytes() -> int:
    """The peak resident memory of this process.

    Read from /proc where there is one: on Linux, getrusage includes the memory of the parent before this process began.
    """
    try:
        with open(_STATUS, encoding="ascii") as status:
            return int(status.read().split(_PEAK)[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
