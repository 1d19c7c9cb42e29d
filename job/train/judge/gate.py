"""The gate: whether a trained model is good enough to be scored with.

A model that falls short is saved all the same, to be looked at, but marked; `score` refuses it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from job.contract import Labels, Pixels, Probabilities
from job.model.bundle import Bundle, Predictor, open_bundle, predictor_of
from job.report.mcnemar import SIGNIFICANCE, p_value_that_better
from job.storage import Storage


@dataclass(frozen=True)
class Verdict:
    """What the gate says. shortfalls: why not, in words; empty if the model may be used, or nothing was asked of it.

    min_accuracy: what was asked of the accuracy on the test split, in 0-1. comparison: with another model, if asked.
    """

    shortfalls: tuple[str, ...]
    min_accuracy: float | None = None
    comparison: "ModelComparison | None" = None

    @property
    def is_blessed(self) -> bool:
        """Whether the model may be used."""
        return not self.shortfalls

    def to_json(self) -> dict[str, Any]:
        """For the model's card."""
        was_asked = self.min_accuracy is not None or self.comparison is not None
        blessed = "blessed" if was_asked else "not_gated"
        return {
            "verdict": blessed if self.is_blessed else "not_blessed",
            "shortfalls": list(self.shortfalls),
            "min_accuracy": self.min_accuracy,
            "compared_to": self.comparison.to_json() if self.comparison else None,
        }


@dataclass(frozen=True)
class ModelComparison:
    """Two models on the same images. only_other: images that only the other named right; only_this: likewise.

    p_value: how likely so many, or more, of the images on which they differ would fall to the other if the two were
    equally good.
    """

    path: str
    digest: str
    accuracy: float
    only_other: int
    only_this: int
    p_value: float

    @property
    def is_worse(self) -> bool:
        """Whether this model is significantly worse than the other."""
        return self.p_value < SIGNIFICANCE

    def to_json(self) -> dict[str, Any]:
        """For the model's card."""
        return asdict(self)


class Gate:
    """What is asked of a model, ready to be put to one."""

    def __init__(self, storage: Storage, min_accuracy: float | None, compare_to: str | None) -> None:
        """min_accuracy: on the test split, in 0-1. compare_to: a model folder. Raises ModelInvalid, before any work."""
        self._min_accuracy = min_accuracy
        self._other: tuple[Bundle, Predictor] | None = None
        if compare_to is not None:
            bundle = open_bundle(storage, compare_to)
            predictor = predictor_of(bundle)
            bundle.check(predictor)
            self._other = bundle, predictor

    def judge(self, probabilities: Probabilities, pixels: Pixels, labels: Labels) -> Verdict:
        """The verdict on a model that gives float32 (n, 10) for the test split, uint8 (n, 784) and int8 (n,)."""
        is_right = probabilities.argmax(axis=1) == labels
        comparison = self._comparison(is_right, pixels, labels)
        shortfalls = _shortfalls(float(is_right.mean()), self._min_accuracy, comparison)
        return Verdict(tuple(shortfalls), self._min_accuracy, comparison)

    def _comparison(self, is_right: npt.NDArray[np.bool_], pixels: Pixels, labels: Labels) -> ModelComparison | None:
        if self._other is None:
            return None
        bundle, predictor = self._other
        is_other_right = predictor.predict(pixels).argmax(axis=1) == labels
        only_other, only_this = int((is_other_right & ~is_right).sum()), int((is_right & ~is_other_right).sum())
        accuracy = float(is_other_right.mean())
        p_value = p_value_that_better(only_other, only_this)
        return ModelComparison(bundle.path, bundle.digest, accuracy, only_other, only_this, p_value)


def _shortfalls(accuracy: float, min_accuracy: float | None, comparison: ModelComparison | None) -> list[str]:
    shortfalls = []
    if min_accuracy is not None and not accuracy >= min_accuracy:
        shortfalls.append(f"its accuracy is {100 * accuracy:.2f} %, below the {100 * min_accuracy:g} % asked for")
    if comparison is not None and comparison.is_worse:
        shortfalls.append(
            f"it is significantly worse than {comparison.path}: of the images on which they differ, the other is right "
            f"on {comparison.only_other} and this one on {comparison.only_this} (p = {comparison.p_value:.2g})"
        )
    return shortfalls
