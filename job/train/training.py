"""The train stage: trains a network on a data set and saves it as a model folder, all or nothing.

load -> build -> fit -> calibrate -> export -> compare -> evaluate -> gate -> card -> commit

`fit` trains the network, `card.model_folder` does what follows up to the card, and `place` commits the folder.
`training_log` and `phases` say how far it has come.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from job.flag_names import Flag
from job.log import Event, event
from job.storage import Storage, join
from job.train.backend import fix_seed, import_keras, use_threads, versions
from job.train.card.model_folder import TrainedNetwork, TrainResult, phases_of_folder, write_model_folder
from job.train.data.dataset import Dataset, load
from job.train.data.writers import with_writers
from job.train.finished_model import finished_model, is_same_training, judged_again, refuse_other_model
from job.train.fit import network
from job.train.fit.checkpoint import Checkpoint, TrainingState
from job.train.fit.loop import FitHooks, fit
from job.train.fit.recipe import THREADS, Recipe, recipe_of
from job.train.fit.tensorboard import tensorboard
from job.train.judge.gate import Gate
from job.train.phases import Phase, Phases
from job.train.place import commit_model, place_for, recover, refuse_occupied, staged_folder
from job.train.scratch import private_temporary_files
from job.train.train_settings import TrainSettings
from job.train.training_log import epoch_logger, log_early_stop, log_plan, log_start

if TYPE_CHECKING:
    import keras


_log = logging.getLogger(__name__)


@private_temporary_files()
def train(
    settings: TrainSettings,
    storage: Storage,
    *,
    mnist_dir: str | None,
    on_text: Callable[[str], None],
    phases: Phases,
) -> TrainResult:
    """Train a network and save it; on any failure or interruption the target stays as it was.

    A checkpoint beside the target is updated after each epoch, and deleted when training succeeds or fails for good.
    Where the training has finished before and is to be resumed, the model there is the result. mnist_dir: where
    `--data auto` looks first. on_text: called with the network's summary before training. Raises OutputOccupied, also
    for a model of other data or of another recipe unless that is to be replaced, and ModelInvalid for a model to
    compare with, before any work; NoInput, DataError, UsageError; ModelInvalid where training diverges or an export
    gives other answers than the network.
    """
    recipe = recipe_of(settings)
    log_start(settings, recipe)
    target = storage.resolve(settings.model)
    recover(storage, target)
    refuse_occupied(storage, target)
    gate = Gate(storage, settings.min_accuracy, settings.compare_to)
    threads = use_threads(THREADS[recipe.arch])
    with phases.during(Phase.READING, "images"):
        dataset = _load(settings, storage, mnist_dir)
        dataset = replace(dataset, test=with_writers(storage, settings.digits_dir, dataset.test))
    with phases.during(Phase.LOADING, "TensorFlow"):
        import_keras()
    checkpoint = Checkpoint(storage, target, _run_identity(settings, recipe, dataset))
    finished = finished_model(storage, target)
    if finished is not None:
        is_done = settings.is_resuming and not checkpoint.exists
        if is_done and is_same_training(finished, recipe, dataset, settings.seed):
            done = event(Event.ALREADY_DONE, model=target)
            _log.info("%s: this training has finished; there is nothing to resume", target, extra=done)
            return judged_again(storage, finished, dataset, gate)
        if not settings.is_overwriting:
            refuse_other_model(finished, recipe, dataset)
    state = _initial_state(checkpoint, settings)
    with checkpoint.removed_when_done():
        with _tensorboard_callbacks(storage, settings, recipe, dataset) as callbacks:
            # Seeded before building, because that draws the initial weights.
            fix_seed(settings.seed)
            model = network.build(recipe.arch, recipe.hidden, activation=recipe.activation, dropout=recipe.dropout)
            on_text(network.summary(model))
            log_plan(dataset, recipe, parameters=model.count_params(), threads=threads, versions=versions())
            phases.expect([*phases_of_folder(settings), Phase.COMMITTING])
            hooks = FitHooks(epoch_logger(recipe), phases.advanced, checkpoint, state, callbacks)
            with phases.during(Phase.TRAINING):
                fitted = fit(model, recipe, dataset, seed=settings.seed, hooks=hooks)
            log_early_stop(recipe, fitted)
        with staged_folder(storage, target) as staging:
            trained = TrainedNetwork(settings, recipe, dataset, fitted)
            result = write_model_folder(storage, staging, trained, gate, phases)
            with phases.during(Phase.COMMITTING):
                path = place_for(storage, target, passed=result.verdict.is_blessed)
                commit_model(storage, staging, path)
    return replace(result, path=path)


def _load(settings: TrainSettings, storage: Storage, mnist_dir: str | None) -> Dataset:
    dataset = load(storage, settings.data, seed=settings.seed, mnist_dir=mnist_dir)
    _log.info("%s: %s", dataset.source, dataset.description)
    return dataset


def _run_identity(settings: TrainSettings, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Everything that decides the weights, by the names of flags where there is one; a checkpoint is valid for it."""
    return {
        **recipe.readable_fields,
        "test-split": dataset.test_share,
        "validation-split": dataset.validation_share,
        "seed": settings.seed,
        "data": f"{dataset.name}, {dataset.identity}",
        **versions(),
    }


def _initial_state(checkpoint: Checkpoint, settings: TrainSettings) -> TrainingState | None:
    """The state to resume from; None: start from the beginning."""
    if not settings.is_resuming:
        if checkpoint.exists:
            _log.info(
                "%s: an earlier training did not finish; starting over (%s resumes it)", checkpoint.path, Flag.RESUME
            )
        return None
    state = checkpoint.load()
    if state is None:
        _log.info("%s: no training to resume; starting one", checkpoint.path)
    else:
        epoch = len(state.history)
        resumed = event(Event.RESUMED, checkpoint=checkpoint.path, epoch=epoch)
        _log.info("%s: resuming after epoch %d", checkpoint.path, epoch, extra=resumed)
    return state


@contextmanager
def _tensorboard_callbacks(
    storage: Storage, settings: TrainSettings, recipe: Recipe, dataset: Dataset
) -> Iterator[list["keras.callbacks.Callback"]]:
    """Callbacks that write TensorBoard events, if the settings ask for them."""
    if settings.tensorboard is None:
        yield []
        return
    name = f"{PurePosixPath(settings.model).name}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}"
    folder = join(storage.resolve(settings.tensorboard), name)
    _log.info("%s: events of this training; view them with `tensorboard --logdir %s`", folder, settings.tensorboard)
    with tensorboard(folder, dataset.validation, recipe.epochs) as callbacks:
        yield callbacks
