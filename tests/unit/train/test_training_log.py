"""The events of one training in the log, against their documentation, and how many epochs text shows."""

import json
from dataclasses import replace

import pytest
from support.documented_events import documented_events

from job import log
from job.log import Event
from job.train.fit.checkpoint import Epoch
from job.train.fit.recipe import RECIPES
from job.train.training_log import epoch_logger


def _events(trained, *kinds):
    return [record for record in trained.records if getattr(record, "event", None) in kinds]


def test_a_training_logs_its_events_in_order(trained):
    """The fields are those that are documented, and JSON values."""
    documented = documented_events()["train"]
    records = _events(trained, *Event)
    for record in records:
        assert set(record.fields) == documented[record.event], record.event
        assert json.loads(json.dumps(record.fields)) == record.fields
    assert [record.event for record in records if record.event != "phase"] == ["started", "planned", "epoch", "epoch"]
    assert {record.levelname for record in records} == {"INFO"}


FOLLOWING = [
    ("calibrating", None), ("exporting", "model.onnx"), ("exporting", "model.tflite"), ("exporting", "model.keras"),
    ("loading", "exports"), ("comparing", "model.keras"), ("comparing", "model.onnx"), ("comparing", "model.npz"),
    ("comparing", "model.tflite"), ("evaluating", None), ("corrupting", None), ("writing", None), ("committing", None),
]  # fmt: skip


def test_each_phase_begins_and_ends(trained):
    """One after the other; training is followed by many."""
    expected = [("reading", "images"), ("loading", "TensorFlow"), ("training", None), *FOLLOWING]
    fields = [record.fields for record in _events(trained, Event.PHASE)]
    assert [(each["phase"], each["item"]) for each in fields[::2]] == expected
    assert [(each["phase"], each["item"]) for each in fields[1::2]] == expected
    assert {(each["state"], each["seconds"]) for each in fields[::2]} == {("begun", None)}
    assert all(each["state"] == "ended" and each["seconds"] >= 0 for each in fields[1::2])


def test_the_display_says_what_follows_the_last_epoch(trained):
    """With a share that grows and stays below 1."""
    texts = list(dict.fromkeys(text for text, _ in trained.shown))
    assert texts[2:] == ["training", *(f"{phase} {item}" if item else phase for phase, item in FOLLOWING)]
    shares = [share for _, share in trained.shown if share is not None]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1


def test_an_epoch_has_its_figures(trained):
    """Those of history.csv, with the learning rate at its end."""
    fields = [record.fields for record in _events(trained, Event.EPOCH)]
    history = trained.result.card["history"]
    assert [{name: each[name] for name in history[0]} for each in fields] == history
    assert {each["epochs"] for each in fields} == {2}
    assert [each["learning_rate"] for each in fields] == [pytest.approx(0.001), 0]


def test_the_plan_has_the_data_and_the_network(trained):
    """Sizes, origin, counts and versions, as the card has them."""
    [planned] = [record.fields for record in _events(trained, Event.PLANNED)]
    data = trained.result.card["data"]
    assert (planned["train_images"], planned["validation_images"], planned["test_images"]) == (1293, 144, 360)
    assert planned["class_counts"] == data["train_class_counts"]
    assert (planned["origin"], planned["fingerprint"]) == (data["origin"], data["fingerprint"])
    assert (planned["batches"], planned["batch_size"], planned["parameters"]) == (32, 128, 134_794)
    assert planned["versions"] == trained.result.card["versions"]


def test_the_summary_has_the_model_and_how_good_it_is(trained, storage):
    """Together with the fields that the command adds, it is what is documented for the last event."""
    result = trained.result
    summary = result.summary()
    added = {"command", "exit_code", "seconds", "phase_seconds", "peak_memory_bytes"}
    assert set(summary) | added == documented_events()["train"]["finished"]
    assert (summary["outcome"], summary["verdict"], summary["shortfalls"]) == ("ok", "not_gated", [])
    assert (summary["epochs"], summary["kept_epoch"], summary["accuracy"]) == (2, 2, result.test.accuracy)
    sizes = [storage.stat(f"{result.path}/{name}").size for name in storage.list(result.path)]
    assert summary["bytes"] == sum(sizes)


@pytest.mark.parametrize(
    ("log_format", "verbosity", "lines"), [("text", "normal", 25), ("text", "verbose", 200), ("json", "normal", 200)]
)
@pytest.mark.usefixtures("logger")
def test_text_shows_some_epochs_and_json_all(capsys, monkeypatch, log_format, verbosity, lines):
    """At most 25, and the last; with --verbose each."""
    monkeypatch.setattr(log, "_log_libraries", lambda _handler: None)
    log.set_up(log_format, verbosity)
    recipe = replace(RECIPES["accurate"], epochs=200)
    log_epoch = epoch_logger(recipe)
    for number in range(1, 201):
        log_epoch(Epoch(number, 0.5, 0.75, 0.25, 0.875, 0.001, 1.5))
    written = capsys.readouterr().err.splitlines()
    assert len(written) == lines
    assert "epoch 200 of 200: loss 0.5000, accuracy 0.7500, validation accuracy 0.8750 (1.5 s)" in written[-1]
