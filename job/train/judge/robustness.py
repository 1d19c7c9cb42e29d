"""Measures how a network does on images unlike those that it was trained on: the robustness card.

Test images with the fifteen corruptions of `corruptions`, scikit-learn's digits, and the accuracy by writer where
writers are known. Nothing here decides anything: it is for the people who decide whether to use a model.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from job.contract import Pixels, Probabilities
from job.documents.robustness_json import JudgedImages, Robustness
from job.normalize.decision import decide, expects_form
from job.report.words import many
from job.settings import NormalizeChoice, ReadSettings
from job.train.data.optdigits import optdigits
from job.train.data.split import Split
from job.train.judge.corruptions.catalog import CORRUPTIONS, corrupted
from job.train.judge.groups import figures_by_group

# Fewer images than this leave each figure uncertain by more than 4 points either way.
_FEW_IMAGES: Final = 500
# What the card's data is called when scikit-learn's digits are part of it.
_OPTDIGITS: Final = "digits"

Predict = Callable[[Pixels], Probabilities]


@dataclass(frozen=True)
class RobustnessPlan:
    """What is measured. seed: of the corruptions. max_corrupted: of how many test images, drawn by the seed, at most.

    trained_on: the names of the training data. in_form: the share of training images in MNIST's form; None: unknown.
    normalize: the scorer's choice. group_name: what the groups of test images are, if they have some.
    """

    seed: int
    max_corrupted: int
    trained_on: str
    in_form: float | None = None
    normalize: NormalizeChoice = "auto"
    group_name: str = "writer"

    @property
    def normalizing(self) -> NormalizeChoice:
        """How the scorer brings files to MNIST's form for this network."""
        return "none" if self.normalize == "auto" and not expects_form(self.in_form) else self.normalize


def robustness(
    predict: Predict,
    test: Split,
    probabilities: Probabilities,
    plan: RobustnessPlan,
    during: Callable[[str], AbstractContextManager[None]] = lambda _name: nullcontext(),
) -> Robustness:
    """Measure a network on corrupted and foreign images, and by group.

    predict: the network, uint8 (n, 784) -> float32 (n, 10). test: n > 0 images. probabilities: the network's for them.
    during: called with the name of each corruption, for the time that it takes.
    """
    rows = drawn(len(test), plan.max_corrupted, plan.seed)
    images = test.rows(rows)
    by_corruption: dict[str, JudgedImages] = {}
    for name in CORRUPTIONS:
        with during(name):
            changed = replace(images, pixels=corrupted(images.pixels, name, plan.seed))
            by_corruption[name] = judged(predict, changed, plan.normalizing)
    clean = judged(predict, images, plan.normalizing)
    mean_error = _mean_error([each["accuracy"] for each in by_corruption.values()])
    is_correct = probabilities.argmax(axis=1) == test.labels
    is_trained_on = _OPTDIGITS in plan.trained_on.split(", ")
    return {
        "seed": plan.seed,
        "clean": clean,
        "corruptions": by_corruption,
        "mean_error": mean_error,
        "scored_mean_error": _mean_error([each["scored_accuracy"] for each in by_corruption.values()]),
        "relative_error": mean_error / (1 - clean["accuracy"]) if clean["correct"] < clean["rows"] else None,
        "optdigits": None if is_trained_on else judged(predict, optdigits().images, plan.normalizing),
        "groups": None if test.groups is None else figures_by_group(plan.group_name, test.groups, is_correct),
        "notes": _notes(len(test), len(images), is_trained_on=is_trained_on),
    }


def judged(predict: Predict, images: Split, normalizing: NormalizeChoice) -> JudgedImages:
    """Accuracy and mean confidence on n > 0 images, as they are, and as `score` takes a file of them.

    predict: as above. normalizing: whether the images are brought to MNIST's form, see `normalize.decision`.
    """
    stored = predict(images.pixels)
    form = decide(
        ReadSettings(normalize=normalizing), images.pixels, sureness=lambda pixels: confidence(predict(pixels))
    ).form
    scored = stored if form.is_as_stored else predict(form.apply(images.pixels))
    correct = int((stored.argmax(axis=1) == images.labels).sum())
    return {
        "accuracy": correct / len(images),
        "correct": correct,
        "rows": len(images),
        "confidence": confidence(stored),
        "form": str(form),
        "scored_accuracy": float((scored.argmax(axis=1) == images.labels).mean()),
        "scored_confidence": confidence(scored),
    }


def confidence(probabilities: Probabilities) -> float:
    """The mean highest probability of float32 (n, 10), n > 0, in 0-1."""
    # Float32 probabilities may exceed 1 by a rounding error.
    return min(1.0, float(probabilities.max(axis=1).mean(dtype=np.float64)))


def drawn(count: int, most: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Rows of `count`, in order: all of them, or `most` drawn at random."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def _mean_error(accuracies: Sequence[float]) -> float:
    return 1 - sum(accuracies) / len(accuracies)


def _notes(test_rows: int, corrupted_rows: int, *, is_trained_on: bool) -> list[str]:
    notes = []
    if corrupted_rows < test_rows:
        notes.append(f"{corrupted_rows:,} of {many(test_rows, 'test image')} were corrupted, drawn at random")
    if corrupted_rows < _FEW_IMAGES:
        notes.append(f"there are only {many(corrupted_rows, 'test image')}, so that all figures are rough")
    if is_trained_on:
        notes.append("the model was trained on scikit-learn's digits, which therefore say nothing about others")
    return notes
