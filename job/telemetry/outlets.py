"""Everything that is told about one scoring run, from before its first step until after its last."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from job._version import __version__
from job.errors import DigitJobError
from job.log import Event, event
from job.score.plan import Part
from job.settings import ScoreSettings, TelemetrySettings
from job.storage import storage_at
from job.telemetry.lineage import LineageFile
from job.telemetry.metrics import MetricsFile, Pushgateway
from job.telemetry.progress import shown
from job.telemetry.recorder import Recorder
from job.telemetry.termination import Ending, ending_of

_log = logging.getLogger(__name__)


@contextmanager
def observed(recorder: Recorder, settings: ScoreSettings, asked: TelemetrySettings) -> Iterator[None]:
    """Tell of a run inside the block what `recorder` observes of it; the block sets `recorder.result` at its end.

    Raises UsageError, before the run, for a file in the way of one that is asked for; StorageError, after it, for one
    that cannot be written. Where the run itself fails, its own error is the one that is raised.
    """
    recorder.on_planned.append(lambda: _tell_plan(recorder))
    recorder.on_committed.append(_tell_part)
    outlets = list(_outlets(recorder, settings, asked))
    _tell_start(settings)
    try:
        with shown(recorder, is_json=asked.is_json, is_quiet=asked.is_quiet):
            yield
    except BaseException as error:  # raised again: the end is told of, whatever it is
        _end(outlets, ending_of(error))
        raise
    _end(outlets, None)


class _Outlet(Protocol):
    """A place outside that is told how a run has ended. to: what to call it."""

    @property
    def to(self) -> str: ...

    def end(self, ending: Ending | None) -> None:
        """Tell it; None: well. Raises StorageError, or another of digit-job's errors."""
        ...


def _outlets(recorder: Recorder, settings: ScoreSettings, asked: TelemetrySettings) -> Iterator[_Outlet]:
    """The files and the gateway that the user has asked for."""
    if asked.metrics_file:
        yield MetricsFile(storage_at(asked.metrics_file), asked.metrics_file, recorder)
    if asked.pushgateway:
        yield Pushgateway(asked.pushgateway, recorder)
    if asked.openlineage:
        lineage = LineageFile(storage_at(asked.openlineage), asked.openlineage, settings, recorder)
        recorder.on_planned.append(lineage.start)
        yield lineage


def _end(outlets: Sequence[_Outlet], ending: Ending | None) -> None:
    for outlet in outlets:
        try:
            outlet.end(ending)
        except DigitJobError as error:
            if ending is None:
                raise
            # The run's own error is the one to raise.
            _log.warning("%s", error, extra=event(Event.TELEMETRY_FAILED, to=outlet.to))


def _tell_start(settings: ScoreSettings) -> None:
    fields: dict[str, Any] = {
        "version": __version__,
        "inputs": settings.inputs,
        "output": settings.output,
        "model": settings.model,
        "threads": settings.threads,
        "pid": os.getpid(),
    }
    _log.info("scoring %s into %s", ", ".join(settings.inputs), settings.output, extra=event(Event.STARTED, **fields))


def _tell_plan(recorder: Recorder) -> None:
    counts, inputs = recorder.counts(), len(recorder.plan.inputs) if recorder.plan else 0
    fields = {"inputs": inputs, "parts": counts.total_parts, "bytes": counts.total_bytes}
    text = "to be scored: %d parts of %d files, about %.1f MB"
    told = event(Event.PLANNED, **fields)
    _log.info(text, counts.total_parts, inputs, counts.total_bytes / 1e6, extra=told)


def _tell_part(part: Part) -> None:
    _log.debug("part %d is scored and committed", part.index, extra=event(Event.PART_COMMITTED, part=part.index))
