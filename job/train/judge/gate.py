"""The gate: decides whether a trained model is good enough to score with.

A model that fails the gate is still saved, for inspection, but marked as not blessed; `score` refuses it.
"""

from dataclasses import asdict, dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from job.contract import Labels, Pixels, Probabilities
from job.documents.model_json import GateComparison, GateSection
from job.model.bundle import Bundle, Predictor, open_bundle, predictor_of
from job.report.mcnemar import SIGNIFICANCE, p_text, p_value_that_better
from job.storage import Storage


@dataclass(frozen=True)
class ModelComparison:
    """A new model beside another one on the same images.

    path, digest, accuracy: of the other model. only_other, only_this: images that only the other, or only the new
    model, classifies correctly. p_value: probability of a split at least this much in favour of the other model if both
    were equally good (McNemar's test).
    """

    path: str
    digest: str
    accuracy: float
    only_other: int
    only_this: int
    p_value: float

    @property
    def is_worse(self) -> bool:
        """Whether the new model is significantly worse than the other one."""
        return self.p_value < SIGNIFICANCE

    def to_json(self) -> GateComparison:
        """For the model's card."""
        return cast("GateComparison", asdict(self))


@dataclass(frozen=True)
class Verdict:
    """The gate's decision.

    shortfalls: the requirements that the model fails, in words; empty if it passes or nothing was required.
    min_accuracy: required accuracy on the test split, in 0-1. comparison: with another model, if one was required.
    """

    shortfalls: tuple[str, ...]
    min_accuracy: float | None = None
    comparison: ModelComparison | None = None

    @property
    def is_blessed(self) -> bool:
        """Whether the model may be used."""
        return not self.shortfalls

    def to_json(self) -> GateSection:
        """The model card's section `gate`."""
        has_requirements = self.min_accuracy is not None or self.comparison is not None
        passed: Literal["blessed", "not_gated"] = "blessed" if has_requirements else "not_gated"
        return {
            "verdict": passed if self.is_blessed else "not_blessed",
            "shortfalls": list(self.shortfalls),
            "min_accuracy": self.min_accuracy,
            "compared_to": self.comparison.to_json() if self.comparison else None,
        }


class Gate:
    """The requirements for a model."""

    def __init__(self, storage: Storage, min_accuracy: float | None, compare_to: str | None) -> None:
        """min_accuracy: on the test split, in 0-1. compare_to: a model folder, opened here.

        Raises ModelInvalid where that model cannot be used.
        """
        self._min_accuracy = min_accuracy
        self._other: tuple[Bundle, Predictor] | None = None
        if compare_to is not None:
            bundle = open_bundle(storage, compare_to)
            predictor = predictor_of(bundle, storage.check_stop)
            bundle.check(predictor)
            self._other = bundle, predictor

    def judge(self, probabilities: Probabilities, pixels: Pixels, labels: Labels) -> Verdict:
        """The verdict on a model by its float32 (n, 10) for the test split, uint8 (n, 784) and int8 (n,)."""
        is_correct = probabilities.argmax(axis=1) == labels
        comparison = self._comparison(is_correct, pixels, labels)
        shortfalls = _shortfalls(float(is_correct.mean()), self._min_accuracy, comparison)
        return Verdict(tuple(shortfalls), self._min_accuracy, comparison)

    def _comparison(self, is_correct: npt.NDArray[np.bool_], pixels: Pixels, labels: Labels) -> ModelComparison | None:
        if self._other is None:
            return None
        bundle, predictor = self._other
        is_other_correct = predictor.predict(pixels).argmax(axis=1) == labels
        only_other, only_this = int((is_other_correct & ~is_correct).sum()), int((is_correct & ~is_other_correct).sum())
        accuracy = float(is_other_correct.mean())
        p_value = p_value_that_better(only_other, only_this)
        return ModelComparison(bundle.path, bundle.digest, accuracy, only_other, only_this, p_value)


def _shortfalls(accuracy: float, min_accuracy: float | None, comparison: ModelComparison | None) -> list[str]:
    shortfalls = []
    if min_accuracy is not None and not accuracy >= min_accuracy:
        shortfalls.append(f"its accuracy is {100 * accuracy:.2f} %, below the required {100 * min_accuracy:g} %")
    if comparison is not None and comparison.is_worse:
        shortfalls.append(
            f"it is significantly worse than {comparison.path}: {comparison.only_other} images are classified "
            f"correctly by the other model alone, {comparison.only_this} by this one alone "
            f"({p_text(comparison.p_value)})"
        )
    return shortfalls
