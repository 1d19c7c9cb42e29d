"""How a network is trained: one function that follows a recipe. It neither logs nor prints; it calls back."""

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
from job.train.fit.augment import EpochPlan, shown_groups
from job.train.fit.backup import backup, early_stopping
from job.train.fit.checkpoint import Checkpoint, Epoch, TrainingState
from job.train.fit.recipe import BATCHES_PER_CALL, Recipe

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


_GROUPS_AHEAD: Final = 2
_VALIDATION_ROWS: Final = 1024
_MOMENTUM: Final = 0.9


@dataclass(frozen=True)
class FitResult:
    """A trained network and how it came about. kept_epoch: the one whose weights it has, which may not be the last."""

    model: "keras.Model"
    history: tuple[Epoch, ...]
    kept_epoch: int


def fit(  # noqa: PLR0913  # what to train, how, on what, from where, and whom to tell
    model: "keras.Model",
    recipe: Recipe,
    dataset: Dataset,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None],
    on_batch: Callable[[int, int], None],
    checkpoint: Checkpoint | None = None,
    state: TrainingState | None = None,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
) -> FitResult:
    """Train a network in place; the same start, recipe, data and seed give the same weights bit for bit.

    on_epoch: called after each epoch. on_batch: called some ten times a second with (batches done, batches in all).
    checkpoint: where to keep the state after each epoch. state: what an earlier part of the same run kept there; the
    weights become those of a run in one part. callbacks: others of Keras's, who look on. Raises ModelInvalid where the
    loss is no number any more.
    """
    fix_seed(seed)
    plan = recipe.plan(len(dataset.train))
    model.compile(
        optimizer=_optimizer(recipe, plan),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=plan.batches_per_group,
    )
    history = list(state.history) if state else []
    with ExitStack() as stack:
        calls = [_calls(recipe, plan, history, on_epoch, on_batch), *callbacks]
        stopping = None if recipe.early_stopping is None else early_stopping(recipe.early_stopping, state)
        calls += [] if stopping is None else [stopping]
        if checkpoint is not None:
            calls.append(stack.enter_context(backup(checkpoint, state, history, stopping)))
        model.fit(
            _shown(recipe, dataset, plan, seed, len(history)),
            steps_per_epoch=plan.batches,
            epochs=len(history) if _is_over(recipe, history) else recipe.epochs,
            shuffle=False,
            verbose=0,
            validation_data=(dataset.validation.pixels, dataset.validation.labels),
            validation_batch_size=_VALIDATION_ROWS,
            class_weight=balanced_weights(dataset.train) if recipe.class_weights == "balanced" else None,
            callbacks=calls,
        )
    return FitResult(model, tuple(history), _kept_epoch(recipe, history))


def balanced_weights(images: Split) -> dict[int, float]:
    """How much an image of each digit counts, so that all digits count alike and an image 1 in the mean."""
    return {digit: len(images) / (CLASSES * count) for digit, count in enumerate(images.class_counts)}


def _kept_epoch(recipe: Recipe, history: list[Epoch]) -> int:
    if recipe.early_stopping is None:
        return len(history)
    return int(np.argmin([epoch.validation_loss for epoch in history])) + 1 if history else 0


def _is_over(recipe: Recipe, history: list[Epoch]) -> bool:
    """Whether early stopping has ended the training."""
    return recipe.early_stopping is not None and len(history) - _kept_epoch(recipe, history) >= recipe.early_stopping


def _optimizer(recipe: Recipe, plan: EpochPlan) -> "keras.optimizers.Optimizer":
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


def _shown(recipe: Recipe, dataset: Dataset, plan: EpochPlan, seed: int, epochs_done: int) -> "tf.data.Dataset":
    """What is left of what the network is to see, batch by batch."""
    import tensorflow as tf

    show = functools.partial(shown_groups, dataset.train, recipe.deformations, plan, seed=seed, epochs_done=epochs_done)
    shape = (plan.batches_per_group, plan.batch_size)
    signature = (tf.TensorSpec((*shape, PIXELS), tf.uint8), tf.TensorSpec(shape, tf.int8))
    groups = tf.data.Dataset.from_generator(show, output_signature=signature)
    # One dataset for all epochs, so that images of the next are made while the network learns from those of the last.
    batches = groups.prefetch(_GROUPS_AHEAD).flat_map(lambda *group: tf.data.Dataset.from_tensor_slices(group))
    return batches.prefetch(BATCHES_PER_CALL)


def _calls(
    recipe: Recipe,
    plan: EpochPlan,
    history: list[Epoch],
    on_epoch: Callable[[Epoch], None],
    on_batch: Callable[[int, int], None],
) -> "keras.callbacks.Callback":
    """Keras's events as plain calls; each new epoch goes into the history."""
    batches = plan.batches
    started = [0.0]

    def begin_epoch(index: int, logs: dict[str, Any]) -> None:  # noqa: ARG001  # Keras passes it by name
        started[0] = time.monotonic()

    def end_batch(index: int, logs: dict[str, Any]) -> None:  # noqa: ARG001
        on_batch(len(history) * batches + index + 1, recipe.epochs * batches)

    def end_epoch(index: int, logs: dict[str, Any]) -> None:
        epoch = _epoch(index, logs, time.monotonic() - started[0])
        _check_loss(recipe, epoch)
        history.append(epoch)
        on_epoch(epoch)

    return import_keras().callbacks.LambdaCallback(
        on_epoch_begin=begin_epoch, on_epoch_end=end_epoch, on_train_batch_end=end_batch
    )


def _check_loss(recipe: Recipe, epoch: Epoch) -> None:
    if not math.isfinite(epoch.loss + epoch.validation_loss):
        raise ModelInvalid(
            f"training diverged: the loss of epoch {epoch.epoch} is {epoch.loss}, of the validation images "
            f"{epoch.validation_loss}; nothing was saved; take a {Flag.LEARNING_RATE} below {recipe.learning_rate:g}"
        )


def _epoch(index: int, logs: dict[str, Any], seconds: float) -> Epoch:
    loss, accuracy, validation_loss, validation_accuracy = (
        float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    )
    return Epoch(index + 1, loss, accuracy, validation_loss, validation_accuracy, round(seconds, 3))
