"""The figures of report.json, computed from a tally.

Figures that need labels, or rows, are None where there are none. Names and definitions are scikit-learn's, which the
tests compare them with. `examples` selects the rows that illustrate these figures, `page` and the slides draw them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASS_NAMES, CLASSES, Reason
from job.documents.report_json import Averages, CalibrationBin, CalibrationFigures, ClassFigures, Figures
from job.report.confidence_bins import MILLION, RIGHT, TWENTIETHS, UNLABELLED, in_twentieths
from job.report.held_out import HeldOut
from job.report.risk_coverage import risk_coverage
from job.report.tally import Tally

# The 97.5 % quantile of the standard normal distribution.
_Z95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """A digit, the other digit that it was predicted as, and the number of such rows."""

    label: int
    prediction: int
    count: int


def figures(tally: Tally, *, is_withheld: bool = False) -> Figures:
    """Report.json's figures, by key. is_withheld: leave out what depends on the meaning of labels, but their counts."""
    judged = Tally.zero() if is_withheld else tally
    return {
        "rows": {"read": tally.read, "scored": tally.scored, "rejected": tally.rejected, "skipped": tally.skipped},
        "rejected_by_reason": _counts_of(tally, lambda reason: reason.is_fatal and not reason.is_skipped),
        "skipped_by_reason": _counts_of(tally, lambda reason: reason.is_skipped),
        "bad_labels": sum(count for reason, count in tally.by_reason.items() if not reason.is_fatal),
        "labelled": tally.labelled,
        "correct": judged.correct if judged.labelled else None,
        "accuracy": accuracy(judged),
        "accuracy_95": wilson_interval(judged.correct, judged.labelled),
        "classes": list(CLASS_NAMES),
        "confusion_matrix": tally.confusion.tolist() if tally.labelled else None,
        "per_class": per_class(judged) if judged.labelled else None,
        "averages": averages(judged) if judged.labelled else None,
        "macro_f1": macro_f1(judged),
        "log_loss": _ratio(judged.log_loss_sum, judged.labelled),
        "top2_accuracy": _ratio(judged.top2_correct, judged.labelled),
        "calibration": calibration(judged) if judged.labelled else None,
        "risk_coverage": risk_coverage(HeldOut.of(judged)),
        "confidence_histogram": in_twentieths(tally.confidence.sum(axis=1)).tolist(),
        "predicted_counts": tally.predicted.tolist(),
        "mean_confidence": _ratio(tally.confidence_sum, tally.scored),
    }


def _counts_of(tally: Tally, is_wanted: Callable[[Reason], bool]) -> dict[str, int]:
    return {reason.value: count for reason, count in tally.by_reason.items() if is_wanted(reason)}


def accuracy(tally: Tally) -> float | None:
    """The share of labelled rows that were classified correctly."""
    return _ratio(tally.correct, tally.labelled)


def wilson_interval(successes: int, trials: int, z: float = _Z95) -> list[float] | None:
    """The confidence interval of a proportion; None without trials. z: its normal quantile, by default for 95 %.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.
    """
    if not trials:
        return None
    share = successes / trials
    spread = z * (share * (1 - share) / trials + z**2 / (4 * trials**2)) ** 0.5
    centre, scale = share + z**2 / (2 * trials), 1 + z**2 / trials
    return [max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)]


def per_class(tally: Tally) -> dict[str, ClassFigures]:
    """Precision, recall, F1 and support by digit, 0 where undefined, as in scikit-learn's classification_report."""
    result: dict[str, ClassFigures] = {}
    for digit in range(CLASSES):
        hits = int(tally.confusion[digit, digit])
        support, predicted = int(tally.confusion[digit].sum()), int(tally.confusion[:, digit].sum())
        result[CLASS_NAMES[digit]] = {
            "precision": hits / predicted if predicted else 0.0,
            "recall": hits / support if support else 0.0,
            "f1": 2 * hits / (support + predicted) if support + predicted else 0.0,
            "support": support,
        }
    return result


def averages(tally: Tally) -> Averages:
    """Means over the digits that occur among labels or predictions, as in scikit-learn's classification_report.

    macro: unweighted. weighted: by support.
    """
    occurring = tally.confusion.sum(axis=0) + tally.confusion.sum(axis=1) > 0
    rows = [figures for figures, occurs in zip(per_class(tally).values(), occurring, strict=True) if occurs]

    def mean(values: list[float], weights: list[float]) -> float:
        return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)

    def means(weights: list[float]) -> ClassFigures:
        return {
            "precision": mean([each["precision"] for each in rows], weights),
            "recall": mean([each["recall"] for each in rows], weights),
            "f1": mean([each["f1"] for each in rows], weights),
            "support": tally.labelled,
        }

    return {"macro": means([1.0] * len(rows)), "weighted": means([each["support"] for each in rows])}


def confused_pairs(confusion: npt.ArrayLike, limit: int = 5) -> list[ConfusedPair]:
    """The pairs of digits that are confused most often, by count from the highest; ties by label, then prediction.

    confusion: whole numbers (10, 10), true digit x predicted digit. Pairs that do not occur are left out.
    """
    mistakes = (np.asarray(confusion) * ~np.eye(CLASSES, dtype=np.bool_)).ravel()
    order = np.argsort(-mistakes, kind="stable")[:limit].tolist()
    return [ConfusedPair(place // CLASSES, place % CLASSES, int(mistakes[place])) for place in order if mistakes[place]]


def macro_f1(tally: Tally) -> float | None:
    """The mean F1 of the digits that occur among labels or predictions, as scikit-learn's f1_score(average="macro")."""
    return averages(tally)["macro"]["f1"] if tally.labelled else None


def calibration(tally: Tally) -> CalibrationFigures:
    """How well confidences match accuracy: the expected calibration error, and both means for each confidence bin.

    20 bins of equal width; requires labels. Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML
    2017.
    """
    bins: list[CalibrationBin] = []
    error = 0.0
    labelled = in_twentieths(tally.confidence[:, :UNLABELLED].sum(axis=1))
    correct = in_twentieths(tally.confidence[:, RIGHT])
    for index in range(TWENTIETHS):
        count, right = int(labelled[index]), int(correct[index])
        confidence_sum = int(tally.twentieths[index]) / MILLION
        error += abs(confidence_sum - right) / tally.labelled
        bins.append(
            {
                "from": index / TWENTIETHS,
                "to": (index + 1) / TWENTIETHS,
                "count": count,
                "confidence": _ratio(confidence_sum, count),
                "accuracy": _ratio(right, count),
            }
        )
    return {"ece": error, "bins": bins}


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
