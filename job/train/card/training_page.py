"""report.html in the model folder: the results of a training as a page. `model.json` holds them for programs.

It shares layout and parts with a scoring run's page, see `job.report.page`.
"""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from job.contract import CLASS_NAMES, Probabilities
from job.documents.model_json import TrainedCard
from job.flag_names import Flag
from job.log import visible_lines
from job.model.bundle import INT8_NAME
from job.report.findings import Finding, summarize
from job.report.metrics import calibration, confused_pairs, figures
from job.report.plots import (
    RIGHT_BOUNDS,
    WRONG_BOUNDS,
    calibration_plot,
    confidence_plot,
    curves_plot,
    heat_map,
    interval_strip,
    paired_bars,
)
from job.report.tally import Tally
from job.report.template import environment
from job.report.words import many, percent
from job.train.card.mistakes import ClassifiedImage, ClassifiedImages
from job.train.data.split import Split
from job.train.judge.calibrate import tally_of
from job.train.judge.corruptions.catalog import corrupted

# The settings of a recipe that have a flag of the same name, in the order of the command.
_RECIPE_FLAGS: Final = (
    "arch", "hidden", "activation", "dropout", "epochs", "batch_size", "optimizer", "learning_rate", "weight_decay",
    "early_stopping", "class_weights",
)  # fmt: skip


def training_page(card: TrainedCard, digest: str, probabilities: Probabilities, test: Split) -> str:
    """The page for the content of a `model.json`.

    digest: the model's. probabilities: float32 (n, 10), the saved network's answers for the n > 0 images of the test
    split.
    """
    tally = tally_of(probabilities, test.labels)
    images = ClassifiedImages(probabilities, test.labels)
    found = findings(card)
    template = environment().from_string(
        resources.files("job.train.card").joinpath("training_page.html.jinja").read_text(encoding="utf-8")
    )
    page = template.render(
        card=card,
        digest=digest,
        classes=CLASS_NAMES,
        verdict=_verdict(card, found),
        findings=found,
        test=figures(tally),
        heat=heat_map(tally.confusion.tolist()),
        right_bounds=RIGHT_BOUNDS,
        wrong_bounds=WRONG_BOUNDS,
        plots=_plots(card, tally, _uncalibrated(card, probabilities, test)),
        digits=[
            {"prediction": digit, "examples": _gallery(examples, test)}
            for digit, examples in images.by_prediction.items()
        ],
        mistakes=_gallery(images.surest_mistakes, test),
        unsure=_gallery(images.least_sure, test),
        pairs=[
            {**asdict(pair), "examples": _gallery(images.examples_of(pair), test)}
            for pair in confused_pairs(tally.confusion)
        ],
        robust=card.get("robustness"),
        corruptions=_corruptions(card, test),
        seconds=sum(each["seconds"] for each in card["history"]),
        command=train_command(card),
    )
    return visible_lines(page)


def findings(card: TrainedCard) -> list[Finding]:
    """The findings about a model, those that need attention first."""
    gate, measured = card["gate"], card["calibration"]
    found = [Finding("summary", f"Not blessed: {each}") for each in gate["shortfalls"]]
    if gate["verdict"] == "blessed":
        found.append(Finding("summary", "Passed its gate", is_fine=True))
    if card["data"]["warning"]:
        found.append(Finding("summary", "Trained on substitute data"))
    if (
        measured["test_after"] > measured["test_before"]
        and measured["validation_after"] > measured["validation_before"]
    ):
        found.append(Finding("confidence", "Scaling has increased the calibration error"))
    exports = card["export"].values()
    found += [
        Finding("confidence", f"Calibration error {percent(measured['test_after'])}", is_fine=True),
        Finding("exports", f"{many(len(exports), 'export')} agree with the Keras network", is_fine=True),
    ]
    return sorted(found, key=lambda each: each.is_fine)


def train_command(card: TrainedCard) -> str:
    """The command that trains the same network again, given the same data, versions and processor."""
    training, data = card["training"], card["data"]
    words = ["digit-job", "train"]
    for flag, sources in ((Flag.DATA, data["sources"]), (Flag.TEST_DATA, data["test_sources"])):
        words += [word for each in sources for word in (flag, each)]
    if added := data.get("added"):
        words += [word for each in added["sources"] for word in (Flag.ADD, each["source"])]
        words += [Flag.ADD_WEIGHT, str(added["weight"])]
    words += [Flag.RECIPE, training["name"]]
    for name in _RECIPE_FLAGS:
        value = ",".join(map(str, training["hidden"])) if name == "hidden" else training[name]
        if value not in {None, "", 0.0}:
            words += [Flag[name.upper()], str(value)]
    words.append(Flag.AUGMENT if training["deformations"] else Flag.NO_AUGMENT)
    # A share that nothing is held out by would be refused.
    for flag, share in ((Flag.TEST_SPLIT, data["test_share"]), (Flag.VALIDATION_SPLIT, data["validation_share"])):
        words += [flag, str(share)] if share is not None else []
    words += [Flag.SEED, str(data["seed"])]
    words += [Flag.SCALE, data["scale"]] if data["scale"] != "auto" else []
    words += [Flag.LABEL_COLUMN, data["label_column"]] if data["label_column"] else []
    words += [Flag.TRANSPOSE] if data["is_transposed"] else []
    words += [Flag.INVERT] if data.get("is_inverted") else []
    words += [Flag.NORMALIZE, data["normalize"]] if data.get("normalize", "auto") != "auto" else []
    words += [Flag.QUANTIZE, "int8"] if INT8_NAME in card["export"] else []
    return shlex.join(words)


def _verdict(card: TrainedCard, found: list[Finding]) -> str:
    """The result in one line."""
    test = card["metrics"]["test"]
    images = many(test["rows"], "test image")
    return f"{percent(test['accuracy'])} of {images} classified correctly; {summarize(found)}."


def _uncalibrated(card: TrainedCard, probabilities: Probabilities, test: Split) -> Tally:
    """The test split's tally before temperature scaling, which raising probabilities to the temperature undoes."""
    before = probabilities.astype(np.float64) ** card["calibration"]["temperature"]
    return tally_of((before / before.sum(axis=1, keepdims=True)).astype(np.float32), test.labels)


def _plots(card: TrainedCard, tally: Tally, before: Tally) -> dict[str, Markup]:
    """The drawings, by name. before: the tally before temperature scaling."""
    test, bins = figures(tally), calibration(tally)["bins"]
    wrong = [round(each["count"] * (1 - (each["accuracy"] or 0))) for each in bins]
    counts = card["data"]["train_class_counts"]
    shares = [each / sum(counts) for each in counts]
    return {
        "interval": interval_strip(test["accuracy"] or 0, test["accuracy_95"] or [0, 1], None),
        "calibration": calibration_plot("calibration-plot", {"before": calibration(before)["bins"], "after": bins}),
        "confidence": confidence_plot("confidence-plot", test["confidence_histogram"], wrong),
        "classes": paired_bars("classes-plot", "Training images by digit", CLASS_NAMES, shares, None, "digit"),
        **_learning_curves(card),
    }


def _learning_curves(card: TrainedCard) -> dict[str, Markup]:
    history, kept = card["history"], card["training"]["kept_epoch"]
    losses = {
        "training": [each["loss"] for each in history],
        "validation": [each["validation_loss"] for each in history],
    }
    errors = {
        "training": [100 * (1 - each["accuracy"]) for each in history],
        "validation": [100 * (1 - each["validation_accuracy"]) for each in history],
    }
    return {
        "loss": curves_plot("loss-plot", "cross-entropy", losses, kept),
        "errors": curves_plot("errors-plot", "misclassified, %", errors, kept),
    }


def _corruptions(card: TrainedCard, test: Split) -> list[dict[str, Any]]:
    """What each corruption looks like, on another test image each time, with its figures."""
    measured = card.get("robustness")
    found = []
    for place, (name, each) in enumerate(measured["corruptions"].items() if measured else ()):
        row = place % len(test)
        pixels = corrupted(test.pixels[: row + 1], name, card["data"]["seed"])[row].tobytes()
        found.append({**each, "name": name.replace("_", " "), "pixels": pixels, "label": test.labels[row]})
    return found


def _gallery(images: Sequence[ClassifiedImage], test: Split) -> list[dict[str, Any]]:
    """The images as the template's galleries take them."""
    return [{**asdict(each), "path": None, "pixels": test.pixels[each.row].tobytes()} for each in images]
