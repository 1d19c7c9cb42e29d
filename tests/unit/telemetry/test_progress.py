import threading

import pytest

from job.telemetry.progress import describe_counts, log_progress, show_phases
from job.telemetry.recorder import Counts, Recorder


def test_a_line_is_logged_at_each_interval_with_the_rates_since_the_last(caplog):
    """Also if nothing has moved: then the rates are 0."""
    caplog.set_level("INFO")
    recorder = Recorder()
    recorder.planned(None, (), 4_000_000)
    recorder.advanced(1000, 1, 1_000_000)
    with log_progress(recorder, interval_s=0.01):
        for _ in range(1000):
            if len(caplog.records) >= 3:
                break
            threading.Event().wait(0.01)
    assert len(caplog.records) >= 3
    fields = [record.fields for record in caplog.records]
    assert all(each["rows"] == 1000 and each["share"] == 0.25 and each["rows_per_second"] == 0 for each in fields)
    assert caplog.records[0].event == "progress"
    assert caplog.messages[0].startswith("scoring: 25 %, 1,000 rows, 1 rejected, 0 MB/s, 0 rows/s, 0:0")
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_a_short_run_logs_no_progress(caplog):
    """The first line comes after the first interval."""
    caplog.set_level("INFO")
    with log_progress(Recorder()):
        pass
    assert caplog.records == []


def test_a_description_of_the_counts():
    """Rows, rejects, both rates and the time left."""
    counts = Counts(rows=1234567, rejected=12, bytes=25, parts=1, total_bytes=100, total_parts=4, seconds=1300.0)
    assert (
        describe_counts(counts, 65000.4, 120e6) == "1,234,567 rows, 12 rejected, 120 MB/s, 65,000 rows/s, 1:05:00 left"
    )


@pytest.mark.parametrize("how", [{"is_json": False, "is_quiet": False}, {"is_json": True, "is_quiet": False}])
def test_phases_are_shown_on_terminals_only(capsys, how):
    """Elsewhere, and beside JSON, nothing is written."""
    with show_phases(**how) as show:
        show("calibrating", None)
        show("writing", 0.9)
    assert capsys.readouterr() == ("", "")
