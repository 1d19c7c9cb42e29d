from dataclasses import replace

import numpy as np
import pytest

from job.errors import UsageError
from job.train.backend import fix_seed
from job.train.dataset import load
from job.train.fit import RECIPES, fit
from job.train.network import dense

TINY = replace(RECIPES["baseline"], epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def dataset():
    """Four hundred of scikit-learn's digits."""
    from job.storage import LocalStorage

    whole = load(LocalStorage(), "digits", seed=1, validation_share=0.2)
    return replace(whole, train=whole.train.rows(np.arange(400)))


def _fitted(dataset, seed, batches=None):
    fix_seed(seed)
    batches = [] if batches is None else batches
    epochs = []
    done = fit(
        dense((32,)),
        TINY,
        dataset,
        seed=seed,
        on_epoch=epochs.append,
        on_batch=lambda done, total: batches.append((done, total)),
    )
    assert list(done.history) == epochs
    return done


@pytest.fixture(scope="module")
def batches():
    return []


@pytest.fixture(scope="module")
def first(dataset, batches):
    return _fitted(dataset, 1, batches)


def _weights(fitted):
    return np.concatenate([weights.ravel() for weights in fitted.model.get_weights()])


def test_the_same_seed_gives_the_same_weights_bit_for_bit(dataset, first):
    """Initial weights, the order of the images and every rounding repeat."""
    assert _weights(first).tobytes() == _weights(_fitted(dataset, 1)).tobytes()


def test_another_seed_gives_other_weights(dataset, first):
    """Or the seed would do nothing."""
    assert not np.array_equal(_weights(first), _weights(_fitted(dataset, 2)))


def test_each_epoch_leaves_its_figures(first):
    """Numbered from 1, and the network learns."""
    assert [epoch.epoch for epoch in first.history] == [1, 2]
    assert first.history[1].loss < first.history[0].loss
    assert all(0 <= epoch.validation_accuracy <= 1 and epoch.seconds > 0 for epoch in first.history)


@pytest.mark.usefixtures("first")
def test_progress_ends_at_the_total(batches):
    """25 batches an epoch, two epochs: it grows, and ends at 50 of 50."""
    assert batches[-1] == (50, 50)
    assert batches == sorted(batches)
    assert {total for _, total in batches} == {50}


@pytest.mark.parametrize(("change", "flag"), [({"epochs": 0}, "--epochs 0"), ({"batch_size": -1}, "--batch-size -1")])
def test_impossible_recipes_are_refused(change, flag):
    """By the flag that asks for them."""
    with pytest.raises(UsageError, match=flag):
        replace(TINY, **change)
