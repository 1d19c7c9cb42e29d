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
from job.settings import RejectLimit, TelemetrySettings
from job.telemetry.metrics import Pushgateway
from job.telemetry.progress import told_regularly
from job.telemetry.recorder import Recorder

LAST_SUCCESS = "digit_job_last_success_timestamp_seconds"


def metrics(text):
    """Values by name and label, as Prometheus's own parser reads them; each metric has a help text and a type."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type == "gauge" for family in families)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


@pytest.fixture
def source(tmp_path, digits):
    """A hundred labelled rows and one that is none."""
    path = write_csv(tmp_path / "a.csv", digits)
    path.write_text(path.read_text() + "1,2,3\n")
    return path


def test_the_file_holds_the_run_in_figures(tmp_path, model, source):
    """Rows by outcome, bytes, seconds by stage, memory, accuracy, and when that was."""
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
    """Its own exit code and rows, no accuracy, and the earlier run's time."""
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


def test_a_first_run_that_fails_knows_of_no_success(tmp_path, model, source):
    """The metric is not there, rather than 0."""

    def stop():
        raise Terminated("terminated")

    with pytest.raises(Terminated):
        score_observed(
            source, tmp_path / "out", model, telemetry=TelemetrySettings(str(tmp_path / "m.prom")), check_stop=stop
        )
    found = metrics((tmp_path / "m.prom").read_text())
    assert (LAST_SUCCESS,) not in found
    assert found["digit_job_exit_code",] == 143


def test_a_file_of_something_else_is_not_overwritten(tmp_path, model, source):
    """Found before any work: nothing is scored, and the file is as it was."""
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is there and is no file of metrics"):
        score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(metrics_file=str(source)))
    assert source.read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_written_fails_a_run_that_went_well(tmp_path, model, source):
    """What was asked for is missing; the output is whole, and the same command has only the file left to write."""
    asked = TelemetrySettings(metrics_file=str(source / "m.prom"))
    with pytest.raises(StorageError, match=r"a\.csv"):
        score_observed(source, tmp_path / "out", model, telemetry=asked)
    assert (tmp_path / "out/_SUCCESS").exists()


def test_a_file_that_cannot_be_written_does_not_hide_why_the_run_failed(tmp_path, model, source, caplog):
    """The run's error is raised, and the file's is a warning."""
    asked = TelemetrySettings(metrics_file=str(source / "m.prom"))
    with pytest.raises(TooManyRejects):
        score_observed(source, tmp_path / "out", model, telemetry=asked, max_rejects=RejectLimit.parse("0"))
    assert [record.levelname for record in caplog.records if "m.prom" in record.message] == ["WARNING"]


@contextmanager
def gateway(status):
    """A server that answers all with a status; yields its URL and what it is sent."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, body.decode()))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


def test_the_same_figures_are_pushed(tmp_path, model, source):
    """By POST, which leaves what else the gateway has of this job: the last success, if this run is none."""
    with gateway(202) as (url, requests):
        score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(pushgateway=url))
    [(path, body)] = requests
    assert path == "/metrics/job/digit-job"
    assert metrics(body)["digit_job_rows", "scored"] == 100


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense://host", "http://[", "http://no-such-host.invalid"])
def test_a_push_that_fails_is_a_warning(url, caplog):
    """Whatever the reason."""
    Pushgateway(url, Recorder()).end(None)
    [record] = caplog.records
    assert (record.levelname, record.event) == ("WARNING", "telemetry_failed")
    assert record.message.startswith(f"--pushgateway {url}: ")


def test_a_gateway_that_refuses_is_a_warning(caplog):
    """Its status is told."""
    with gateway(400) as (url, _):
        Pushgateway(url, Recorder()).end(None)
    assert "400" in caplog.text


def test_a_gateway_that_does_not_answer_is_not_waited_for(caplog):
    """The job ends, a moment later."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        Pushgateway(f"http://127.0.0.1:{silent.getsockname()[1]}", Recorder(), timeout_s=0.2).end(None)
    [record] = caplog.records
    assert "0.2 s" in record.message or "timed out" in record.message


def test_a_system_that_refuses_threads_is_a_warning(monkeypatch, caplog):
    """Neither the push nor the lines of progress are worth a failure."""

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "_start_new_thread", refuse)
    Pushgateway("http://127.0.0.1:1", Recorder()).end(None)
    with told_regularly(Recorder()):
        assert [record.event for record in caplog.records] == ["telemetry_failed", "telemetry_failed"]
