from dataclasses import replace

import numpy as np
import pytest
from support.training_data import load

from job.errors import ModelInvalid
from job.storage import LocalStorage
from job.train.backend import fix_seed
from job.train.fit.loop import FitHooks, _batches, _optimizer, balanced_weights, fit
from job.train.fit.network import dense
from job.train.fit.recipe import RECIPES

TINY = replace(RECIPES["baseline"], epochs=2, batch_size=16)
DEFORMING = replace(RECIPES["accurate"], epochs=2, batch_size=16, epoch_images=1000)


@pytest.fixture(scope="module")
def dataset():
    """Four hundred of scikit-learn's digits."""
    whole = load(LocalStorage(), "digits", seed=1, validation_share=0.2)
    return replace(whole, train=whole.train.rows(np.arange(400)))


def _fit(dataset, seed=1, recipe=TINY):
    """The result, and the progress that was reported."""
    fix_seed(seed)
    epochs, progress = [], []
    hooks = FitHooks(on_epoch=epochs.append, on_batch=lambda done, total: progress.append((done, total)))
    result = fit(dense((32,)), recipe, dataset, seed=seed, hooks=hooks)
    assert list(result.history) == epochs
    return result, progress


@pytest.fixture(scope="module")
def plain(dataset):
    """A run without deformations, and its progress; treat as read-only."""
    return _fit(dataset)


@pytest.fixture(scope="module")
def deforming(dataset):
    """A run by the recipe that deforms its images, and its progress; treat as read-only."""
    return _fit(dataset, recipe=DEFORMING)


def _weights(result):
    return np.concatenate([weights.ravel() for weights in result.model.get_weights()])


def test_the_same_seed_gives_the_same_weights_bit_for_bit(dataset, plain):
    """Initial weights, the order of the images and every rounding repeat."""
    assert _weights(plain[0]).tobytes() == _weights(_fit(dataset)[0]).tobytes()


def test_deformations_repeat_bit_for_bit_too(dataset, deforming):
    """Although another thread makes the images while the network learns."""
    assert _weights(deforming[0]).tobytes() == _weights(_fit(dataset, recipe=DEFORMING)[0]).tobytes()


def test_the_network_learns_from_deformed_images(deforming):
    """Two epochs of a thousand images lower the loss."""
    history = deforming[0].history
    assert history[1].loss < history[0].loss


def test_few_images_are_repeated_within_an_epoch(deforming):
    """400 images become 1,000: 63 batches of 16, in two groups of 32; progress is reported after each group."""
    assert deforming[1] == [(32, 128), (64, 128), (96, 128), (128, 128)]


@pytest.mark.parametrize(
    ("images", "batches"),
    # Whole groups: 54,000 images fill 422 batches of 128, which nine groups of 47 hold.
    [(54_000, 9 * 47), (1_293, 32), (4_000, 32), (4_097, 33), (6_400, 50), (6_401, 2 * 26), (1, 32)],
)
def test_an_epoch_is_long_enough_and_has_whole_groups(images, batches):
    """It shows every image, and at least 4,000."""
    plan = RECIPES["accurate"].plan(images)
    assert plan.batches == batches
    assert plan.batches * plan.batch_size >= max(images, 4_000)


def test_the_learning_rate_falls_to_zero(deforming):
    """Along half a cosine, over all 128 steps of the run."""
    optimizer = deforming[0].model.optimizer
    assert int(optimizer.iterations) == 128
    rates = [float(optimizer._learning_rate(step)) for step in (0, 64, 128)]
    assert rates == pytest.approx([2e-3, 1e-3, 0], abs=1e-9)


def test_the_history_has_the_learning_rate_at_the_end_of_each_epoch(plain, deforming):
    """Of an annealed recipe half of it, and then 0; otherwise always the same."""
    assert [epoch.learning_rate for epoch in deforming[0].history] == [pytest.approx(1e-3), 0]
    assert [epoch.learning_rate for epoch in plain[0].history] == [1e-3, 1e-3]


def test_a_training_ends_without_waiting_for_tuning(dataset):
    """TensorFlow's tuning thread sleeps for seconds, longer each time, and a dataset that has one waits for it."""
    batches = _batches(TINY, dataset.train, TINY.plan(400), seed=1, epochs_done=0)
    assert batches.options().autotune.enabled is False


def test_another_seed_gives_other_weights(dataset, plain):
    """The seed has an effect."""
    assert not np.array_equal(_weights(plain[0]), _weights(_fit(dataset, seed=2)[0]))


def test_the_history_has_the_figures_of_each_epoch(plain):
    """Numbered from 1, and the network learns."""
    history = plain[0].history
    assert [epoch.epoch for epoch in history] == [1, 2]
    assert history[1].loss < history[0].loss
    assert all(0 <= epoch.validation_accuracy <= 1 and epoch.seconds > 0 for epoch in history)


def test_progress_ends_at_the_total(plain):
    """Two epochs of 25 batches: it grows, and ends at 50 of 50."""
    _, progress = plain
    assert progress[-1] == (50, 50)
    assert progress == sorted(progress)
    assert {total for _, total in progress} == {50}


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        ({}, "Adam", {}),
        ({"optimizer": "adamw", "weight_decay": 0.25}, "AdamW", {"weight_decay": 0.25}),
        ({"optimizer": "rmsprop"}, "RMSprop", {}),
        ({"optimizer": "sgd"}, "SGD", {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_the_recipe_chooses_the_optimizer(change, name, expected):
    """With its learning rate."""
    optimizer = _optimizer(replace(TINY, **change), TINY.plan(400))
    found = optimizer.get_config()
    assert type(optimizer).__name__ == name
    assert {each: found[each] for each in expected} == expected
    assert found["learning_rate"] == pytest.approx(1e-3)


def test_without_early_stopping_the_last_epoch_is_kept(plain):
    """Even if an earlier one was better."""
    assert plain[0].kept_epoch == 2


def test_early_stopping_keeps_the_best_weights(dataset):
    """Two epochs without a lower validation loss end the training; the weights are those of the best epoch."""
    recipe = replace(TINY, epochs=30, learning_rate=0.05, early_stopping=2)
    stopped, _ = _fit(dataset, recipe=recipe)
    losses = [epoch.validation_loss for epoch in stopped.history]
    assert len(losses) < 30
    assert losses.index(min(losses)) + 1 == stopped.kept_epoch == len(losses) - 2
    same, _ = _fit(dataset, recipe=replace(recipe, epochs=stopped.kept_epoch, early_stopping=None))
    assert _weights(stopped).tobytes() == _weights(same).tobytes()


def test_balanced_weights_add_up_alike_for_each_digit(dataset):
    """Whatever its number of images; the mean weight of an image is 1."""
    rows = np.flatnonzero((dataset.train.labels != 3) | (np.arange(400) % 4 == 0))
    few = dataset.train.rows(rows)
    weights = balanced_weights(few)
    assert {round(weights[digit] * count, 9) for digit, count in enumerate(few.class_counts)} == {len(few) / 10}
    assert np.mean([weights[label] for label in few.labels]) == pytest.approx(1)


def test_balanced_weights_change_what_is_learned(dataset):
    """A digit with few images gets a higher probability."""
    few = np.flatnonzero((dataset.train.labels != 3) | (np.arange(400) % 10 == 0))
    unbalanced = replace(dataset, train=dataset.train.rows(few))
    probabilities = []
    for class_weights in ("none", "balanced"):
        model = _fit(unbalanced, recipe=replace(DEFORMING, class_weights=class_weights))[0].model
        probabilities.append(float(model.predict(dataset.test.pixels, verbose=0)[:, 3].mean()))
    assert 1.5 * probabilities[0] < probabilities[1]


def test_a_nan_loss_ends_the_training(dataset):
    """After the first epoch; the error suggests a lower learning rate."""
    recipe = replace(TINY, epochs=50, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(ModelInvalid, match=r"diverged: in epoch 1 the training loss is nan.* --learning-rate below 1e"):
        _fit(dataset, recipe=recipe)
