"""The events of a training in the log, besides its phases: its start, its plan, its epochs, an early stop."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from typing import Final

from job._version import __version__
from job.log import Event, detail, event
from job.report.words import many, some
from job.train.data.dataset import Dataset
from job.train.fit.checkpoint import Epoch
from job.train.fit.loop import FitResult
from job.train.fit.recipe import Recipe
from job.train.train_settings import TrainSettings

# Text lines about epochs per training, at most; also of a long one.
_MAX_EPOCH_LINES: Final = 25

_log = logging.getLogger(__name__)


def log_start(settings: TrainSettings, recipe: Recipe) -> None:
    """Before any work."""
    fields = {
        "command": "train",
        "version": __version__,
        "data": list(settings.data.sources),
        "test_data": list(settings.data.test_sources),
        "added": list(settings.data.added),
        "model": settings.model,
        "recipe": recipe.name,
        "arch": recipe.arch,
        "epochs": recipe.epochs,
        "seed": settings.seed,
        "is_resuming": settings.is_resuming,
        "pid": os.getpid(),
    }
    text = "training a %s network by the recipe %s on %s into %s; digit-job %s"
    started = event(Event.STARTED, **fields)
    sources = some(settings.data.sources)
    _log.info(text, recipe.arch, recipe.name, sources, settings.model, __version__, extra=started)


def log_plan(
    dataset: Dataset, recipe: Recipe, *, parameters: int, threads: int | None, versions: Mapping[str, str]
) -> None:
    """Before the first epoch, once the images are read and the network is built. threads: of an operation."""
    batches = recipe.plan(len(dataset.train)).batches
    fields = {
        "train_images": len(dataset.train),
        "validation_images": len(dataset.validation),
        "test_images": len(dataset.test),
        "class_counts": dataset.train.class_counts,
        "origin": dataset.origin,
        "fingerprint": dataset.fingerprint,
        "epochs": recipe.epochs,
        "batches": batches,
        "batch_size": recipe.batch_size,
        "parameters": parameters,
        "threads": threads,
        "versions": versions,
    }
    log_details(dataset, versions)
    _log.info(
        "%s of %s of %s images; %s parameters; %s",
        many(recipe.epochs, "epoch"),
        many(batches, "batch", "batches"),
        f"{recipe.batch_size:,}",
        f"{parameters:,}",
        "as many threads as TensorFlow chooses" if threads is None else many(threads, "thread") + " per operation",
        extra=event(Event.PLANNED, **fields),
    )


def log_details(dataset: Dataset, versions: Mapping[str, str]) -> None:
    """For verbose logs: where the images come from, how many there are of each digit, and the versions."""
    counts = ", ".join(f"{each:,}" for each in dataset.train.class_counts)
    _log.debug("%s: taken from %s; fingerprint %s", dataset.source, dataset.origin, dataset.fingerprint[:16])
    _log.debug("training images of 0 to 9: %s", counts)
    _log.debug("versions: %s", ", ".join(f"{name} {each}" for name, each in versions.items()))


def epoch_logger(recipe: Recipe) -> Callable[[Epoch], None]:
    """A function that logs an epoch; as text, unless verbose, only every few, and the last."""
    interval = math.ceil(recipe.epochs / _MAX_EPOCH_LINES)

    def log_epoch(epoch: Epoch) -> None:
        is_shown = epoch.epoch % interval == 0 or epoch.epoch == recipe.epochs
        fields = {
            "epoch": epoch.epoch,
            "epochs": recipe.epochs,
            "loss": epoch.loss,
            "accuracy": epoch.accuracy,
            "validation_loss": epoch.validation_loss,
            "validation_accuracy": epoch.validation_accuracy,
            "learning_rate": epoch.learning_rate,
            "seconds": epoch.seconds,
        }
        _log.info(
            "epoch %d of %d: loss %.4f, accuracy %.4f, validation accuracy %.4f (%.1f s)",
            epoch.epoch, recipe.epochs, epoch.loss, epoch.accuracy, epoch.validation_accuracy, epoch.seconds,
            extra=(event if is_shown else detail)(Event.EPOCH, **fields),
        )  # fmt: skip

    return log_epoch


def log_early_stop(recipe: Recipe, fitted: FitResult) -> None:
    """Say that the training ended before its last epoch, if it did, and with which epoch's weights."""
    last = len(fitted.history)
    if recipe.early_stopping is None or last == recipe.epochs:
        return
    kept = fitted.history[fitted.kept_epoch - 1]
    fields = {
        "epoch": last,
        "epochs": recipe.epochs,
        "patience": recipe.early_stopping,
        "kept_epoch": kept.epoch,
        "validation_loss": kept.validation_loss,
        "validation_accuracy": kept.validation_accuracy,
    }
    _log.info(
        "stopped early after epoch %d of %d: no lower validation loss in %s; kept the weights of epoch %d: "
        "validation loss %.4f, accuracy %.4f",
        last, recipe.epochs, many(recipe.early_stopping, "epoch"), kept.epoch, kept.validation_loss,
        kept.validation_accuracy,
        extra=event(Event.STOPPED_EARLY, **fields),
    )  # fmt: skip
