import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.files import write_csv
from support.runs import files_below, score_observed

from job.errors import StorageError, Terminated, TooManyRejects, UsageError
from job.settings import RejectLimit, Shard, TelemetrySettings
from job.telemetry.progress import log_progress
from job.telemetry.prometheus import Pushgateway
from job.telemetry.recorder import Recorder

LAST_SUCCESS = "digit_job_last_success_timestamp_seconds"


def metrics(text):
    """Values by name and label, parsed by Prometheus's client; checks that each metric has a help text and a type."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type == "gauge" for family in families)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


@pytest.fixture
def source(tmp_path, digits):
    """A hundred labelled rows and a malformed one."""
    path = write_csv(tmp_path / "a.csv", digits)
    path.write_text(path.read_text() + "1,2,3\n")
    return path


def test_the_file_has_the_figures_of_the_run(tmp_path, model, source):
    """Rows by outcome, bytes, seconds by stage, memory, accuracy, and the time of the success."""
    asked, before = TelemetrySettings(metrics_file=str(tmp_path / "m.prom")), time.time()
    recorder = score_observed(source, tmp_path / "out", model, telemetry=asked)
    found = metrics((tmp_path / "m.prom").read_text())
    assert found["digit_job_rows", "scored"] == 100
    assert found["digit_job_rows", "rejected"] == 1
    assert found["digit_job_input_bytes",] == pytest.approx(source.stat().st_size, rel=0.1)
    stages = {key[1] for key in found if key[0] == "digit_job_stage_seconds"}
    assert stages == {"plan", "read", "predict", "write", "gather"}
    assert found["digit_job_accuracy_ratio",] == recorder.result.report["accuracy"]
    assert found["digit_job_peak_memory_bytes",] > 1 << 20
    assert found["digit_job_exit_code",] == 0
    assert before <= found[LAST_SUCCESS,] <= time.time()
    assert not [path for path in files_below(tmp_path) if path.endswith(".tmp")]


def test_a_failed_run_keeps_the_time_of_the_last_success(tmp_path, model, source):
    """And has its own exit code and rows, and no accuracy."""
    asked = TelemetrySettings(metrics_file=str(tmp_path / "m.prom"))
    score_observed(source, tmp_path / "out", model, telemetry=asked)
    before = metrics((tmp_path / "m.prom").read_text())
    with pytest.raises(TooManyRejects):
        score_observed(source, tmp_path / "other", model, telemetry=asked, max_rejects=RejectLimit.parse("0"))
    after = metrics((tmp_path / "m.prom").read_text())
    assert after[LAST_SUCCESS,] == before[LAST_SUCCESS,]
    assert after["digit_job_exit_code",] == 65
    assert after["digit_job_rows", "scored"] == 100
    assert ("digit_job_accuracy_ratio",) not in after


def test_a_first_run_that_fails_has_no_last_success(tmp_path, model, source):
    """The metric is missing, rather than 0."""

    def stop():
        raise Terminated("terminated")

    with pytest.raises(Terminated):
        score_observed(
            source, tmp_path / "out", model, telemetry=TelemetrySettings(str(tmp_path / "m.prom")), check_stop=stop
        )
    found = metrics((tmp_path / "m.prom").read_text())
    assert (LAST_SUCCESS,) not in found
    assert found["digit_job_exit_code",] == 143


def test_another_kind_of_file_is_not_overwritten(tmp_path, model, source):
    """It is detected before any work."""
    before = source.read_bytes()
    with pytest.raises(UsageError, match="exists and is not a Prometheus metrics file"):
        score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(metrics_file=str(source)))
    assert source.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content",
    [b"port 5432\n", b"name 5432", b"\n", b"# HELP other Metrics.\nother 1\n", b" # HELP digit_job_rows Records\n"],
)
def test_a_file_that_only_looks_like_metrics_is_not_overwritten(tmp_path, model, source, content):
    """Many configurations are lines of a name and a number; so the first line must be the job's own."""
    (tmp_path / "settings").write_bytes(content)
    with pytest.raises(UsageError, match="settings: exists and is not a Prometheus metrics file of digit-job"):
        score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(str(tmp_path / "settings")))
    assert (tmp_path / "settings").read_bytes() == content


def test_an_empty_file_is_replaced(tmp_path, model, source):
    """As `mktemp` makes one: nothing is lost."""
    (tmp_path / "m.prom").touch()
    score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(str(tmp_path / "m.prom")))
    assert (LAST_SUCCESS,) in metrics((tmp_path / "m.prom").read_text())


@contextmanager
def gateway(status):
    """A server that answers every request with a status; yields its URL and the requests."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, body.decode()))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


def test_a_push_has_the_same_figures(tmp_path, model, source):
    """By POST, which keeps other metrics of the job: the last success, if this run fails."""
    with gateway(202) as (url, requests):
        recorder = score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(pushgateway=url))
    [(path, body)] = requests
    run = recorder.plan.fingerprint[:16]
    assert path == f"/metrics/job/digit-job/run/{run}"
    assert metrics(body)["digit_job_rows", "scored"] == 100


def test_shards_and_jobs_have_groups_of_their_own(tmp_path, model, source):
    """Neither replaces the metrics of another; a run that is started again replaces its own."""
    with gateway(202) as (url, requests):
        asked = TelemetrySettings(pushgateway=url, job_name="nightly")
        for index in (0, 1, 1):
            recorder = score_observed(
                source, tmp_path / "out", model, telemetry=asked, shard=Shard(index, 2), part_bytes=50_000
            )
    run = recorder.plan.fingerprint[:16]
    paths = [path for path, _ in requests]
    assert paths == [f"/metrics/job/nightly/run/{run}/shard/{index}" for index in (0, 1, 1)]


def test_a_push_that_fails_is_a_warning(caplog):
    """No server, no such protocol, no valid URL, no such host."""
    urls = ["http://127.0.0.1:1", "nonsense://host", "http://[", "http://no-such-host.invalid"]
    for url in urls:
        Pushgateway(url, Recorder()).end(None)
    for url, record in zip(urls, caplog.records, strict=True):
        assert (record.levelname, record.event) == ("WARNING", "telemetry_failed")
        assert record.message.startswith(f"--pushgateway {url}: ")


def test_a_push_that_is_required_is_an_error():
    """And the recorder counts the others."""
    with pytest.raises(StorageError, match=r"^--pushgateway http://127\.0\.0\.1:1: "):
        Pushgateway("http://127.0.0.1:1", Recorder(), is_required=True).end(None)
    recorder = Recorder()
    Pushgateway("http://127.0.0.1:1", recorder).end(None)
    assert recorder.summary()["outcome"] == "ok with 1 warning"


def test_a_gateway_that_refuses_is_a_warning(caplog):
    """With its status."""
    with gateway(400) as (url, _):
        Pushgateway(url, Recorder()).end(None)
    assert "400" in caplog.text


def test_a_gateway_that_does_not_answer_is_not_waited_for(caplog):
    """The job ends after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        Pushgateway(f"http://127.0.0.1:{silent.getsockname()[1]}", Recorder(), timeout_s=0.2).end(None)
    [record] = caplog.records
    assert "0.2 s" in record.message or "timed out" in record.message


def test_a_system_that_refuses_threads_is_a_warning(monkeypatch, caplog):
    """Neither the push nor the progress in the log is worth a failure."""

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "_start_new_thread", refuse)
    Pushgateway("http://127.0.0.1:1", Recorder()).end(None)
    with log_progress(Recorder()):
        assert [record.event for record in caplog.records] == ["telemetry_failed", "telemetry_failed"]
