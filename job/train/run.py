"""The train stage: data -> network -> model folder, which appears whole or not at all.

load -> build -> fit -> export -> compare -> evaluate -> card -> commit
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from job.errors import DigitJobError, OutputOccupied
from job.model.bundle import CARD_NAME, ONNX_NAME, Golden, write_card
from job.model.predictor import OnnxPredictor
from job.settings import TrainSettings
from job.storage import Storage, join
from job.train import network
from job.train.backend import fix_seed
from job.train.card import golden_rows, identity, provenance, results
from job.train.dataset import Dataset, load
from job.train.evaluate import Evaluation, evaluate
from job.train.export import export
from job.train.fit import RECIPES, Epoch, FitResult, Recipe, fit
from job.train.parity import compare

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """A model folder and how good the model in it is; `card` is what its `model.json` says, golden rows aside."""

    path: str
    test: Evaluation
    validation: Evaluation
    card: dict[str, Any]


def train(
    settings: TrainSettings,
    storage: Storage,
    *,
    mnist_dir: str | None,
    on_text: Callable[[str], None],
    on_batch: Callable[[int, int], None],
) -> TrainResult:
    """Train a network and save it; on any failure or interruption the target stays as it was.

    mnist_dir: where `--data auto` looks first. on_text: given the network's summary, before training.
    on_batch: called with (batches done, batches in all). Raises OutputOccupied before any work, NoInput, DataError,
    UsageError, and ModelInvalid where the export does not say the same as the network.
    """
    target = storage.resolve(settings.model)
    _refuse_occupied(storage, target)
    recipe = _recipe(settings)
    dataset = load(
        storage, settings.data, seed=settings.seed, validation_share=settings.validation_share, mnist_dir=mnist_dir
    )
    _log.info("%s: %s images to train on, %s to validate, %s to test", dataset.source, *_sizes(dataset))
    fitted = _fitted(recipe, dataset, settings.seed, on_text, on_batch)
    with _staging(storage, target) as staging:
        result = _saved(storage, settings, dataset, fitted, staging)
        storage.commit_folder(staging, target)
    return replace(result, path=target)


def _refuse_occupied(storage: Storage, target: str) -> None:
    """Raises OutputOccupied unless the target is absent, an empty folder or a model folder with nothing else in it."""
    names = set(storage.list(target))
    foreign = names - _model_files(storage, target) if names else set()
    if storage.stat(target) is not None or foreign:
        found = f"holds {min(foreign)!r}" if foreign else "is a file"
        raise OutputOccupied(
            f"{target}: {found}, expected a model folder, an empty one or none; name another with --model"
        )


def _model_files(storage: Storage, folder: str) -> set[str]:
    """The names that a folder's card accounts for; none if there is no card."""
    if storage.stat(join(folder, CARD_NAME)) is None:
        return set()
    try:
        return {CARD_NAME, *json.loads(storage.read(join(folder, CARD_NAME)))["files"]}
    except (ValueError, KeyError, TypeError):
        return set()


def _recipe(settings: TrainSettings) -> Recipe:
    recipe = RECIPES[settings.recipe]
    epochs = recipe.epochs if settings.epochs is None else settings.epochs
    batch_size = recipe.batch_size if settings.batch_size is None else settings.batch_size
    return replace(recipe, epochs=epochs, batch_size=batch_size)


def _sizes(dataset: Dataset) -> tuple[str, ...]:
    return tuple(f"{len(split):,}" for split in (dataset.train, dataset.validation, dataset.test))


def _fitted(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    on_text: Callable[[str], None],
    on_batch: Callable[[int, int], None],
) -> FitResult:
    # Before building too, because the first weights are drawn there.
    fix_seed(seed)
    model = network.dense()
    on_text(network.summary(model))

    def log_epoch(epoch: Epoch) -> None:
        _log.info(
            "epoch %d of %d: loss %.4f, accuracy %.4f, validation accuracy %.4f (%.1f s)",
            epoch.epoch, recipe.epochs, epoch.loss, epoch.accuracy, epoch.validation_accuracy, epoch.seconds,
        )  # fmt: skip

    return fit(model, recipe, dataset, seed=seed, on_epoch=log_epoch, on_batch=on_batch)


@contextmanager
def _staging(storage: Storage, target: str) -> Iterator[str]:
    """The path of a folder beside the target to build the new one in; removed if the block does not end well."""
    path = PurePosixPath(target)
    staging = str(path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp"))
    try:
        yield staging
    except BaseException:
        with suppress(DigitJobError):  # the first error is the one to tell
            storage.remove(staging)
        raise


def _saved(storage: Storage, settings: TrainSettings, dataset: Dataset, fitted: FitResult, folder: str) -> TrainResult:
    """Write a model folder for a trained network."""
    onnx = export(storage, fitted.model, folder)
    parity, by_keras, by_onnx = compare(fitted.model, onnx, dataset.test.pixels)
    # Judged as the scorer will run it.
    test = evaluate(by_onnx, dataset.test.labels)
    validation = evaluate(OnnxPredictor(onnx, ONNX_NAME).predict(dataset.validation.pixels), dataset.validation.labels)
    card = {
        **identity(f"dense-{settings.recipe}", settings.recipe, network.architecture(), fitted.model.count_params()),
        "data": provenance(dataset, seed=settings.seed, validation_share=settings.validation_share),
        "seeds": {"split": settings.seed, "weights": settings.seed, "shuffle": settings.seed},
        **results(validation, test, fitted.history, parity),
    }
    rows = golden_rows(dataset.test.labels)
    write_card(storage, folder, card, Golden(dataset.test.pixels[rows], by_keras[rows]))
    return TrainResult(folder, test, validation, card)
