"""Publishing a scoring run: its events in the log, its progress, and its metrics and lineage in files or by push.

The command line wraps the scoring stage in `publish`; each other module of telemetry is one way to publish.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from job._version import __version__
from job.errors import DigitJobError, OutputOccupied, ResourceExhausted, StorageError, UsageError
from job.flag_names import Flag
from job.log import Event, event
from job.report.words import many
from job.score.plan import Part
from job.settings import ScoreSettings, TelemetrySettings
from job.storage import is_within, storage_at
from job.telemetry.lineage import LineageFile
from job.telemetry.progress import show_progress
from job.telemetry.prometheus import MetricsFile, Pushgateway
from job.telemetry.recorder import Recorder
from job.telemetry.termination import Ending, ending_of

_log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Where the end of a run is published. to: the path or URL."""

    @property
    def to(self) -> str: ...

    def end(self, ending: Ending | None) -> None:
        """Publish the end of the run; `ending` is None if it succeeded. Raises StorageError."""
        ...


@contextmanager
def publish(recorder: Recorder, settings: ScoreSettings, telemetry: TelemetrySettings) -> Iterator[None]:
    """Publish the run inside the block, which `recorder` observes; the block sets `recorder.result` at its end.

    Raises UsageError before the block if another file is in the way of one to be written. An outlet that fails is a
    warning, and the others are told all the same; where telemetry is required, its error is raised after all of them.
    If the block raises, its error is the one that is raised.
    """
    recorder.on_planned.append(lambda: _log_plan(recorder))
    recorder.on_committed.append(_log_part)
    failures = _Failures(recorder, is_required=telemetry.is_required)
    outlets = list(_outlets(recorder, settings, telemetry, failures))
    failures.check()
    _log_start(settings)
    try:
        with show_progress(recorder, is_json=telemetry.is_json, is_quiet=telemetry.is_quiet):
            yield
    except BaseException as error:  # raised again
        _end(outlets, ending_of(error), failures)
        raise
    _end(outlets, None, failures)
    failures.check()


class _Failures:
    """The outlets that failed. Each is a warning; `check` raises the first if telemetry is required."""

    def __init__(self, recorder: Recorder, *, is_required: bool) -> None:
        self._recorder, self._is_required = recorder, is_required
        self._first: DigitJobError | None = None

    @contextmanager
    def caught(self, to: str) -> Iterator[None]:
        """Catch what an outlet raises if it cannot be written. to: its path or URL."""
        try:
            yield
        except (StorageError, ResourceExhausted, OutputOccupied) as error:
            self._first = self._first or error
            self._recorder.failed_outlets.add(to)
            text = str(error) if to in str(error) else f"{to}: {error}"
            _log.warning("%s", text, extra=event(Event.TELEMETRY_FAILED, to=to))

    def check(self) -> None:
        """Raise the first error of an outlet if it must not fail."""
        if self._first is not None and self._is_required:
            raise self._first


def _outlets(
    recorder: Recorder, settings: ScoreSettings, telemetry: TelemetrySettings, failures: _Failures
) -> Iterator[Outlet]:
    """The outlets that the user asked for. Raises UsageError for a file in the output folder or that is another's."""
    for flag, location in ((Flag.METRICS_FILE, telemetry.metrics_file), (Flag.OPENLINEAGE, telemetry.openlineage)):
        if location and _is_below(location, settings.output):
            raise UsageError(f"{flag} {location}: is in the output folder, where only results belong; choose another")
    if telemetry.metrics_file:
        with failures.caught(telemetry.metrics_file):
            yield MetricsFile(storage_at(telemetry.metrics_file), telemetry.metrics_file, recorder)
    if telemetry.pushgateway:
        yield Pushgateway(
            telemetry.pushgateway,
            recorder,
            job_name=telemetry.job_name,
            shard=settings.shard,
            is_required=telemetry.is_required,
        )
    if telemetry.openlineage:
        with failures.caught(telemetry.openlineage):
            storage = storage_at(telemetry.openlineage)
            lineage = LineageFile(storage, telemetry.openlineage, settings, recorder, telemetry.job_name)
            recorder.on_planned.append(lambda: _start(lineage, failures))
            yield lineage


def _is_below(location: str, folder: str) -> bool:
    """Whether a path is in a folder or the folder itself, through whatever links."""
    storage = storage_at(location, folder)
    path, above = (storage.real_path(storage.resolve(each)) for each in (location, folder))
    return is_within(path, above)


def _start(lineage: LineageFile, failures: _Failures) -> None:
    with failures.caught(lineage.to):
        lineage.start()
    failures.check()


def _end(outlets: Sequence[Outlet], ending: Ending | None, failures: _Failures) -> None:
    """Publish the end everywhere, whichever outlet fails."""
    for outlet in outlets:
        with failures.caught(outlet.to):
            outlet.end(ending)


def _log_start(settings: ScoreSettings) -> None:
    fields: dict[str, Any] = {
        "command": "score",
        "version": __version__,
        "inputs": settings.inputs,
        "output": settings.output,
        "model": settings.model,
        "threads": settings.threads,
        "pid": os.getpid(),
    }
    _log.info("scoring %s into %s", ", ".join(settings.inputs), settings.output, extra=event(Event.STARTED, **fields))


def _log_plan(recorder: Recorder) -> None:
    counts, inputs = recorder.counts(), len(recorder.plan.inputs) if recorder.plan else 0
    fields = {"inputs": inputs, "parts": counts.total_parts, "bytes": counts.total_bytes}
    _log.info(
        "%s of %s to score, about %.1f MB",
        many(counts.total_parts, "part"),
        many(inputs, "file"),
        counts.total_bytes / 1e6,
        extra=event(Event.PLANNED, **fields),
    )


def _log_part(part: Part) -> None:
    _log.debug("committed part %d", part.index, extra=event(Event.PART_COMMITTED, part=part.index))
