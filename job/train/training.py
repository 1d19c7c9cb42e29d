"""The train stage: data -> network -> model folder, which appears whole or not at all.

load -> build -> fit -> calibrate -> export -> compare -> evaluate -> judge -> card -> commit
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from job.flag_names import Flag
from job.storage import Storage, join
from job.train.backend import fix_seed, use_threads
from job.train.card.model_folder import TrainResult, save_model
from job.train.card.sections import versions
from job.train.data.dataset import Dataset, load
from job.train.fit import network
from job.train.fit.checkpoint import Checkpoint, Epoch, TrainingState
from job.train.fit.loop import FitResult, fit
from job.train.fit.recipe import THREADS, Recipe, recipe_of
from job.train.fit.tensorboard import tensorboard
from job.train.judge.gate import Gate
from job.train.place import commit_model, place_for, refuse_occupied, staged_folder
from job.train.train_settings import TrainSettings

if TYPE_CHECKING:
    import keras


_log = logging.getLogger(__name__)
# A long training is told of in so many lines.
_MOST_LINES: Final = 25


def train(
    settings: TrainSettings,
    storage: Storage,
    *,
    mnist_dir: str | None,
    on_text: Callable[[str], None],
    on_batch: Callable[[int, int], None],
) -> TrainResult:
    """Train a network and save it; on any failure or interruption the target stays as it was.

    After each epoch a checkpoint is kept beside the target, until training ends well or fails for good.
    mnist_dir: where `--data auto` looks first. on_text: given the network's summary, before training.
    on_batch: called with (batches done, batches in all). Raises OutputOccupied, and ModelInvalid for a model to compare
    with, before any work; NoInput, DataError, UsageError, and ModelInvalid where the export does not say the same as
    the network.
    """
    target = storage.resolve(settings.model)
    refuse_occupied(storage, target)
    gate = Gate(storage, settings.min_accuracy, settings.compare_to)
    recipe = recipe_of(settings)
    use_threads(THREADS[recipe.arch])
    dataset = load(
        storage,
        settings.data,
        settings.read,
        seed=settings.seed,
        validation_share=settings.validation_share,
        mnist_dir=mnist_dir,
    )
    _log.info("%s: %s images to train on, %s to validate, %s to test", dataset.source, *_sizes(dataset))
    checkpoint = Checkpoint(storage, target, _decisive(settings, recipe, dataset))
    state = _state(checkpoint, settings)
    with checkpoint.needed_until_done():
        with _watched(storage, settings, recipe, dataset) as callbacks:
            fitted = _fitted(recipe, dataset, settings.seed, checkpoint, state, callbacks, on_text, on_batch)
        with staged_folder(storage, target) as staging:
            result = save_model(storage, settings, recipe, dataset, fitted, gate, staging)
            target = place_for(storage, target, result.verdict)
            commit_model(storage, staging, target)
    return replace(result, path=target)


def _decisive(settings: TrainSettings, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """All that decides which weights come out, by words for people: for a checkpoint to be one of the same run."""
    return {
        **{name.removeprefix("is_").replace("_", "-"): value for name, value in asdict(recipe).items()},
        "validation-split": settings.validation_share,
        "seed": settings.seed,
        "data": f"{dataset.name}, fingerprint {dataset.fingerprint[:16]}",
        **versions(),
    }


def _state(checkpoint: Checkpoint, settings: TrainSettings) -> TrainingState | None:
    """What the run is to begin with."""
    if not settings.is_resuming:
        if checkpoint.is_there:
            _log.info(
                "%s: an earlier training did not finish; starting over (%s continues it)", checkpoint.path, Flag.RESUME
            )
        return None
    state = checkpoint.load()
    if state is None:
        _log.info("%s: there is no training to go on with; starting one", checkpoint.path)
    else:
        _log.info("%s: going on behind epoch %d", checkpoint.path, len(state.history))
    return state


@contextmanager
def _watched(
    storage: Storage, settings: TrainSettings, recipe: Recipe, dataset: Dataset
) -> Iterator[list["keras.callbacks.Callback"]]:
    """What tells TensorBoard of the training, if that was asked for."""
    if settings.tensorboard is None:
        yield []
        return
    name = f"{PurePosixPath(settings.model).name}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}"
    folder = join(storage.resolve(settings.tensorboard), name)
    _log.info("%s: the training's events; `tensorboard --logdir %s` shows them", folder, settings.tensorboard)
    with tensorboard(folder, dataset.validation, recipe.epochs) as callbacks:
        yield callbacks


def _sizes(dataset: Dataset) -> tuple[str, ...]:
    return tuple(f"{len(split):,}" for split in (dataset.train, dataset.validation, dataset.test))


def _fitted(  # noqa: PLR0913, PLR0917  # what to train, how, on what, from where, and whom to tell
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    checkpoint: Checkpoint,
    state: TrainingState | None,
    callbacks: "Sequence[keras.callbacks.Callback]",
    on_text: Callable[[str], None],
    on_batch: Callable[[int, int], None],
) -> FitResult:
    # Before building too, because the first weights are drawn there.
    fix_seed(seed)
    model = network.build(recipe.arch, recipe.hidden, activation=recipe.activation, dropout=recipe.dropout)
    on_text(network.summary(model))

    interval = math.ceil(recipe.epochs / _MOST_LINES)

    def log_epoch(epoch: Epoch) -> None:
        if epoch.epoch % interval == 0 or epoch.epoch == recipe.epochs:
            _log.info(
                "epoch %d of %d: loss %.4f, accuracy %.4f, validation accuracy %.4f (%.1f s)",
                epoch.epoch, recipe.epochs, epoch.loss, epoch.accuracy, epoch.validation_accuracy, epoch.seconds,
            )  # fmt: skip

    return fit(
        model,
        recipe,
        dataset,
        seed=seed,
        on_epoch=log_epoch,
        on_batch=on_batch,
        checkpoint=checkpoint,
        state=state,
        callbacks=callbacks,
    )
