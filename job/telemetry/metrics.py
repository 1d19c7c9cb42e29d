"""A run's figures as Prometheus metrics: a file for node_exporter's textfile collector, and a push to a Pushgateway.

The file: https://github.com/prometheus/node_exporter#textfile-collector. The names follow
https://prometheus.io/docs/practices/naming/. All are gauges, for each run says its own figures.
"""

import http.client
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from job import __version__
from job.errors import UsageError
from job.events import Event, told_as
from job.storage import Storage
from job.telemetry.recorder import Recorder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_log = logging.getLogger(__name__)

_LAST_SUCCESS: Final = "digit_job_last_success_timestamp_seconds"
_JOB: Final = "digit-job"
_TIMEOUT_S: Final = 5.0


class MetricsFile:
    """The file of metrics, as it was before the run and as it will be after it."""

    def __init__(self, storage: Storage, location: str) -> None:
        """Raises UsageError where a file of anything else is at the location, for it would be lost."""
        self._storage = storage
        self._path = storage.resolve(location)
        self.last_success = self._found()

    def write(self, registry: "CollectorRegistry") -> None:
        """Replace the file. Raises StorageError."""
        from prometheus_client import generate_latest  # noqa: PLC0415  # a tenth of a second that most runs need not

        with self._storage.commit(self._path) as file:
            file.write(generate_latest(registry))

    def _found(self) -> float | None:
        """When a run last succeeded, in seconds since 1970, as an earlier run wrote it."""
        if self._storage.stat(self._path) is None:
            return None
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  # as above

        try:
            families = list(text_string_to_metric_families(self._storage.read(self._path).decode()))
        except ValueError as error:
            raise UsageError(
                f"--metrics-file {self._path}: is there and is no file of metrics; name another, or remove it"
            ) from error
        times = [sample.value for family in families for sample in family.samples if sample.name == _LAST_SUCCESS]
        return times[0] if times else None


def registry_of(recorder: Recorder, exit_code: int, last_success: float | None = None) -> "CollectorRegistry":
    """The metrics of a run that has ended with an exit code.

    last_success: when a run last succeeded, if this one did not; None leaves the metric out.
    """
    from prometheus_client import CollectorRegistry, Gauge  # noqa: PLC0415  # as above

    registry = CollectorRegistry()
    summary = recorder.summary()

    def gauge(name: str, text: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"digit_job_{name}", text, registry=registry).set(value)

    rows = Gauge("digit_job_rows", "Records by what became of them.", ["outcome"], registry=registry)
    for outcome in ("scored", "rejected"):
        rows.labels(outcome).set(summary[outcome])
    stages = Gauge(
        "digit_job_stage_seconds", "Seconds spent on each stage, added up over threads.", ["stage"], registry=registry
    )
    for stage, seconds in recorder.stage_seconds().items():
        stages.labels(stage.value).set(seconds)
    gauge("input_bytes", "Bytes of the inputs, as stored, that this run has scored.", summary["bytes"])
    gauge("duration_seconds", "Seconds from the run's start to its end.", summary["seconds"])
    gauge("peak_memory_bytes", "The most memory that the process had resident.", summary["peak_memory_bytes"])
    gauge("accuracy_ratio", "Share of the labelled records that were named right.", summary["accuracy"])
    gauge("exit_code", "The exit code; 0 where all went well.", exit_code)
    gauge(
        _LAST_SUCCESS.removeprefix("digit_job_"),
        "When a run last ended well, in seconds since 1970.",
        last_success if exit_code else time.time(),
    )
    info = Gauge("digit_job_info", "Always 1; which version of the job it was.", ["version"], registry=registry)
    info.labels(__version__).set(1)
    return registry


def push(registry: "CollectorRegistry", url: str, timeout_s: float = _TIMEOUT_S) -> None:
    """Send metrics to a Pushgateway; what it has besides, such as the last success, stays. Failure is a warning."""
    outcome = [f"no answer within {timeout_s:g} s"]
    # In a thread, for looking up a name has no time limit of its own.
    pusher = threading.Thread(target=lambda: outcome.__setitem__(0, _pushed(registry, url, timeout_s)), daemon=True)
    try:
        pusher.start()
        pusher.join(timeout_s)
    except RuntimeError as refusal:  # Python's word for a thread that the system refuses
        outcome[0] = str(refusal)
    if outcome[0]:
        _log.warning("--pushgateway %s: %s", url, outcome[0], extra=told_as(Event.NOT_TOLD, to=url))


def _pushed(registry: "CollectorRegistry", url: str, timeout_s: float) -> str:
    """What went wrong; empty where nothing did."""
    from prometheus_client import pushadd_to_gateway  # noqa: PLC0415  # as above

    try:
        pushadd_to_gateway(url, _JOB, registry, timeout=timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    return ""
