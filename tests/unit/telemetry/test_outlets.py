import logging

import pytest
from support.files import write_csv
from support.runs import score_observed

from job.errors import StorageError, TooManyRejects
from job.settings import RejectLimit, TelemetrySettings


@pytest.fixture
def source(tmp_path, digits):
    """A hundred labelled rows and a malformed one."""
    path = write_csv(tmp_path / "a.csv", digits)
    path.write_text(path.read_text() + "1,2,3\n")
    return path


def test_the_log_has_an_event_for_start_plan_and_each_part(tmp_path, model, source, caplog):
    """In this order, with the figures as fields."""
    caplog.set_level(logging.DEBUG)
    score_observed(source, tmp_path / "out", model, telemetry=TelemetrySettings(is_quiet=True), part_bytes=100_000)
    records = {record.event: record for record in caplog.records if record.name == "job.telemetry.outlets"}
    assert list(records) == ["started", "planned", "part_committed"]
    assert records["started"].fields["inputs"] == (str(source),)
    parts = records["planned"].fields["parts"]
    assert parts > 1
    assert records["planned"].message.startswith(f"{parts} parts of 1 file to score, about 0.")
    committed = [record.fields["part"] for record in caplog.records if getattr(record, "event", "") == "part_committed"]
    assert sorted(committed) == list(range(parts))


def test_a_file_that_cannot_be_written_fails_a_successful_run(tmp_path, model, source):
    """The output is complete; running the same command again only writes the file."""
    asked = TelemetrySettings(metrics_file=str(source / "m.prom"))
    with pytest.raises(StorageError, match=r"a\.csv"):
        score_observed(source, tmp_path / "out", model, telemetry=asked)
    assert (tmp_path / "out/_SUCCESS").exists()


def test_a_file_that_cannot_be_written_does_not_hide_the_error_of_the_run(tmp_path, model, source, caplog):
    """The run's error is raised, the file's is logged as a warning."""
    asked = TelemetrySettings(metrics_file=str(source / "m.prom"))
    with pytest.raises(TooManyRejects):
        score_observed(source, tmp_path / "out", model, telemetry=asked, max_rejects=RejectLimit.parse("0"))
    assert [record.levelname for record in caplog.records if "m.prom" in record.message] == ["WARNING"]
