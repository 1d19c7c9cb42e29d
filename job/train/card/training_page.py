"""report.html in the model folder: what came out of a training, for the eye. `model.json` says it to programs.

Of the same family as a scoring run's page, with the same parts. See `job.report.page`.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any, Final

import numpy as np

from job.contract import CLASS_NAMES, Probabilities, ScoredBatch
from job.flag_names import Flag
from job.model.bundle import INT8_NAME
from job.report.findings import Finding
from job.report.metrics import calibration, figures
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
from job.train.card.model_card import Mistake, confused_pairs, surest_mistakes
from job.train.data.split import Split

REPORT_NAME: Final = "report.html"
_MOST_UNSURE: Final = 24
_EXAMPLES_OF_PAIR: Final = 4
# The settings of a recipe that a flag of the same name makes.
_FLAGS: Final = (
    "arch", "hidden", "activation", "dropout", "epochs", "batch_size", "optimizer", "learning_rate", "weight_decay",
    "early_stopping", "class_weights",
)  # fmt: skip


def training_report(card: dict[str, Any], digest: str, probabilities: Probabilities, test: Split) -> str:
    """The page for the content of a `model.json`, and what the saved network says of the test split.

    probabilities: float32 (n, 10) for its n > 0 images. digest: the model's.
    """
    tally = Tally.of(_batch(probabilities, test))
    found = findings(card)
    template = environment().from_string(
        resources.files("job.train.card").joinpath("report.html.jinja").read_text(encoding="utf-8")
    )
    return template.render(
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
        mistakes=_pictures(surest_mistakes(probabilities, test.labels), test),
        unsure=_pictures(_least_sure(probabilities, test), test),
        pairs=list(_pairs(tally, probabilities, test)),
        seconds=sum(each["seconds"] for each in card["history"]),
        command=command(card),
    )


def _batch(probabilities: Probabilities, split: Split) -> ScoredBatch:
    return ScoredBatch(probabilities.argmax(axis=1).astype(np.int8), probabilities, split.labels, (), None)


def _verdict(card: dict[str, Any], found: Sequence[Finding]) -> str:
    """What came out, in one line."""
    test, open_ones = card["metrics"]["test"], sum(not each.is_fine for each in found)
    rest = f"{many(open_ones, 'thing')} to look into" if open_ones else "nothing odd was seen"
    return f"{percent(test['accuracy'])} of {many(test['rows'], 'test image')} were named right; {rest}."


def findings(card: dict[str, Any]) -> list[Finding]:
    """All that was looked at, what there is to look into first."""
    gate, measured = card["gate"], card["calibration"]
    found = [Finding("happened", f"Not blessed: {each}") for each in gate["shortfalls"]]
    if gate["verdict"] == "blessed":
        found.append(Finding("happened", "As good as was asked of it", is_fine=True))
    if card["data"]["warning"]:
        found.append(Finding("happened", "Trained on a stand-in"))
    if (
        measured["test_after"] > measured["test_before"]
        and measured["validation_after"] > measured["validation_before"]
    ):
        found.append(Finding("confidence", "Its confidences are further off than before scaling"))
    exports = card["export"].values()
    found += [
        Finding("confidence", f"Confidences off by {percent(measured['test_after'])} in the mean", is_fine=True),
        Finding("exports", f"{many(len(exports), 'export')} agree with the Keras network", is_fine=True),
    ]
    return sorted(found, key=lambda each: each.is_fine)


def _uncalibrated(card: dict[str, Any], probabilities: Probabilities, test: Split) -> Tally:
    """The test split's tally as it was before the temperature: a probability is to its power again, of sum 1."""
    before = probabilities.astype(np.float64) ** card["calibration"]["temperature"]
    return Tally.of(_batch((before / before.sum(axis=1, keepdims=True)).astype(np.float32), test))


def _plots(card: dict[str, Any], tally: Tally, before: Tally) -> dict[str, str]:
    history, kept = card["history"], card["training"]["kept_epoch"]
    found, bins = figures(tally), calibration(tally)["bins"]
    wrong = [round(each["count"] * (1 - each["accuracy"])) if each["count"] else 0 for each in bins]
    counts = card["data"]["train_class_counts"]
    return {
        "interval": interval_strip(found["accuracy"], found["accuracy_95"], None),
        "calibration": calibration_plot("calibration-plot", {"before": calibration(before)["bins"], "after": bins}),
        "confidence": confidence_plot("confidence-plot", found["confidence_histogram"], wrong),
        "loss": curves_plot(
            "loss-plot",
            "cross-entropy",
            {
                "training": [each["loss"] for each in history],
                "validation": [each["validation_loss"] for each in history],
            },
            kept,
        ),
        "errors": curves_plot(
            "errors-plot",
            "named wrong, %",
            {
                "training": [100 * (1 - each["accuracy"]) for each in history],
                "validation": [100 * (1 - each["validation_accuracy"]) for each in history],
            },
            kept,
        ),
        "classes": paired_bars(
            "classes-plot",
            "Training images by digit",
            CLASS_NAMES,
            [each / sum(counts) for each in counts],
            None,
            "digit",
        ),
    }


def _pictures(chosen: Sequence[Mistake], test: Split) -> list[dict[str, Any]]:
    return [{**asdict(each), "path": None, "pixels": test.pixels[each.row].tobytes()} for each in chosen]


def _least_sure(probabilities: Probabilities, test: Split) -> list[Mistake]:
    """The answers that were given least surely, right or wrong."""
    confidences, predictions = probabilities.max(axis=1), probabilities.argmax(axis=1)
    rows = np.argsort(confidences, kind="stable")[:_MOST_UNSURE]
    return [Mistake(int(row), int(test.labels[row]), int(predictions[row]), float(confidences[row])) for row in rows]


def _pairs(tally: Tally, probabilities: Probabilities, test: Split) -> Iterator[dict[str, Any]]:
    """The most confused pairs, each with its surest examples."""
    predictions, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for count, label, prediction in confused_pairs(tally.confusion.tolist()):
        rows = np.flatnonzero((test.labels == label) & (predictions == prediction))
        surest = rows[np.argsort(-confidences[rows], kind="stable")][:_EXAMPLES_OF_PAIR]
        chosen = [Mistake(int(row), label, prediction, float(confidences[row])) for row in surest]
        yield {"label": label, "prediction": prediction, "count": count, "examples": _pictures(chosen, test)}


def command(card: dict[str, Any]) -> str:
    """The line that trains the same network, where the data is still the same, its versions and its processor."""
    used, data = card["training"], card["data"]
    words = ["digit-job", "train", Flag.DATA, data["source"], Flag.RECIPE, used["name"]]
    for name in _FLAGS:
        value = ",".join(map(str, used[name])) if name == "hidden" else used[name]
        if value not in {None, "", 0.0}:
            words += [f"--{name.replace('_', '-')}", str(value)]
    words.append(Flag.AUGMENT if used["deformations"] else Flag.NO_AUGMENT)
    words += [Flag.VALIDATION_SPLIT, str(data["validation_share"]), Flag.SEED, str(data["seed"])]
    words += [Flag.SCALE, data["scale"]] if data["scale"] != "auto" else []
    words += [Flag.LABEL_COLUMN, data["label_column"]] if data["label_column"] else []
    words += [Flag.TRANSPOSE] if data["is_transposed"] else []
    words += [Flag.QUANTIZE, "int8"] if INT8_NAME in card["export"] else []
    return shlex.join(words)
