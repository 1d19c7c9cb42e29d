"""The train stage: data -> network -> model folder, which appears whole or not at all.

load -> build -> fit -> calibrate -> export -> compare -> evaluate -> judge -> card -> commit
"""

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from job.contract import Probabilities
from job.errors import OutputOccupied
from job.model.bundle import (
    CARD_NAME,
    CURVES_NAME,
    FILE_NAMES,
    HISTORY_NAME,
    MARKER_NAME,
    Golden,
    is_blessed,
    mark,
    write_card,
)
from job.settings import TrainSettings
from job.storage import Storage, join
from job.train import network
from job.train.backend import fix_seed, use_threads
from job.train.calibrate import calibrate
from job.train.card import export_section, golden_rows, identity, provenance, results, versions
from job.train.checkpoint import Checkpoint, State
from job.train.curves import curves
from job.train.dataset import Dataset, load
from job.train.evaluate import Evaluation, evaluate
from job.train.fit import FitResult, fit
from job.train.formats import write_formats
from job.train.gate import Gate, Verdict
from job.train.history import Epoch, as_csv
from job.train.model_card import CARD_TEXT_NAME, PICTURE_NAME, model_card, picture, surest_mistakes
from job.train.parity import compare
from job.train.recipe import THREADS, Recipe, recipe_of
from job.train.report import REPORT_NAME, training_report
from job.train.split import Split
from job.train.staging import beside, staged_folder
from job.train.tensorboard import tensorboard

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

_OWN_NAMES: Final = frozenset({CARD_NAME, MARKER_NAME, CARD_TEXT_NAME, PICTURE_NAME, REPORT_NAME, *FILE_NAMES})
# A long training is told of in so many lines.
_MOST_LINES: Final = 25


@dataclass(frozen=True)
class TrainResult:
    """A model folder and how good the model in it is; `card` is what its `model.json` says, golden rows aside.

    verdict: whether it is good enough. Where it is not, and a good one was at the place meant for it, `path` is beside.
    """

    path: str
    test: Evaluation
    validation: Evaluation
    verdict: Verdict
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

    After each epoch a checkpoint is kept beside the target, until training ends well or fails for good.
    mnist_dir: where `--data auto` looks first. on_text: given the network's summary, before training.
    on_batch: called with (batches done, batches in all). Raises OutputOccupied, and ModelInvalid for a model to compare
    with, before any work; NoInput, DataError, UsageError, and ModelInvalid where the export does not say the same as
    the network.
    """
    target = storage.resolve(settings.model)
    _refuse_occupied(storage, target)
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
            result = _saved(storage, settings, recipe, dataset, fitted, gate, staging)
            target = _place(storage, target, result.verdict)
            _commit(storage, staging, target)
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


def _state(checkpoint: Checkpoint, settings: TrainSettings) -> State | None:
    """What the run is to begin with."""
    if not settings.is_resuming:
        if checkpoint.is_there:
            _log.info("%s: an earlier training was not finished; starting over, --resume goes on", checkpoint.path)
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


def _place(storage: Storage, target: str, verdict: Verdict) -> str:
    """Where a model goes: to its target, unless it fell short and would take the place of one that did not."""
    if verdict.is_blessed or not is_blessed(storage, target):
        return target
    other = beside(storage, target, "not_blessed") if storage.is_mount(target) else f"{target}.not_blessed"
    _refuse_occupied(storage, other)
    return other


def _commit(storage: Storage, staging: str, target: str) -> None:
    """Put a finished model folder in its place, at once. Files of a mounted volume take theirs one by one.

    The card comes last. Whoever reads before that finds files that the card does not fit, or none, and refuses them.
    """
    if not storage.is_mount(target):
        storage.commit_folder(staging, target)
        return
    new = set(storage.list(staging))
    storage.commit_files(staging, target, last=CARD_NAME)
    for name in set(storage.list(target)) & _OWN_NAMES - new:
        storage.remove(join(target, name))


def _refuse_occupied(storage: Storage, target: str) -> None:
    """Raises OutputOccupied unless the target is absent, an empty folder or a model folder with nothing else in it."""
    names = set(storage.list(target))
    foreign = names - _model_files(storage, target) if names else set()
    if storage.is_mount(target):
        # A training that died as it moved files into a volume has left some; and a volume has files of its own.
        foreign = {name for name in foreign - _OWN_NAMES if not name.startswith(".") and name != "lost+found"}
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
        return {
            CARD_NAME,
            MARKER_NAME,
            CARD_TEXT_NAME,
            PICTURE_NAME,
            REPORT_NAME,
            *json.loads(storage.read(join(folder, CARD_NAME)))["files"],
        }
    except (ValueError, KeyError, TypeError):
        return set()


def _sizes(dataset: Dataset) -> tuple[str, ...]:
    return tuple(f"{len(split):,}" for split in (dataset.train, dataset.validation, dataset.test))


def _fitted(  # noqa: PLR0913, PLR0917  # what to train, how, on what, from where, and whom to tell
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    checkpoint: Checkpoint,
    state: State | None,
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


def _describe(  # noqa: PLR0913, PLR0917  # where, and what of
    storage: Storage,
    folder: str,
    card: dict[str, Any],
    digest: str,
    test: Evaluation,
    probabilities: Probabilities,
    images: Split,
) -> None:
    """Write what people are to know of a model. `probabilities`: what it says of `images`, the test split."""
    mistakes = surest_mistakes(probabilities, images.labels)
    with storage.commit(join(folder, CARD_TEXT_NAME)) as file:
        file.write(model_card(card, test, mistakes).encode())
    with storage.commit(join(folder, REPORT_NAME)) as file:
        file.write(training_report(card, digest, probabilities, images).encode(errors="backslashreplace"))
    if mistakes:
        with storage.commit(join(folder, PICTURE_NAME)) as file:
            file.write(picture(images.pixels[[each.row for each in mistakes]]))


def _record(storage: Storage, folder: str, fitted: FitResult, recipe: Recipe) -> None:
    """Write how a model was trained."""
    drawn = curves(fitted.history, fitted.kept_epoch, is_augmented=recipe.deformations is not None)
    for name, content in ((HISTORY_NAME, as_csv(fitted.history)), (CURVES_NAME, drawn)):
        with storage.commit(join(folder, name)) as file:
            file.write(content)


def _saved(  # noqa: PLR0913, PLR0917  # all that the card tells of
    storage: Storage,
    settings: TrainSettings,
    recipe: Recipe,
    dataset: Dataset,
    fitted: FitResult,
    gate: Gate,
    folder: str,
) -> TrainResult:
    """Write a model folder for a trained network."""
    calibration = calibrate(fitted.model, dataset)
    quantized_by = dataset.train.pixels if settings.quantize else None
    exported = write_formats(storage, fitted.model, folder, quantized_by=quantized_by)
    said = compare(fitted.model, exported.predictors, dataset.test.pixels)
    # Judged as the scorer will run it.
    probabilities, scorer = said.exports[exported.scorer], exported.predictors[exported.scorer]
    test = evaluate(probabilities, dataset.test.labels)
    validation = evaluate(scorer.predict(dataset.validation.pixels), dataset.validation.labels)
    verdict = gate.judge(probabilities, dataset.test.pixels, dataset.test.labels)
    card = {
        **identity(
            f"{recipe.arch}-{recipe.name}",
            recipe.name,
            network.architecture(recipe.hidden, recipe.arch),
            fitted.model.count_params(),
        ),
        "data": provenance(dataset, settings.read, seed=settings.seed, validation_share=settings.validation_share),
        "training": {**asdict(recipe), "kept_epoch": fitted.kept_epoch},
        "seeds": dict.fromkeys(("split", "weights", "shuffle", "deformations"), settings.seed),
        **results(validation, test, fitted.history),
        "export": export_section(said, exported.signatures, dataset.test.labels),
        "calibration": calibration.to_json(),
        "gate": verdict.to_json(),
    }
    _record(storage, folder, fitted, recipe)
    rows = golden_rows(dataset.test.labels)
    digest = write_card(storage, folder, card, Golden(dataset.test.pixels[rows], said.original[rows]))
    _describe(storage, folder, card, digest, test, probabilities, dataset.test)
    if not verdict.is_blessed:
        mark(storage, folder, verdict.shortfalls)
    return TrainResult(folder, test, validation, verdict, card)
