from dataclasses import replace

import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.backend import fix_seed
from job.train.data.dataset import load
from job.train.fit import loop as fit_module
from job.train.fit.loop import balanced_weights, fit
from job.train.fit.network import dense
from job.train.fit.recipe import RECIPES

TINY = replace(RECIPES["baseline"], epochs=2, batch_size=16)
DEFORMING = replace(RECIPES["accurate"], epochs=2, batch_size=16, epoch_images=1000)


@pytest.fixture(scope="module")
def dataset():
    """Four hundred of scikit-learn's digits."""
    from job.storage import LocalStorage

    whole = load(LocalStorage(), "digits", seed=1, validation_share=0.2)
    return replace(whole, train=whole.train.rows(np.arange(400)))


def _fitted(dataset, seed, batches=None, recipe=TINY):
    fix_seed(seed)
    batches = [] if batches is None else batches
    epochs = []
    done = fit(
        dense((32,)),
        recipe,
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


@pytest.fixture(scope="module")
def deforming_batches():
    return []


@pytest.fixture(scope="module")
def deforming(dataset, deforming_batches):
    """By the recipe that deforms its images."""
    return _fitted(dataset, 1, deforming_batches, DEFORMING)


def test_deformations_repeat_bit_for_bit_as_well(dataset, deforming):
    """Although another thread makes the images while the network learns."""
    assert _weights(deforming).tobytes() == _weights(_fitted(dataset, 1, recipe=DEFORMING)).tobytes()


def test_the_network_learns_from_deformed_images(deforming):
    """Two epochs of a thousand bring the loss down."""
    assert deforming.history[1].loss < deforming.history[0].loss


@pytest.mark.usefixtures("deforming")
def test_a_few_images_are_shown_several_times_in_an_epoch(deforming_batches):
    """Of 400 images 1,000 are asked for: 63 batches of 16, in two groups of 32; progress tells of each group."""
    assert deforming_batches == [(32, 128), (64, 128), (96, 128), (128, 128)]


@pytest.mark.parametrize(
    ("images", "batches"),
    # Whole groups: 54,000 images fill 422 batches of 128, which nine groups of 47 hold.
    [(54_000, 9 * 47), (1_293, 32), (4_000, 32), (4_097, 33), (6_400, 50), (6_401, 2 * 26), (1, 32)],
)
def test_epochs_are_long_enough_and_in_whole_groups(images, batches):
    """Every image is shown, and 4,000 at least."""
    plan = RECIPES["accurate"].plan(images)
    assert plan.batches == batches
    assert plan.batches * plan.batch_size >= max(images, 4_000)


def test_the_step_size_falls_to_nothing(deforming):
    """Along half a cosine, over all 128 steps of the run."""
    optimizer = deforming.model.optimizer
    assert int(optimizer.iterations) == 128
    rates = [float(optimizer._learning_rate(step)) for step in (0, 64, 128)]
    assert rates == pytest.approx([2e-3, 1e-3, 0], abs=1e-9)


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


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        ({}, "Adam", {}),
        ({"optimizer": "adamw", "weight_decay": 0.25}, "AdamW", {"weight_decay": 0.25}),
        ({"optimizer": "rmsprop"}, "RMSprop", {}),
        ({"optimizer": "sgd"}, "SGD", {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_optimizers_are_the_ones_asked_for(change, name, expected):
    """At the recipe's step size."""
    optimizer = fit_module._optimizer(replace(TINY, **change), TINY.plan(400))
    found = optimizer.get_config()
    assert type(optimizer).__name__ == name
    assert {each: found[each] for each in expected} == expected
    assert found["learning_rate"] == pytest.approx(1e-3)


def test_without_early_stopping_the_last_epoch_is_kept(first):
    """Whatever came before it."""
    assert first.kept_epoch == 2


def test_early_stopping_keeps_the_best_weights(dataset):
    """Two epochs without a lower loss on the validation images end the training; what was best then, is what stays."""
    recipe = replace(TINY, epochs=30, learning_rate=0.05, early_stopping=2)
    stopped = _fitted(dataset, 1, recipe=recipe)
    losses = [epoch.validation_loss for epoch in stopped.history]
    assert len(losses) < 30
    assert losses.index(min(losses)) + 1 == stopped.kept_epoch == len(losses) - 2
    same = _fitted(dataset, 1, recipe=replace(recipe, epochs=stopped.kept_epoch, early_stopping=None))
    assert _weights(stopped).tobytes() == _weights(same).tobytes()


def test_balanced_digits_count_alike(dataset):
    """However many images of each there are; an image counts 1 in the mean."""
    rows = np.flatnonzero((dataset.train.labels != 3) | (np.arange(400) % 4 == 0))
    few = dataset.train.rows(rows)
    weights = balanced_weights(few)
    assert {round(weights[digit] * count, 9) for digit, count in enumerate(few.class_counts)} == {len(few) / 10}
    assert np.mean([weights[label] for label in few.labels]) == pytest.approx(1)


def test_balance_changes_what_is_learned(dataset):
    """A digit with few images is thought likelier."""
    few = np.flatnonzero((dataset.train.labels != 3) | (np.arange(400) % 10 == 0))
    unbalanced = replace(dataset, train=dataset.train.rows(few))
    likely = []
    for class_weights in ("none", "balanced"):
        model = _fitted(unbalanced, 1, recipe=replace(DEFORMING, class_weights=class_weights)).model
        likely.append(float(model.predict(dataset.test.pixels, verbose=0)[:, 3].mean()))
    assert 1.5 * likely[0] < likely[1]


def test_a_loss_that_is_no_number_ends_the_training(dataset):
    """At once, and with what helps."""
    recipe = replace(TINY, epochs=50, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(ModelInvalid, match=r"training diverged: the loss of epoch 1 is nan.* --learning-rate below 1e"):
        _fitted(dataset, 1, recipe=recipe)
