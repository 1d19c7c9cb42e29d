import threading
from types import SimpleNamespace

import pytest
from support.files import write_csv
from support.runs import score

from job.errors import DataError, ResourceExhausted, Stopped, Terminated
from job.score.engine import ThreadEngine
from job.score.output import Output
from job.score.plan import Part, Plan
from job.storage import never_stop

PARTS = tuple(Part(index, 0, (index, index + 1)) for index in range(20))
PLAN = Plan((SimpleNamespace(path="a.csv", schema=None),), PARTS, "run")


class Scorer:
    """Scores a part by calling a function with its index."""

    def __init__(self, function):
        self._function = function

    def score(self, part, _target, _file):
        return self._function(part.index)


@pytest.fixture
def output(storage, tmp_path):
    return Output(storage, str(tmp_path / "out"))


def test_all_parts_are_scored_and_their_rows_counted(output):
    """Each once."""
    engine, seen = ThreadEngine(never_stop), []
    engine.score(Scorer(lambda index: seen.append(index) or index), PLAN, PARTS, output, 3)
    assert sorted(seen) == list(range(20))
    assert engine.rows == sum(range(20))


def test_the_first_error_stops_the_other_parts(output):
    """Those that are being scored by the stop token, the others before they start."""
    engine, stopped, seen = ThreadEngine(never_stop), threading.Event(), []

    def score_part(index):
        seen.append(index)
        if index == 1:
            raise DataError("part 1")
        while not stopped.is_set():
            try:
                engine.check_stop()
            except Stopped:
                stopped.set()
                raise

    with pytest.raises((DataError, Stopped), match="part"):
        engine.score(Scorer(score_part), PLAN, PARTS, output, 2)
    assert stopped.is_set()
    assert len(seen) < 20


def test_the_stop_token_of_the_run_stops_all_parts(output):
    """With its own error."""

    def stop():
        raise Terminated("enough")

    engine = ThreadEngine(stop)
    with pytest.raises(Terminated):
        engine.score(Scorer(lambda _: engine.check_stop()), PLAN, PARTS, output, 2)


def test_threads_that_cannot_start_are_resource_exhausted(tmp_path, model, digits, monkeypatch):
    """Where a container may have no more processes; the same command completes the run later."""
    start = threading.Thread.start

    def refuse(thread):
        if thread.name.startswith("part"):
            raise RuntimeError("can't start new thread")
        start(thread)

    source = write_csv(tmp_path / "a.csv", digits)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ResourceExhausted, match="cannot start 2 threads; lower --threads"):
        score(source, tmp_path / "out", model, threads=2)
    monkeypatch.undo()
    assert not list((tmp_path / "out/_parts").glob("*.arrow"))
    assert not score(source, tmp_path / "out", model).was_done
