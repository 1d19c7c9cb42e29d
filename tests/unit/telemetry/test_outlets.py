import logging
import os

import pytest
from support.files import write_csv
from support.runs import score_observed

from job.errors import OutputOccupied, StorageError, TooManyRejects, UsageError
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


@pytest.mark.parametrize("name", ["report.json", "_SUCCESS", "m.prom", "predictions/m.prom", "", "../link/m.prom"])
def test_telemetry_never_goes_into_the_output_folder(tmp_path, model, source, name):
    """It would replace a result, or be taken for one."""
    (tmp_path / "link").symlink_to(tmp_path / "out")
    path = f"{tmp_path}/out/{name}"
    for asked in (TelemetrySettings(metrics_file=path), TelemetrySettings(openlineage=path)):
        with pytest.raises(UsageError, match="is in the output folder, where only results belong"):
            score_observed(source, tmp_path / "out", model, telemetry=asked)
    assert not (tmp_path / "out").exists()


def _asked(tmp_path, source, **more):
    """A metrics file and lineage events below a file, where neither can be written, and the same where they can."""
    return [
        TelemetrySettings(metrics_file=str(source / "m.prom"), openlineage=str(tmp_path / "l.jsonl"), **more),
        TelemetrySettings(metrics_file=str(tmp_path / "m.prom"), openlineage=str(source / "l.jsonl"), **more),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_an_outlet_that_fails_is_a_warning_and_silences_no_other(tmp_path, model, source, caplog, number):
    """The run succeeds, and counts the warning."""
    asked = _asked(tmp_path, source)[number]
    recorder = score_observed(source, tmp_path / "out", model, telemetry=asked)
    failed = {record.fields["to"] for record in caplog.records if record.event == "telemetry_failed"}
    written = {path.name for path in tmp_path.iterdir()} & {"m.prom", "l.jsonl"}
    assert ({path.rpartition("/")[2] for path in failed}, written) == (
        ({"m.prom"}, {"l.jsonl"}) if number == 0 else ({"l.jsonl"}, {"m.prom"})
    )
    assert recorder.summary()["warnings"] == len(recorder.result.report["warnings"]) + 1
    if number == 0:
        assert "COMPLETE" in (tmp_path / "l.jsonl").read_text()


def test_required_telemetry_fails_a_successful_run_once_all_are_told(tmp_path, model, source):
    """The output is complete; running the same command again only writes the file."""
    asked = TelemetrySettings(
        metrics_file=str(tmp_path / "m.prom"), openlineage=str(tmp_path / "l.jsonl"), is_required=True
    )

    def block(*_):
        (tmp_path / "m.prom").mkdir(exist_ok=True)

    with pytest.raises(StorageError, match=r"m\.prom"):
        score_observed(source, tmp_path / "out", model, telemetry=asked, check_stop=block)
    assert (tmp_path / "out/_SUCCESS").exists()
    assert "COMPLETE" in (tmp_path / "l.jsonl").read_text()


def test_required_lineage_that_cannot_be_is_an_error_before_any_work(tmp_path, model, source):
    """Its first event is written as the run begins."""
    asked = TelemetrySettings(openlineage=str(source / "l.jsonl"), is_required=True)
    with pytest.raises(OutputOccupied, match=r"a\.csv"):
        score_observed(source, tmp_path / "out", model, telemetry=asked)
    assert not (tmp_path / "out/predictions").exists()


@pytest.mark.parametrize("name", ["", "  ", "a\nb"])
def test_a_job_name_that_is_none_is_wrong_usage(name):
    """An empty one, or one with control characters."""
    with pytest.raises(UsageError, match=r"^--job-name "):
        TelemetrySettings(job_name=name)


def test_a_file_that_cannot_be_written_does_not_hide_the_error_of_the_run(tmp_path, model, source, caplog):
    """The run's error is raised, the file's is logged as a warning."""
    asked = TelemetrySettings(metrics_file=str(source / "m.prom"))
    with pytest.raises(TooManyRejects):
        score_observed(source, tmp_path / "out", model, telemetry=asked, max_rejects=RejectLimit.parse("0"))
    assert [record.levelname for record in caplog.records if "m.prom" in record.message] == ["WARNING"]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0), (0o022, 0o055)])
def test_who_can_read_what_is_written_is_up_to_the_umask(tmp_path, model, source, umask, mode):
    """For results, metrics and lineage alike; a run that its user alone can read is found finished again."""
    asked = TelemetrySettings(f"{tmp_path}/told/m.prom", openlineage=f"{tmp_path}/told/l.jsonl")
    before = os.umask(umask)
    try:
        for _ in range(2):
            score_observed(source, tmp_path / "out", model, telemetry=asked)
    finally:
        os.umask(before)
    written = [*tmp_path.glob("out/**/*"), *tmp_path.glob("told/**/*"), tmp_path / "out", tmp_path / "told"]
    assert len(written) > 8
    assert {path.stat().st_mode & 0o077 for path in written} == {mode, mode & 0o066}
