"""A run's figures as Prometheus metrics: a file for node_exporter's textfile collector, and a push to a Pushgateway.

The file: https://github.com/prometheus/node_exporter#textfile-collector. Metric names follow
https://prometheus.io/docs/practices/naming/. All are gauges, because each run replaces the figures of the one before.
"""

import http.client
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from job._version import __version__
from job.errors import StorageError, UsageError
from job.flag_names import Flag
from job.log import Event, event
from job.settings import Shard
from job.storage import Storage
from job.telemetry.gateway_url import GatewayUrl, shown_url
from job.telemetry.recorder import Recorder
from job.telemetry.termination import Ending

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_log = logging.getLogger(__name__)

_LAST_SUCCESS: Final = "digit_job_last_success_timestamp_seconds"
# Of every metrics file, by which it is known as one of this job's.
_FIRST_LINE: Final = b"# HELP digit_job_rows Records by outcome.\n"
_MAX_BYTES: Final = 1 << 20
_JOB: Final = "digit-job"
_RUN_CHARACTERS: Final = 16
_TIMEOUT_S: Final = 5.0


class MetricsFile:
    """The metrics file, which the end of a run replaces. to: its path."""

    def __init__(self, storage: Storage, location: str, recorder: Recorder) -> None:
        """Raises UsageError if another kind of file exists at the location: it would be lost."""
        self._storage, self._recorder = storage, recorder
        self.to = storage.resolve(location)
        self._last_success = self._read_last_success()

    def end(self, ending: Ending | None) -> None:
        """Replace the file. Raises StorageError."""
        from prometheus_client import generate_latest

        content = generate_latest(registry_of(self._recorder, ending, self._last_success))
        self._storage.write(self.to, content)

    def _read_last_success(self) -> float | None:
        """The Unix time of the last success, from the file that an earlier run wrote."""
        found = self._storage.stat(self.to)
        if found is None or not found.size or self._storage.is_stream(self.to):
            return None
        from prometheus_client.parser import text_string_to_metric_families

        refused = UsageError(
            f"{Flag.METRICS_FILE} {self.to}: exists and is not a Prometheus metrics file of digit-job; choose another "
            "path or delete it"
        )
        content = self._storage.read(self.to) if found.size <= _MAX_BYTES else b""
        if not content.startswith(_FIRST_LINE):
            raise refused
        try:
            families = list(text_string_to_metric_families(content.decode()))
        except ValueError as error:
            raise refused from error
        times = [sample.value for family in families for sample in family.samples if sample.name == _LAST_SUCCESS]
        return times[0] if times else None


class Pushgateway:
    """A Pushgateway. A push replaces the metrics of a run; others, such as the last success, stay. to: its URL.

    Metrics are grouped by job, run and shard, so that neither the shards of a run nor two runs at a time replace each
    other's. The run is the beginning of its fingerprint: the same run, started again, replaces its own. to: without
    user, password and query.
    """

    def __init__(  # noqa: PLR0913  # what a group is named after, too
        self,
        url: str,
        recorder: Recorder,
        timeout_s: float = _TIMEOUT_S,
        *,
        job_name: str | None = None,
        shard: Shard | None = None,
        is_required: bool = False,
    ) -> None:
        self.to, self._url, self._recorder, self._timeout_s = shown_url(url), url, recorder, timeout_s
        self._job, self._shard, self._is_required = job_name or _JOB, shard, is_required

    def end(self, ending: Ending | None) -> None:
        """Push. A failure is only logged, as a warning, unless the push is required: then it is a StorageError."""
        registry = registry_of(self._recorder, ending)
        failure = f"no answer within {self._timeout_s:g} s"

        def push() -> None:
            nonlocal failure
            failure = self._push(registry)

        # In a thread, because resolving a host name has no timeout.
        thread = threading.Thread(target=push, daemon=True)
        try:
            thread.start()
            thread.join(self._timeout_s)
        except RuntimeError as error:  # the system allows no more threads
            failure = str(error)
        if not failure:
            return
        if self._is_required:
            raise StorageError(f"{Flag.PUSHGATEWAY} {self.to}: {failure}")
        self._recorder.failed_outlets.add(self.to)
        fields = event(Event.TELEMETRY_FAILED, to=self.to)
        _log.warning("%s %s: %s", Flag.PUSHGATEWAY, self.to, failure, extra=fields)

    def _group(self) -> dict[str, str]:
        """The labels of the group besides the job; a run that failed before its plan has no fingerprint."""
        plan = self._recorder.plan
        run = {"run": plan.fingerprint[:_RUN_CHARACTERS]} if plan else {}
        return run | ({"shard": str(self._shard.index)} if self._shard else {})

    def _push(self, registry: "CollectorRegistry") -> str:
        """Push, and return why it failed, or an empty string."""
        from prometheus_client import pushadd_to_gateway

        try:
            url = GatewayUrl.parse(self._url)
            pushadd_to_gateway(url.address, self._job, registry, self._group(), self._timeout_s, url.post)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return str(error) or type(error).__name__
        return ""


def registry_of(
    recorder: Recorder, ending: Ending | None = None, last_success: float | None = None
) -> "CollectorRegistry":
    """The metrics of a run that has ended. ending: None if it succeeded.

    last_success: the Unix time of the last success, for a run that failed; None omits that metric.
    """
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    summary = recorder.summary()

    def gauge(name: str, text: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"digit_job_{name}", text, registry=registry).set(value)

    rows = Gauge("digit_job_rows", "Records by outcome.", ["outcome"], registry=registry)
    for outcome in ("scored", "rejected"):
        rows.labels(outcome).set(summary[outcome])
    stages = Gauge(
        "digit_job_stage_seconds", "Wall-clock seconds per stage, summed over threads.", ["stage"], registry=registry
    )
    for stage, seconds in recorder.stage_seconds().items():
        stages.labels(stage.value).set(seconds)
    gauge("input_bytes", "Bytes of the inputs scored by this run, as stored.", summary["bytes"])
    gauge("duration_seconds", "Wall-clock seconds of the run.", summary["seconds"])
    gauge("peak_memory_bytes", "Peak resident memory of the process.", summary["peak_memory_bytes"])
    gauge("accuracy_ratio", "Share of the labelled records classified correctly.", summary["accuracy"])
    gauge("coverage_ratio", "Share of the scored records that the accepted error lets pass.", summary.get("coverage"))
    gauge("promise_withdrawn", "1 if the promised share of errors is withdrawn.", summary.get("is_promise_withdrawn"))
    gauge("warnings", "Warnings of the report and of telemetry.", summary["warnings"])
    gauge("exit_code", "Exit code; 0 for success.", ending.exit_code if ending else 0)
    gauge(
        _LAST_SUCCESS.removeprefix("digit_job_"),
        "Unix time of the last successful run.",
        last_success if ending else time.time(),
    )
    info = Gauge("digit_job_info", "Always 1; the version of digit-job is a label.", ["version"], registry=registry)
    info.labels(__version__).set(1)
    return registry
