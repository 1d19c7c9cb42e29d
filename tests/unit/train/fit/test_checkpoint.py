"""A training that was killed goes on where it was, and ends as one that was not."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from job.errors import DataError, ModelInvalid, OutputOccupied, StorageError
from job.storage import LocalStorage
from job.train.backend import fix_seed
from job.train.data.dataset import load
from job.train.fit.checkpoint import Checkpoint, Epoch, TrainingState
from job.train.fit.loop import fit
from job.train.fit.network import dense
from job.train.fit.recipe import RECIPES

RUN = {"epochs": 4, "hidden": (16, 8), "data": "digits"}
EPOCHS = tuple(Epoch(number, 1 / number, 0.5, 2 / number, 0.25, 1.5) for number in (1, 2))
# Everything random, and everything that remembers, is in it.
RECIPE = replace(
    RECIPES["accurate"], epochs=10, batch_size=50, epoch_images=200, hidden=(16,), dropout=0.3, early_stopping=2,
    learning_rate=0.5,
)  # fmt: skip


@pytest.fixture
def checkpoint(storage, tmp_path):
    return Checkpoint(storage, str(tmp_path / "model"), RUN)


def test_a_state_comes_back_as_it_was(checkpoint, tmp_path):
    """From one hidden file beside the model folder; the later one counts."""
    assert not checkpoint.is_there
    assert checkpoint.load() is None
    for count in (1, 2):
        checkpoint.save(TrainingState(EPOCHS[:count], {"weights": bytes([count]), "more": b""}))
    assert checkpoint.load() == TrainingState(EPOCHS, {"weights": b"\2", "more": b""})
    assert [path.name for path in tmp_path.iterdir()] == [".model.checkpoint"]
    checkpoint.remove()
    assert not checkpoint.is_there


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 5}, r"\(epochs: 4 then, 5 now\); train as then, or without --resume to start over"),
        ({"hidden": (16,)}, r"\(hidden: \[16, 8\] then, \[16\] now\)"),
        ({"epochs": 5, "data": "mnist"}, r"\(epochs: 4 then, 5 now; data: digits then, mnist now\)"),
        ({"dropout": 0.1}, r"\(dropout: None then, 0\.1 now\)"),
    ],
)
def test_another_run_s_state_is_refused_by_what_differs(storage, tmp_path, checkpoint, change, message):
    """It stays where it is."""
    checkpoint.save(TrainingState(EPOCHS, {}))
    with pytest.raises(OutputOccupied, match=r"\.model\.checkpoint: is of another training run " + message):
        Checkpoint(storage, str(tmp_path / "model"), {**RUN, **change}).load()
    assert checkpoint.load() is not None


def _cut_off(path):
    path.write_bytes(path.read_bytes()[:-30])


def _changed(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"precious")] ^= 1
    path.write_bytes(content)


def _without_run(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("history.json", "[]")


def _with_another_history(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run.json", "{}")
        archive.writestr("history.json", '[{"epoch": 1}]')


@pytest.mark.parametrize("damage", [_cut_off, _changed, _without_run, _with_another_history])
def test_a_damaged_state_is_refused(checkpoint, tmp_path, damage):
    """With the way out of it."""
    checkpoint.save(TrainingState(EPOCHS, {"weights": b"precious"}))
    damage(tmp_path / ".model.checkpoint")
    with pytest.raises(ModelInvalid, match=r"checkpoint: is damaged \(.*train without --resume to start over"):
        checkpoint.load()


@pytest.mark.parametrize(
    ("error", "stays"),
    [(None, False), (ModelInvalid("no"), False), (DataError("no"), False), (StorageError("no"), True),
     (KeyboardInterrupt(), True), (RuntimeError("a defect"), True)],
)  # fmt: skip
def test_a_state_stays_as_long_as_it_can_help(checkpoint, error, stays):
    """A run that would end in the same way again has no use for it."""
    checkpoint.save(TrainingState(EPOCHS, {}))
    if error is None:
        with checkpoint.needed_until_done():
            pass
    else:
        with pytest.raises(type(error)), checkpoint.needed_until_done():
            raise error
    assert checkpoint.is_there == stays


@pytest.fixture(scope="module")
def dataset():
    """Two hundred of scikit-learn's digits."""
    whole = load(LocalStorage(), "digits", seed=1, validation_share=0.2)
    return replace(whole, train=whole.train.rows(np.arange(200)))


class _Killed(BaseException):
    pass


def _fitted(dataset, recipe, checkpoint=None, state=None, killed_in_epoch=None):
    fix_seed(1)
    told = []

    def on_batch(done, total):
        told.append((done, total))
        if killed_in_epoch is not None and done > (killed_in_epoch - 1) * 4:
            raise _Killed

    model = dense(recipe.hidden, dropout=recipe.dropout)
    fitted = fit(
        model, recipe, dataset, seed=1, on_epoch=lambda _epoch: None, on_batch=on_batch, checkpoint=checkpoint,
        state=state,
    )  # fmt: skip
    return fitted, told


def _weights(fitted):
    return np.concatenate([weights.ravel() for weights in fitted.model.get_weights()]).tobytes()


def _figures(fitted):
    return [replace(epoch, seconds=0) for epoch in fitted.history]


def test_a_killed_run_ends_with_the_same_weights(dataset, checkpoint):
    """Bit for bit, with the same figures for each epoch, though it was killed, and again between end and saving.

    Early stopping knows how long there was no better epoch, what the best weights were, and that it has stopped.
    """
    whole, told = _fitted(dataset, RECIPE)
    epochs = len(whole.history)
    assert whole.kept_epoch == epochs - 2 < 8
    assert told[-1] == (4 * epochs, 40)
    with pytest.raises(_Killed):
        _fitted(dataset, RECIPE, checkpoint, killed_in_epoch=epochs)
    assert [each.epoch for each in checkpoint.load().history] == list(range(1, epochs))
    for expected in ([(4 * epochs, 40)], []):
        resumed, told = _fitted(dataset, RECIPE, checkpoint, checkpoint.load())
        assert (_weights(whole), whole.kept_epoch) == (_weights(resumed), resumed.kept_epoch)
        assert _figures(whole) == _figures(resumed)
        assert told == expected
