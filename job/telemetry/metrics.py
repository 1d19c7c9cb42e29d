"""A run's figures as Prometheus metrics: a file for node_exporter's textfile collector, and a push to a Pushgateway.

The file: https://github.com/prometheus/node_exporter#textfile-collector. The names follow
https://prometheus.io/docs/practices/naming/. All are gauges, for each run says its own figures.
"""

import http.client
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from job._version import __version__
from job.errors import UsageError
from job.flag_names import Flag
from job.log import Event, event
from job.storage import Storage
from job.telemetry.recorder import Recorder
from job.telemetry.termination import Ending

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_log = logging.getLogger(__name__)

_LAST_SUCCESS: Final = "digit_job_last_success_timestamp_seconds"
_JOB: Final = "digit-job"
_TIMEOUT_S: Final = 5.0


class MetricsFile:
    """The file of metrics, as it was before the run and as it will be after it. to: its path."""

    def __init__(self, storage: Storage, location: str, recorder: Recorder) -> None:
        """Raises UsageError where a file of anything else is at the location, for it would be lost."""
        self._storage, self._recorder = storage, recorder
        self.to = storage.resolve(location)
        self._last_success = self._found()

    def end(self, ending: Ending | None) -> None:
        """Replace the file. Raises StorageError."""
        from prometheus_client import generate_latest

        content = generate_latest(registry_of(self._recorder, ending, self._last_success))
        with self._storage.commit(self.to) as file:
            file.write(content)

    def _found(self) -> float | None:
        """When a run last succeeded, in seconds since 1970, as an earlier run wrote it."""
        if self._storage.stat(self.to) is None:
            return None
        from prometheus_client.parser import text_string_to_metric_families

        try:
            families = list(text_string_to_metric_families(self._storage.read(self.to).decode()))
        except ValueError as error:
            raise UsageError(
                f"{Flag.METRICS_FILE} {self.to}: is there and is no file of metrics; name another, or remove it"
            ) from error
        times = [sample.value for family in families for sample in family.samples if sample.name == _LAST_SUCCESS]
        return times[0] if times else None


class Pushgateway:
    """A Pushgateway that is sent the run's metrics; what else it has, such as the last success, stays. to: its URL."""

    def __init__(self, url: str, recorder: Recorder, timeout_s: float = _TIMEOUT_S) -> None:
        self.to, self._recorder, self._timeout_s = url, recorder, timeout_s

    def end(self, ending: Ending | None) -> None:
        """Send them. Failure is a warning, whatever the reason."""
        registry = registry_of(self._recorder, ending)
        outcome = [f"no answer within {self._timeout_s:g} s"]
        # In a thread, for looking up a name has no time limit of its own.
        pusher = threading.Thread(target=lambda: outcome.__setitem__(0, self._pushed(registry)), daemon=True)
        try:
            pusher.start()
            pusher.join(self._timeout_s)
        except RuntimeError as refusal:  # Python's word for a thread that the system refuses
            outcome[0] = str(refusal)
        if outcome[0]:
            _log.warning(
                "%s %s: %s", Flag.PUSHGATEWAY, self.to, outcome[0], extra=event(Event.TELEMETRY_FAILED, to=self.to)
            )

    def _pushed(self, registry: "CollectorRegistry") -> str:
        """What went wrong; empty where nothing did."""
        from prometheus_client import pushadd_to_gateway

        try:
            pushadd_to_gateway(self.to, _JOB, registry, timeout=self._timeout_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return str(error) or type(error).__name__
        return ""


def registry_of(
    recorder: Recorder, ending: Ending | None = None, last_success: float | None = None
) -> "CollectorRegistry":
    """The metrics of a run that has ended; `ending`: how, where it has ended badly.

    last_success: when a run last succeeded, if this one did not; None leaves the metric out.
    """
    from prometheus_client import CollectorRegistry, Gauge

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
    gauge("exit_code", "The exit code; 0 where all went well.", ending.exit_code if ending else 0)
    gauge(
        _LAST_SUCCESS.removeprefix("digit_job_"),
        "When a run last ended well, in seconds since 1970.",
        last_success if ending else time.time(),
    )
    info = Gauge("digit_job_info", "Always 1; which version of the job it was.", ["version"], registry=registry)
    info.labels(__version__).set(1)
    return registry
