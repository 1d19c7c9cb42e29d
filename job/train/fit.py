"""How a network is trained: one function that follows a recipe. It neither logs nor prints; it calls back."""

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import CLASSES, PIXELS
from job.errors import ModelInvalid
from job.train.augment import Plan, deformed_groups
from job.train.backend import fix_seed, import_keras
from job.train.dataset import Dataset
from job.train.recipe import BATCHES_PER_CALL, Recipe
from job.train.split import Split

if TYPE_CHECKING:
    import keras

_GROUPS_AHEAD: Final = 2
_VALIDATION_ROWS: Final = 1024
_MOMENTUM: Final = 0.9


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: its number from 1, mean cross-entropy, accuracy in 0-1, wall-clock seconds."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """A trained network and how it came about. kept_epoch: the one whose weights it has, which may not be the last."""

    model: "keras.Model"
    history: tuple[Epoch, ...]
    kept_epoch: int


def fit(  # noqa: PLR0913  # what to train, how, on what, and whom to tell
    model: "keras.Model",
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None],
    on_batch: Callable[[int, int], None],
) -> FitResult:
    """Train a network in place; the same start, recipe, data and seed give the same weights bit for bit.

    on_epoch: called after each epoch. on_batch: called some ten times a second with (batches done, batches in all).
    Raises ModelInvalid where the loss is no number any more.
    """
    fix_seed(seed)
    plan = recipe.plan(len(dataset.train))
    model.compile(
        optimizer=_optimizer(recipe, plan),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=BATCHES_PER_CALL if recipe.deformations is None else plan.batches_per_group,
    )
    history: list[Epoch] = []
    model.fit(
        **_shown(recipe, dataset, plan, seed),
        epochs=recipe.epochs,
        verbose=0,
        validation_data=(dataset.validation.pixels, dataset.validation.labels),
        validation_batch_size=_VALIDATION_ROWS,
        class_weight=balanced_weights(dataset.train) if recipe.class_weights == "balanced" else None,
        callbacks=_callbacks(recipe, plan, [history.append, on_epoch], on_batch),
    )
    return FitResult(model, tuple(history), _kept_epoch(recipe, history))


def balanced_weights(images: Split) -> dict[int, float]:
    """How much an image of each digit counts, so that all digits count alike and an image 1 in the mean."""
    return {digit: len(images) / (CLASSES * count) for digit, count in enumerate(images.class_counts)}


def _kept_epoch(recipe: Recipe, history: list[Epoch]) -> int:
    if recipe.early_stopping is None:
        return len(history)
    return int(np.argmin([epoch.validation_loss for epoch in history])) + 1


def _optimizer(recipe: Recipe, plan: Plan) -> "keras.optimizers.Optimizer":
    optimizers = import_keras().optimizers
    rate: Any = recipe.learning_rate
    if recipe.is_annealed:
        rate = optimizers.schedules.CosineDecay(rate, plan.epochs * plan.batches)
    makers: dict[str, Callable[[Any], keras.optimizers.Optimizer]] = {
        "adam": optimizers.Adam,
        "adamw": functools.partial(optimizers.AdamW, weight_decay=recipe.weight_decay),
        "rmsprop": optimizers.RMSprop,
        "sgd": functools.partial(optimizers.SGD, momentum=_MOMENTUM, nesterov=True),
    }
    return makers[recipe.optimizer](rate)


def _shown(recipe: Recipe, dataset: Dataset, plan: Plan, seed: int) -> dict[str, Any]:
    """What Keras is to train on, as arguments of `fit`."""
    if recipe.deformations is None:
        return {"x": dataset.train.pixels, "y": dataset.train.labels, "batch_size": recipe.batch_size}
    import tensorflow as tf  # noqa: PLC0415  # seconds

    deform = functools.partial(deformed_groups, dataset.train, recipe.deformations, plan, seed=seed)
    shape = (plan.batches_per_group, plan.batch_size)
    signature = (tf.TensorSpec((*shape, PIXELS), tf.uint8), tf.TensorSpec(shape, tf.int8))
    groups = tf.data.Dataset.from_generator(deform, output_signature=signature)
    # One dataset for all epochs, so that images of the next are made while the network learns from those of the last.
    batches = groups.prefetch(_GROUPS_AHEAD).flat_map(lambda *group: tf.data.Dataset.from_tensor_slices(group))
    return {"x": batches.prefetch(BATCHES_PER_CALL), "steps_per_epoch": plan.batches, "shuffle": False}


def _callbacks(
    recipe: Recipe,
    plan: Plan,
    on_epoch: list[Callable[[Epoch], None]],
    on_batch: Callable[[int, int], None],
) -> list["keras.callbacks.Callback"]:
    """Keras's events as plain calls."""
    batches = plan.batches
    started: dict[int, float] = {}

    def begin_epoch(index: int, logs: dict[str, Any]) -> None:  # noqa: ARG001  # Keras passes it by name
        started[index] = time.monotonic()

    def end_batch(index: int, logs: dict[str, Any]) -> None:  # noqa: ARG001
        done_epochs = len(started) - 1
        on_batch(done_epochs * batches + min(index + 1, batches), recipe.epochs * batches)

    def end_epoch(index: int, logs: dict[str, Any]) -> None:
        epoch = _epoch(index, logs, time.monotonic() - started[index])
        _check_loss(recipe, epoch)
        for call in on_epoch:
            call(epoch)

    callbacks = import_keras().callbacks
    calls = [callbacks.LambdaCallback(on_epoch_begin=begin_epoch, on_epoch_end=end_epoch, on_train_batch_end=end_batch)]
    if recipe.early_stopping is not None:
        calls.append(callbacks.EarlyStopping("val_loss", patience=recipe.early_stopping, restore_best_weights=True))
    return calls


def _check_loss(recipe: Recipe, epoch: Epoch) -> None:
    if not math.isfinite(epoch.loss + epoch.validation_loss):
        raise ModelInvalid(
            f"training diverged: the loss of epoch {epoch.epoch} is {epoch.loss}, of the validation images "
            f"{epoch.validation_loss}; nothing was saved; take a --learning-rate below {recipe.learning_rate:g}"
        )


def _epoch(index: int, logs: dict[str, Any], seconds: float) -> Epoch:
    loss, accuracy, validation_loss, validation_accuracy = (
        float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    )
    return Epoch(index + 1, loss, accuracy, validation_loss, validation_accuracy, round(seconds, 3))
