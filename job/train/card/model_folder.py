"""A trained network -> its model folder: the exports, the card, MODEL.md, the page."""

from dataclasses import asdict, dataclass
from typing import Any

from job.contract import Probabilities
from job.errors import ModelFellShort
from job.model.bundle import CURVES_NAME, HISTORY_NAME, Golden, mark, write_card
from job.storage import Storage, join
from job.train.card.curves import curves
from job.train.card.model_card import CARD_TEXT_NAME, PICTURE_NAME, model_card, picture, surest_mistakes
from job.train.card.sections import export_section, golden_rows, identity, provenance, results
from job.train.card.training_page import REPORT_NAME, training_report
from job.train.data.dataset import Dataset
from job.train.data.split import Split
from job.train.export.formats import write_formats
from job.train.fit import network
from job.train.fit.checkpoint import history_csv
from job.train.fit.loop import FitResult
from job.train.fit.recipe import Recipe
from job.train.judge.calibrate import calibrate
from job.train.judge.evaluate import Evaluation, evaluate
from job.train.judge.gate import Gate, Verdict
from job.train.judge.parity import compare
from job.train.train_settings import TrainSettings


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

    def check_blessed(self) -> None:
        """Raise ModelFellShort if the model did not pass its quality gate."""
        if not self.verdict.is_blessed:
            raise ModelFellShort(f"{self.path}: the model is not blessed: {'; '.join(self.verdict.shortfalls)}")


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
    for name, content in ((HISTORY_NAME, history_csv(fitted.history)), (CURVES_NAME, drawn)):
        with storage.commit(join(folder, name)) as file:
            file.write(content)


def save_model(  # noqa: PLR0913, PLR0917  # all that the card tells of
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
