"""How a network is trained: recipes, and one function that follows them. Neither logs nor prints; it calls back."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from job.errors import UsageError
from job.train.backend import fix_seed, import_keras
from job.train.dataset import Dataset

if TYPE_CHECKING:
    import keras

# Measured on 2 cores: an epoch of 54,000 images takes 1.7 s with one return to Python per 50 batches and 4.0 s with one
# per batch, for the same weights. It also sets how often progress is told: about ten times a second. XLA is not to be
# had (`jit_compile`), for Keras switches it off where operations must repeat bit for bit.
_BATCHES_PER_CALL: Final = 50
_VALIDATION_ROWS: Final = 1024


@dataclass(frozen=True)
class Recipe:
    """How to train: passes over the images, images per step, Adam's step size."""

    name: str
    epochs: int
    batch_size: int
    learning_rate: float

    def __post_init__(self) -> None:
        """Raises UsageError for values outside their range."""
        if self.epochs < 1:
            raise UsageError(f"--epochs {self.epochs}: expected 1 or more")
        if self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size}: expected 1 or more")


RECIPES: Final = {"baseline": Recipe("baseline", epochs=10, batch_size=64, learning_rate=1e-3)}


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
    """A trained network and how it came about."""

    model: "keras.Model"
    history: tuple[Epoch, ...]


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
    """
    fix_seed(seed)
    keras = import_keras()
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=_BATCHES_PER_CALL,
    )
    history: list[Epoch] = []
    model.fit(
        dataset.train.pixels,
        dataset.train.labels,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        verbose=0,
        validation_data=(dataset.validation.pixels, dataset.validation.labels),
        validation_batch_size=_VALIDATION_ROWS,
        callbacks=_callbacks(recipe, len(dataset.train), [history.append, on_epoch], on_batch),
    )
    return FitResult(model, tuple(history))


def _callbacks(
    recipe: Recipe,
    train_rows: int,
    on_epoch: list[Callable[[Epoch], None]],
    on_batch: Callable[[int, int], None],
) -> list["keras.callbacks.Callback"]:
    """Keras's events as plain calls."""
    batches = math.ceil(train_rows / recipe.batch_size)
    started: dict[int, float] = {}

    def begin_epoch(index: int, logs: dict[str, Any]) -> None:  # noqa: ARG001  # Keras passes it by name
        started[index] = time.monotonic()

    def end_batch(index: int, logs: dict[str, Any]) -> None:  # noqa: ARG001
        done_epochs = len(started) - 1
        on_batch(done_epochs * batches + min(index + 1, batches), recipe.epochs * batches)

    def end_epoch(index: int, logs: dict[str, Any]) -> None:
        epoch = _epoch(index, logs, time.monotonic() - started[index])
        for call in on_epoch:
            call(epoch)

    callback = import_keras().callbacks.LambdaCallback
    return [callback(on_epoch_begin=begin_epoch, on_epoch_end=end_epoch, on_train_batch_end=end_batch)]


def _epoch(index: int, logs: dict[str, Any], seconds: float) -> Epoch:
    loss, accuracy, validation_loss, validation_accuracy = (
        float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    )
    return Epoch(index + 1, loss, accuracy, validation_loss, validation_accuracy, round(seconds, 3))
