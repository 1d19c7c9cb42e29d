"""A training run that was killed resumes, and ends with the same weights as one that was not."""

from dataclasses import replace

import numpy as np
import pytest
from support.training_data import load

from job.storage import LocalStorage
from job.train.backend import fix_seed
from job.train.fit.checkpoint import Checkpoint
from job.train.fit.loop import FitHooks, fit
from job.train.fit.network import dense
from job.train.fit.recipe import DEFORMATIONS, RECIPES

# Everything that draws random numbers, and everything that has a state.
RECIPE = replace(
    RECIPES["accurate"], epochs=10, batch_size=50, epoch_images=200, hidden=(16,), dropout=0.3, early_stopping=2,
    learning_rate=0.5, deformations=replace(DEFORMATIONS, rescan=None),
)  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    """Two hundred of scikit-learn's digits."""
    whole = load(LocalStorage(), "digits", seed=1, validation_share=0.2)
    return replace(whole, train=whole.train.rows(np.arange(200)))


class _Killed(BaseException):
    pass


def _fit(dataset, recipe, checkpoint=None, state=None, killed_in_epoch=None):
    fix_seed(1)
    progress = []

    def on_batch(done, total):
        progress.append((done, total))
        if killed_in_epoch is not None and done > (killed_in_epoch - 1) * 4:
            raise _Killed

    model = dense(recipe.hidden, dropout=recipe.dropout)
    hooks = FitHooks(on_batch=on_batch, checkpoint=checkpoint, state=state)
    return fit(model, recipe, dataset, seed=1, hooks=hooks), progress


def _weights(fitted):
    return np.concatenate([weights.ravel() for weights in fitted.model.get_weights()]).tobytes()


def _figures(fitted):
    return [replace(epoch, seconds=0) for epoch in fitted.history]


def test_a_killed_run_ends_with_the_same_weights(dataset, storage, tmp_path):
    """Bit for bit, with the same figures for each epoch; also if it is killed between its last epoch and saving.

    Early stopping remembers the best weights, the epochs since then, and that it has stopped.
    """
    checkpoint = Checkpoint(storage, str(tmp_path / "model"), {})
    whole, progress = _fit(dataset, RECIPE)
    epochs = len(whole.history)
    assert whole.kept_epoch == epochs - 2 < 8
    assert progress[-1] == (4 * epochs, 40)
    with pytest.raises(_Killed):
        _fit(dataset, RECIPE, checkpoint, killed_in_epoch=epochs)
    assert [each.epoch for each in checkpoint.load().history] == list(range(1, epochs))
    for expected in ([(4 * epochs, 40)], []):
        resumed, progress = _fit(dataset, RECIPE, checkpoint, checkpoint.load())
        assert (_weights(whole), whole.kept_epoch) == (_weights(resumed), resumed.kept_epoch)
        assert _figures(whole) == _figures(resumed)
        assert progress == expected
