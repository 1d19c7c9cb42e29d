"""A trained network -> its model folder: exports, curves, history, the card, MODEL.md and the training page.

`training` trains the network and moves the folder into place.
"""

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final, cast

from job.contract import Probabilities
from job.documents.model_json import EpochFigures, TrainedCard, TrainingSettings
from job.errors import ModelFellShort
from job.model.bundle import CURVES_NAME, HISTORY_NAME, Golden, mark, write_card
from job.report.notebook import framed
from job.report.warning_list import outcome
from job.storage import Storage, join, storage_at
from job.train.card.curves import curves_png
from job.train.card.mistakes import ClassifiedImages, mistakes_png
from job.train.card.model_card import model_card
from job.train.card.sections import export_section, golden_rows, held_out_section, identity, provenance
from job.train.card.training_page import training_page
from job.train.data.dataset import Dataset
from job.train.data.split import Split
from job.train.export.formats import write_files, write_formats
from job.train.fit import network
from job.train.fit.checkpoint import history_csv
from job.train.fit.loop import FitResult
from job.train.fit.recipe import Recipe
from job.train.judge.calibrate import calibrate
from job.train.judge.evaluate import Evaluation, evaluate
from job.train.judge.gate import Gate, Verdict
from job.train.judge.parity import compare
from job.train.judge.robustness import RobustnessPlan, robustness
from job.train.phases import Phase, Phases
from job.train.place import MISTAKES_NAME, MODEL_CARD_NAME, REPORT_NAME
from job.train.train_settings import TrainSettings

# Of the test images, so that a training does not take noticeably longer; `evaluate` takes more.
_MAX_CORRUPTED: Final = 2_000


@dataclass(frozen=True)
class TrainedNetwork:
    """A network after training, with the settings, the recipe and the data that it was trained by."""

    settings: TrainSettings
    recipe: Recipe
    dataset: Dataset
    fitted: FitResult


@dataclass(frozen=True)
class TrainResult:
    """A written model folder and its model's results. card: the content of `model.json` without golden rows.

    path: where the folder is. A model that failed its gate lies beside an older one that passed. digest: the model's.
    size_bytes: of all files of the folder.
    """

    path: str
    digest: str
    size_bytes: int
    test: Evaluation
    validation: Evaluation
    verdict: Verdict
    card: TrainedCard = field(repr=False)

    def _repr_html_(self) -> str | None:
        """The page of the training, for a notebook; None if the folder is gone, so that the notebook shows text."""
        storage = storage_at(self.path)
        page = join(self.path, REPORT_NAME)
        if storage.stat(page) is None:
            return None
        return framed(storage.read(page).decode(errors="replace"), f"Training report of {self.path}")

    def summary(self) -> dict[str, Any]:
        """The fields of the log's last event that say what came of the training."""
        card, warnings = self.card, int(self.card["data"]["warning"] is not None)
        return {
            "outcome": outcome(warnings),
            "warnings": warnings,
            "model": self.path,
            "digest": self.digest,
            "bytes": self.size_bytes,
            "recipe": card["recipe"],
            "arch": card["training"]["arch"],
            "epochs": len(card["history"]),
            "kept_epoch": card["training"]["kept_epoch"],
            "accuracy": self.test.accuracy,
            "test_images": self.test.rows,
            "validation_accuracy": self.validation.accuracy,
            "validation_images": self.validation.rows,
            "train_images": card["data"]["train_rows"],
            "verdict": card["gate"]["verdict"],
            "shortfalls": card["gate"]["shortfalls"],
        }

    def check_blessed(self) -> None:
        """Raise ModelFellShort if the model did not pass its quality gate."""
        if not self.verdict.is_blessed:
            raise ModelFellShort(f"{self.path}: the model is not blessed: {'; '.join(self.verdict.shortfalls)}")


def phases_of_folder(settings: TrainSettings) -> list[Phase]:
    """The phases of `write_model_folder`, each as often as it comes for a dense network."""
    quantizing = [Phase.QUANTIZING, Phase.COMPARING] if settings.quantize else []
    exporting = [Phase.EXPORTING, Phase.EXPORTING, Phase.EXPORTING, Phase.LOADING, *[Phase.COMPARING] * 4]
    return [Phase.CALIBRATING, *exporting, *quantizing, Phase.EVALUATING, Phase.CORRUPTING, Phase.WRITING]


def write_model_folder(
    storage: Storage, folder: str, trained: TrainedNetwork, gate: Gate, phases: Phases
) -> TrainResult:
    """Calibrate, export and evaluate a network, and write all of its files into `folder`.

    The network is evaluated as the scorer will run it. Raises ModelInvalid where an export gives other answers.
    """
    settings, recipe, dataset, model = trained.settings, trained.recipe, trained.dataset, trained.fitted.model
    with phases.during(Phase.CALIBRATING):
        calibration = calibrate(model, dataset)
    quantized_by = dataset.train.pixels if settings.quantize else None
    exported = write_formats(storage, model, folder, phases, quantized_by=quantized_by)
    with phases.during(Phase.LOADING, "exports"):
        predictors = exported.predictors
    agreement = compare(model, predictors, dataset.test.pixels, during=partial(phases.during, Phase.COMPARING))
    with phases.during(Phase.EVALUATING):
        probabilities, scorer = agreement.exports[exported.scorer], predictors[exported.scorer]
        test = evaluate(probabilities, dataset.test.labels)
        on_validation = scorer.predict(dataset.validation.pixels)
        validation = evaluate(on_validation, dataset.validation.labels)
        verdict = gate.judge(probabilities, dataset.test.pixels, dataset.test.labels)
    with phases.during(Phase.CORRUPTING):
        data = provenance(dataset, settings.data.read, seed=settings.seed)
        plan = RobustnessPlan(settings.seed, _MAX_CORRUPTED, dataset.name, data["in_form"])
        measured = robustness(scorer.predict, dataset.test, probabilities, plan)
    card: TrainedCard = {
        **identity(
            f"{recipe.arch}-{recipe.name}",
            recipe.name,
            network.architecture(recipe.hidden, recipe.arch),
            model.count_params(),
        ),
        "data": data,
        "training": cast("TrainingSettings", {**asdict(recipe), "kept_epoch": trained.fitted.kept_epoch}),
        "seeds": dict.fromkeys(("split", "weights", "shuffle", "deformations"), settings.seed),
        "metrics": {"validation": validation.figures, "test": test.figures},
        "history": [cast("EpochFigures", asdict(epoch)) for epoch in trained.fitted.history],
        "export": export_section(agreement, exported.signatures, dataset.test.labels),
        "calibration": calibration.to_json(),
        "held_out": held_out_section(on_validation, dataset.validation),
        "gate": verdict.to_json(),
        "robustness": measured,
    }
    with phases.during(Phase.WRITING):
        write_files(storage, folder, _history_files(trained))
        rows = golden_rows(dataset.test.labels)
        digest = write_card(storage, folder, card, Golden(dataset.test.pixels[rows], agreement.original[rows]))
        write_files(storage, folder, _files_for_people(card, digest, test, probabilities, dataset.test))
        if not verdict.is_blessed:
            mark(storage, folder, verdict.shortfalls)
    return TrainResult(folder, digest, size_of_folder(storage, folder), test, validation, verdict, card)


def size_of_folder(storage: Storage, folder: str) -> int:
    """The bytes of all files in a model folder."""
    return sum(file.size for name in storage.list(folder) if (file := storage.stat(join(folder, name))))


def _history_files(trained: TrainedNetwork) -> dict[str, bytes]:
    history, is_augmented = trained.fitted.history, trained.recipe.deformations is not None
    return {
        HISTORY_NAME: history_csv(history),
        CURVES_NAME: curves_png(history, trained.fitted.kept_epoch, is_augmented=is_augmented),
    }


def _files_for_people(
    card: TrainedCard, digest: str, test: Evaluation, probabilities: Probabilities, images: Split
) -> dict[str, bytes]:
    """MODEL.md, the training page, and a picture of mistakes if there are any. images: the test split."""
    mistakes = ClassifiedImages(probabilities, images.labels).surest_mistakes
    page = training_page(card, digest, probabilities, images)
    files = {
        MODEL_CARD_NAME: model_card(card, test, mistakes).encode(),
        # The path of the data may hold bytes that are not UTF-8.
        REPORT_NAME: page.encode(errors="backslashreplace"),
    }
    if mistakes:
        files[MISTAKES_NAME] = mistakes_png(images.pixels[[each.row for each in mistakes]])
    return files
