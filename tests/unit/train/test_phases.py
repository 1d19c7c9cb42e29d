"""Phases in the log and in a display, by a clock that the tests set."""

import pytest

from job.log import Event
from job.train.phases import Phase, Phases


class Clock:
    """A clock that stands until a test moves it."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shown():
    """What the display was given, as (text, share)."""
    return []


@pytest.fixture
def phases(clock, shown):
    return Phases(lambda text, share: shown.append((text, share)), clock)


def _pass(phases, clock, phase, seconds, item=None):
    with phases.during(phase, item):
        clock.now += seconds


def _train(phases, clock, steps, *, all_steps, seconds_per_step):
    with phases.during(Phase.TRAINING):
        for step in range(1, steps + 1):
            clock.now += seconds_per_step
            phases.advanced(step, all_steps)


def test_a_phase_is_logged_when_it_begins_and_when_it_ends(phases, clock, caplog):
    """With what it works on, and at its end with its seconds."""
    caplog.set_level("INFO")
    _pass(phases, clock, Phase.EXPORTING, 1.25, "model.onnx")
    assert {record.event for record in caplog.records} == {Event.PHASE}
    common = {"phase": "exporting", "item": "model.onnx"}
    assert [record.fields for record in caplog.records] == [
        {**common, "state": "begun", "seconds": None},
        {**common, "state": "ended", "seconds": 1.25},
    ]
    assert caplog.messages == ["exporting model.onnx", "exporting model.onnx took 1.2 s"]


def test_a_phase_that_fails_does_not_end(phases, clock, caplog):
    """It stays the current one, for the log's last event."""
    caplog.set_level("INFO")
    _pass(phases, clock, Phase.READING, 1)
    assert phases.current is None
    with pytest.raises(ValueError, match="wrong"), phases.during(Phase.COMPARING):
        raise ValueError("wrong")
    assert phases.current is Phase.COMPARING
    assert [record.fields["state"] for record in caplog.records] == ["begun", "ended", "begun"]


def test_the_summary_has_the_seconds_of_each_phase(phases, clock):
    """Added up over its items; and those since the start, with what lies between phases."""
    _pass(phases, clock, Phase.READING, 1)
    clock.now += 0.5
    for name in ("model.onnx", "model.tflite"):
        _pass(phases, clock, Phase.EXPORTING, 0.25, name)
    assert phases.summary() == {"seconds": 2.0, "phase_seconds": {"reading": 1.0, "exporting": 0.5}}


def test_the_share_is_unknown_until_steps_have_a_speed(phases, clock, shown):
    """The first report only says when they began: TensorFlow compiles before it."""
    phases.expect([Phase.WRITING])
    _pass(phases, clock, Phase.READING, 1)
    with phases.during(Phase.TRAINING):
        clock.now += 3
        phases.advanced(1, 10)
    assert shown == [("reading", None), ("training", None), ("training", None)]


def test_the_bar_keeps_room_for_what_follows_the_last_epoch(phases, clock, shown):
    """By the speed of the steps: a training of 2.2 s leaves much room, a long one little."""
    phases.expect([Phase.CALIBRATING, Phase.WRITING])  # 0.7 + 0.6 s
    _train(phases, clock, 11, all_steps=11, seconds_per_step=0.2)
    assert shown[-1][1] == pytest.approx(2.2 / 3.5)
    _pass(phases, clock, Phase.CALIBRATING, 9)
    with phases.during(Phase.WRITING):
        assert shown[-1] == ("writing", pytest.approx(2.9 / 3.5))


def test_the_bar_never_reaches_its_end_before_the_work_does(phases, clock, shown):
    """And it never goes back, also after an early stop and phases that nobody announced."""
    phases.expect([Phase.CALIBRATING, Phase.COMMITTING])
    _train(phases, clock, 40, all_steps=100, seconds_per_step=0.1)
    for phase in (Phase.CALIBRATING, Phase.LOADING, Phase.COMMITTING):
        _pass(phases, clock, phase, 1)
    shares = [share for _, share in shown if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_without_following_phases_the_share_is_that_of_the_steps(phases, shown):
    """As in a search."""
    with phases.during(Phase.SEARCHING):
        phases.advanced(1, 4)
        phases.advanced(3, 4)
    assert shown == [("searching", None), ("searching", 0.25), ("searching", 0.75)]
