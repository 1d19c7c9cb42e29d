"""The counts that a report's figures are computed from: integers that add up exactly, in any order.

Each part has a tally of its batches, and the run's is their sum. Floating-point sums depend on their order and would
make the report depend on threads, so probabilities are counted in millionths. `metrics` turns a tally into figures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, Labels, Probabilities, Reason, ScoredBatch
from job.report.confidence_bins import CONFIDENCE_BINS, MILLION, TWENTIETHS, UNLABELLED, bins_of, twentieths_of

# A probability of zero has no logarithm; float32's resolution is the floor, as in scikit-learn's log_loss.
_SMALLEST_PROBABILITY: Final = float(np.finfo(np.float32).eps)
# How many of `Tally.counts` count records; the others are sums of millionths.
_RECORD_COUNTS: Final = 5
# The log loss of the smallest probability, in millionths.
_MOST_PER_RECORD: Final = math.ceil(-math.log(_SMALLEST_PROBABILITY) * MILLION)
# No run has as many records. Sums of counts below it stay far from the limits of int64.
_COUNT_LIMIT: Final = 1 << 53
# Right, wrong, without a label; and those of labelled rows.
_OUTCOMES: Final = UNLABELLED + 1
_LABELLED_OUTCOMES: Final = UNLABELLED
_SHAPES: Final = (
    (7,), (len(Reason),), (CLASSES, CLASSES), (CLASSES,), (CONFIDENCE_BINS, _OUTCOMES), (TWENTIETHS,),
)  # fmt: skip

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts over some records. `+` merges two; it is associative and commutative, and `Tally.zero()` is neutral.

    counts (7,): read (records and skipped lines), scored, labelled, correct, top-2 correct, sum of the log loss of
        labelled rows in millionths, sum of the confidences of scored rows in millionths.
    reasons (len(Reason),): records per reason code, in the order of Reason.
    confusion (10, 10): labelled scored rows, true digit x predicted digit.
    predicted (10,): scored rows per predicted digit.
    confidence (CONFIDENCE_BINS, 3): scored rows per bin of `confidence_bins`: right, wrong, without a label.
    twentieths (20,): the sum of the labelled rows' confidences in millionths, per twentieth of confidence.
    """

    counts: Counts
    reasons: Counts
    confusion: Counts
    predicted: Counts
    confidence: Counts
    twentieths: Counts

    @classmethod
    def zero(cls) -> Self:
        """No records."""
        return cls(*(np.zeros(shape, np.int64) for shape in _SHAPES))

    @classmethod
    def of(cls, batch: ScoredBatch) -> Self:
        """The counts of one batch."""
        is_scored = batch.predictions != NO_PREDICTION
        labels = np.full(len(batch.predictions), NO_LABEL, np.int8) if batch.labels is None else batch.labels
        scored = (batch.predictions, batch.probabilities, _millionths(batch.confidences), labels)
        predictions, probabilities, confidences, labels = _rows_where(is_scored, *scored)
        has_label = labels != NO_LABEL
        truth, predicted, labelled_confidences, labelled_probabilities = _rows_where(
            has_label, labels, predictions, confidences, probabilities
        )
        of_truth = labelled_probabilities[np.arange(len(truth)), truth]
        is_correct = truth == predicted
        losses = -np.log(np.clip(of_truth.astype(np.float64), _SMALLEST_PROBABILITY, 1))
        total = [
            len(is_scored),
            len(predictions),
            len(truth),
            is_correct.sum(),
            _top2_correct(labelled_probabilities, of_truth, truth),
            _millionths(losses).sum(),
        ]
        order = list(Reason)
        return cls(
            counts=np.array([*total, confidences.sum()], np.int64),
            reasons=_count([order.index(reject.reason) for reject in batch.rejects], len(order)),
            confusion=_count(truth.astype(np.int64) * CLASSES + predicted, CLASSES**2).reshape(CLASSES, CLASSES),
            predicted=_count(predictions, CLASSES),
            confidence=_by_outcome(bins_of(confidences), has_label, is_correct),
            twentieths=_sum(twentieths_of(labelled_confidences), labelled_confidences, TWENTIETHS),
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def read(self) -> int:
        """Records read, and lines skipped among them: all rows of the predictions."""
        return int(self.counts[0])

    @property
    def scored(self) -> int:
        """Records with a prediction."""
        return int(self.counts[1])

    @property
    def rejected(self) -> int:
        """Records without a prediction: those with a fatal reason."""
        return sum(count for reason, count in self.by_reason.items() if reason.is_fatal and not reason.is_skipped)

    @property
    def skipped(self) -> int:
        """Lines that are no records, and have a row without a prediction all the same."""
        return sum(count for reason, count in self.by_reason.items() if reason.is_skipped)

    @property
    def labelled(self) -> int:
        """Scored records with a label."""
        return int(self.counts[2])

    @property
    def correct(self) -> int:
        """Labelled records classified correctly."""
        return int(self.counts[3])

    @property
    def top2_correct(self) -> int:
        """Labelled records whose label is among the two most probable digits."""
        return int(self.counts[4])

    @property
    def log_loss_sum(self) -> float:
        """Sum of -ln(probability of the label) over the labelled records."""
        return int(self.counts[5]) / MILLION

    @property
    def confidence_sum(self) -> float:
        """Sum of the confidences of the scored records."""
        return int(self.counts[6]) / MILLION

    @property
    def by_reason(self) -> dict[Reason, int]:
        """Records per reason code that occurred, including bad labels."""
        return {reason: int(count) for reason, count in zip(Reason, self.reasons, strict=True) if count}

    def to_json(self) -> dict[str, Any]:
        """Lists of integers, by field."""
        return {each.name: getattr(self, each.name).tolist() for each in fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for what it cannot have returned."""
        return cls(*(parse_counts(content, each.name, shape) for each, shape in zip(fields(cls), _SHAPES, strict=True)))

    def check(self, rows: int) -> None:
        """Raise ValueError unless these can be the counts of `rows` records."""
        records = (self.counts[:_RECORD_COUNTS], self.reasons, self.confusion, self.predicted, self.confidence)
        sums = (self.counts[_RECORD_COUNTS:], self.twentieths)
        are_possible = all((each <= rows).all() for each in records)
        if self.read != rows or not are_possible or any((each > _MOST_PER_RECORD * rows).any() for each in sums):
            raise ValueError(f"its counts cannot be those of {rows} records")


def parse_counts(content: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Counts:
    """The lists of integers under `name`, as an array of this shape. Raises ValueError for anything else."""
    found = np.array(content.get(name) if isinstance(content, dict) else None)
    if found.dtype != np.int64 or found.shape != shape or ((found < 0) | (found >= _COUNT_LIMIT)).any():
        raise ValueError(f"its {name} are not counts of shape {shape}")
    return found


def _by_outcome(bins: Counts, has_label: npt.NDArray[np.bool_], is_correct: npt.NDArray[np.bool_]) -> Counts:
    """Rows per bin: right, wrong, without a label. is_correct: of the rows that have a label."""
    counts = np.zeros((CONFIDENCE_BINS, _OUTCOMES), np.int64)
    if len(is_correct):
        # Right and wrong are counted in one pass.
        pairs = _count(bins[has_label] * _LABELLED_OUTCOMES + ~is_correct, CONFIDENCE_BINS * _LABELLED_OUTCOMES)
        counts[:, :UNLABELLED] = pairs.reshape(CONFIDENCE_BINS, _LABELLED_OUTCOMES)
    if len(is_correct) < len(bins):
        counts[:, UNLABELLED] = _count(bins[~has_label], CONFIDENCE_BINS)
    return counts


def _top2_correct(probabilities: Probabilities, of_truth: npt.NDArray[np.float32], truth: Labels) -> int:
    """How many labels are among the two most probable digits; of equally probable digits, the higher come first.

    scikit-learn's top_k_accuracy_score breaks ties in the same way; rounded probabilities have many.
    """
    # A label with a probability above 0.5 is the most probable digit.
    close = np.flatnonzero(of_truth <= 0.5)  # noqa: PLR2004
    others, own = probabilities[close], of_truth[close, np.newaxis]
    is_before = (others > own) | ((others == own) & (np.arange(CLASSES) > truth[close, np.newaxis]))
    return len(truth) - int((is_before.sum(axis=1) >= 2).sum())  # noqa: PLR2004


def _rows_where(mask: npt.NDArray[np.bool_], *arrays: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """The rows of some arrays where `mask` is true; the arrays themselves, without a copy, if it always is."""
    return arrays if mask.all() else tuple(each[mask] for each in arrays)


def _millionths(values: npt.NDArray[np.floating[Any]]) -> Counts:
    return np.rint(values.astype(np.float64) * MILLION).astype(np.int64)


def _count(values: npt.ArrayLike, size: int) -> Counts:
    return np.bincount(np.asarray(values, np.int64), minlength=size).astype(np.int64)


def _sum(bins: npt.ArrayLike, values: Counts, size: int) -> Counts:
    # The sums over a batch stay far below 2**53, so float weights are exact.
    return np.bincount(np.asarray(bins, np.int64), weights=values, minlength=size).astype(np.int64)
