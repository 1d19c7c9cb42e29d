import threading

from support.files import write_csv
from support.runs import score

from job.score.observer import Stage
from job.score.run import RunResult
from job.telemetry.recorder import Recorder


def test_counts_add_up_to_the_run(tmp_path, model, digits):
    """Rows, rejects, bytes and parts, reported by many threads."""
    path = write_csv(tmp_path / "a.csv", digits)
    with open(path, "a") as file:
        file.write("1,2,3\n")
    recorder = Recorder()
    result = score(path, tmp_path / "out", model, observer=recorder, threads=4, part_bytes=20_000)
    counts = recorder.counts()
    assert (counts.rows, counts.rejected) == (101, 1) == (result.rows, result.report["rows"]["rejected"])
    assert counts.parts == counts.total_parts == len(recorder.plan.parts) > 4
    assert counts.bytes == path.stat().st_size - len(path.read_text().splitlines(keepends=True)[0])


def test_time_is_recorded_by_stage_and_thread(tmp_path, model, digits):
    """Parts are read, scored and written on worker threads; planning and gathering happen on the main thread."""
    recorder = Recorder()
    score(write_csv(tmp_path / "a.csv", digits), tmp_path / "out", model, observer=recorder)
    threads = {stage: {thread for thread, each in recorder.times if each is stage} for stage in Stage}
    assert threads[Stage.PLAN] == threads[Stage.GATHER] == {threading.current_thread().name}
    assert threads[Stage.READ] == threads[Stage.PREDICT] == threads[Stage.WRITE] == {"part_0"}
    assert all(0 <= cpu <= wall + 0.05 for wall, cpu in recorder.times.values())
    assert all(seconds > 0 for seconds in recorder.stage_seconds().values())


def test_time_left_is_estimated_from_bytes():
    """A quarter of the bytes in 3 seconds leaves 9; without any, the time left is unknown."""
    clock = iter([10.0, 10.0, 13.0])
    recorder = Recorder(lambda: next(clock))
    recorder.planned(None, (), 400)
    assert recorder.counts().eta_s is None
    recorder.advanced(50, 1, 100)
    counts = recorder.counts()
    assert (counts.share, counts.eta_s) == (0.25, 9.0)


def test_summary_without_a_report_counts_what_this_process_scored():
    """If the run has failed, or other shards are still at work; there is no accuracy then."""
    for result in (None, RunResult("out", {}, was_done=False, rows=50, seconds=1.0)):
        recorder = Recorder()
        recorder.result = result
        recorder.advanced(50, 2, 100)
        summary = recorder.summary()
        assert (summary["rows"], summary["scored"], summary["rejected"], summary["accuracy"]) == (50, 48, 2, None)
        assert summary["peak_memory_bytes"] > 1 << 20
