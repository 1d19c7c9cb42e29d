"""The training loop: fits a network by a recipe, bit for bit repeatable, and resumable after any epoch.

It neither logs nor prints: `FitHooks` says what else happens during a run. `augment` makes the images, `backup` the
callbacks that save and restore the state.
"""

import functools
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import CLASSES, PIXELS
from job.errors import ModelInvalid
from job.flag_names import Flag
from job.train.backend import fix_seed, import_keras
from job.train.data.dataset import Dataset
from job.train.data.split import Split
from job.train.fit.augment import EpochPlan, batch_groups
from job.train.fit.backup import backup, early_stopping
from job.train.fit.checkpoint import Checkpoint, Epoch, TrainingState
from job.train.fit.recipe import BATCHES_PER_CALL, Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


_PREFETCHED_GROUPS: Final = 2
_VALIDATION_ROWS: Final = 1024
_MOMENTUM: Final = 0.9


@dataclass(frozen=True)
class FitHooks:
    """What happens during a run besides training; none of it changes the weights.

    on_epoch: called after each epoch. on_batch: called about ten times a second with (batches done, batches in total).
    checkpoint: where the state is saved after each epoch; None: nowhere. state: the state to resume from, which an
    earlier part of the same run saved there. callbacks: further Keras callbacks, which only observe.
    """

    on_epoch: Callable[[Epoch], None] = lambda _epoch: None
    on_batch: Callable[[int, int], None] = lambda _done, _total: None
    checkpoint: Checkpoint | None = None
    state: TrainingState | None = None
    callbacks: "Sequence[keras.callbacks.Callback]" = ()


@dataclass(frozen=True)
class FitResult:
    """A trained network and its epochs. kept_epoch: number of the epoch whose weights it has, not always the last."""

    model: "keras.Model"
    history: tuple[Epoch, ...]
    kept_epoch: int


_NO_HOOKS: Final = FitHooks()


def fit(model: "keras.Model", recipe: Recipe, dataset: Dataset, *, seed: int, hooks: FitHooks = _NO_HOOKS) -> FitResult:
    """Train a network in place; the same initial weights, recipe, data and seed give the same weights bit for bit.

    A run that resumes from a state ends with the weights of an uninterrupted one. Raises ModelInvalid where the loss
    becomes infinite or NaN.
    """
    fix_seed(seed)
    plan = recipe.plan(len(dataset.train))
    model.compile(
        optimizer=_optimizer(recipe, plan),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=plan.batches_per_group,
    )
    history = list(hooks.state.history) if hooks.state else []
    with ExitStack() as stack:
        callbacks = [_recorder(recipe, plan, history, hooks, model.optimizer), *hooks.callbacks]
        stopping = None if recipe.early_stopping is None else early_stopping(recipe.early_stopping, hooks.state)
        callbacks += [] if stopping is None else [stopping]
        if hooks.checkpoint is not None:
            callbacks.append(stack.enter_context(backup(hooks.checkpoint, hooks.state, history, stopping)))
        model.fit(
            _batches(recipe, dataset.train, plan, seed=seed, epochs_done=len(history)),
            steps_per_epoch=plan.batches,
            epochs=len(history) if _has_stopped_early(recipe, history) else recipe.epochs,
            shuffle=False,
            verbose=0,
            validation_data=(dataset.validation.pixels, dataset.validation.labels),
            validation_batch_size=_VALIDATION_ROWS,
            class_weight=balanced_weights(dataset.train) if recipe.class_weights == "balanced" else None,
            callbacks=callbacks,
        )
    return FitResult(model, tuple(history), _kept_epoch(recipe, history))


def balanced_weights(images: Split) -> dict[int, float]:
    """The weight of an image of each digit with which all digits count alike; the mean over the images is 1."""
    return {digit: len(images) / (CLASSES * count) for digit, count in enumerate(images.class_counts)}


def _optimizer(recipe: Recipe, plan: EpochPlan) -> "keras.optimizers.Optimizer":
    optimizers = import_keras().optimizers
    rate: Any = recipe.learning_rate
    if recipe.is_annealed:
        rate = optimizers.schedules.CosineDecay(rate, plan.epochs * plan.batches)
    factories: dict[str, Callable[[Any], keras.optimizers.Optimizer]] = {
        "adam": optimizers.Adam,
        "adamw": functools.partial(optimizers.AdamW, weight_decay=recipe.weight_decay),
        "rmsprop": optimizers.RMSprop,
        "sgd": functools.partial(optimizers.SGD, momentum=_MOMENTUM, nesterov=True),
    }
    return factories[recipe.optimizer](rate)


def _batches(recipe: Recipe, images: Split, plan: EpochPlan, *, seed: int, epochs_done: int) -> "tf.data.Dataset":
    """The remaining training images, batch by batch."""
    import tensorflow as tf

    groups = functools.partial(batch_groups, images, recipe.deformations, plan, seed=seed, epochs_done=epochs_done)
    shape = (plan.batches_per_group, plan.batch_size)
    signature = (tf.TensorSpec((*shape, PIXELS), tf.uint8), tf.TensorSpec(shape, tf.int8))
    dataset = tf.data.Dataset.from_generator(groups, output_signature=signature)
    # One dataset for all epochs, so that images of the next epoch are made while the network still learns.
    batches = dataset.prefetch(_PREFETCHED_GROUPS).flat_map(lambda *group: tf.data.Dataset.from_tensor_slices(group))
    # Nothing is left to tune, and the thread that tunes would delay the end: it sleeps twice as long each time, and the
    # dataset waits for it. Measured after 10 epochs of MNIST: 0 to 6 s in which nothing is done.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(BATCHES_PER_CALL).with_options(options)


def _recorder(
    recipe: Recipe, plan: EpochPlan, history: list[Epoch], hooks: FitHooks, optimizer: "keras.optimizers.Optimizer"
) -> "keras.callbacks.Callback":
    """A callback that appends each new epoch to `history` and calls the hooks."""
    started = 0.0

    def begin_epoch(_index: int, _logs: dict[str, Any]) -> None:
        nonlocal started
        started = time.monotonic()

    def end_batch(index: int, **_named: Any) -> None:
        hooks.on_batch(len(history) * plan.batches + index + 1, recipe.epochs * plan.batches)

    def end_epoch(index: int, logs: dict[str, Any]) -> None:
        seconds = time.monotonic() - started
        epoch = _epoch(index, logs, learning_rate=_learning_rate(optimizer), seconds=seconds)
        _check_loss(recipe, epoch)
        history.append(epoch)
        hooks.on_epoch(epoch)

    return import_keras().callbacks.LambdaCallback(
        on_epoch_begin=begin_epoch, on_epoch_end=end_epoch, on_train_batch_end=end_batch
    )


def _epoch(index: int, logs: dict[str, Any], *, learning_rate: float, seconds: float) -> Epoch:
    loss, accuracy, validation_loss, validation_accuracy = (
        float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    )
    return Epoch(index + 1, loss, accuracy, validation_loss, validation_accuracy, learning_rate, round(seconds, 3))


def _learning_rate(optimizer: "keras.optimizers.Optimizer") -> float:
    """The current rate in as many digits as a float32 has."""
    return float(f"{float(optimizer.learning_rate):.7g}")


def _check_loss(recipe: Recipe, epoch: Epoch) -> None:
    if not math.isfinite(epoch.loss + epoch.validation_loss):
        raise ModelInvalid(
            f"training diverged: in epoch {epoch.epoch} the training loss is {epoch.loss}, the validation loss "
            f"{epoch.validation_loss}; nothing was saved; use a {Flag.LEARNING_RATE} below {recipe.learning_rate:g}"
        )


def _kept_epoch(recipe: Recipe, history: list[Epoch]) -> int:
    if recipe.early_stopping is None:
        return len(history)
    return int(np.argmin([epoch.validation_loss for epoch in history])) + 1 if history else 0


def _has_stopped_early(recipe: Recipe, history: list[Epoch]) -> bool:
    return recipe.early_stopping is not None and len(history) - _kept_epoch(recipe, history) >= recipe.early_stopping
