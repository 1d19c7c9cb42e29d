import pytest

from job.score.observer import Stage, Stopwatch, timed


class Spending:
    """An observer that keeps the times it is told."""

    def __init__(self):
        self.spent_s = []

    def spent(self, stage, wall_s, cpu_s):
        self.spent_s.append((stage, wall_s, cpu_s))


@pytest.fixture
def clock(monkeypatch):
    """Replaces both clocks by the seconds in a list."""
    now = [0.0]
    monkeypatch.setattr("job.score.observer.perf_counter", lambda: now[0])
    monkeypatch.setattr("job.score.observer.thread_time", lambda: now[0] / 2)
    return now


def test_laps_add_up_by_stage(clock):
    """And are reported once."""
    observer, watch = Spending(), Stopwatch()
    for seconds, stage in ((1, Stage.READ), (2, Stage.PREDICT), (4, Stage.READ)):
        clock[0] += seconds
        watch.lap(stage)
    watch.report_to(observer)
    assert observer.spent_s == [(Stage.READ, 5, 2.5), (Stage.PREDICT, 2, 1)]
    watch.report_to(observer)
    assert len(observer.spent_s) == 2


def test_a_block_is_timed_even_if_it_raises(clock):
    """So that failed runs have their times, too."""
    observer = Spending()

    def fail():
        clock[0] += 3
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), timed(observer, Stage.GATHER):
        fail()
    assert observer.spent_s == [(Stage.GATHER, 3, 1.5)]
