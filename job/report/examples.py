"""Examples for the report: rows of each predicted digit, sure mistakes, unsure predictions, mistakes of each pair.

All rows compete and only the selected ones are kept: each part keeps its own, and the run merges those of its parts.
The selection does not depend on how rows were split into batches and parts. `tally` counts the same rows, and
`review_rows` chooses among those selected what people are to look at.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, PIXELS, Labels, Pixels, ScoredBatch
from job.documents.report_json import DigitExamples, ExampleRow, ExampleSection
from job.report.confidence_bins import MILLION
from job.report.metrics import ConfusedPair, confused_pairs
from job.report.tally import Counts

MAX_MISTAKES: Final = 40
MAX_UNSURE: Final = MAX_MISTAKES
MAX_OF_PAIR: Final = 4
MAX_OF_DIGIT: Final = 4

# Part files hold these records, hence the fixed byte order. confidence: in millionths.
_RECORD: Final = np.dtype(
    [
        ("input", "<i8"), ("row", "<i8"), ("label", "<i1"), ("prediction", "<i1"), ("second", "<i1"),
        ("confidence", "<i4"), ("pixels", "<u1", PIXELS),
    ]
)  # fmt: skip
# Rows collected before the next selection, which costs about as much for one row as for all of these.
_MAX_WAITING: Final = 400

Rows = npt.NDArray[np.intp]
_Records = npt.NDArray[np.void]


def surest_mistakes(labels: Labels, predictions: Labels, confidences: npt.NDArray[Any]) -> Rows:
    """Indices of all labelled rows whose prediction is wrong, by confidence from the highest; ties by index.

    labels: (n,), -1 where there is none. predictions: (n,), 0-9. confidences: (n,), on any scale.
    """
    wrong = np.flatnonzero((labels != NO_LABEL) & (labels != predictions))
    order: Rows = wrong[np.argsort(-confidences[wrong], kind="stable")]
    return order


def mistakes_of(pair: ConfusedPair, mistakes: Rows, labels: Labels, predictions: Labels) -> Rows:
    """Those of `mistakes` that confuse this pair of digits: the first four, in the order of `mistakes`."""
    is_pair = (labels[mistakes] == pair.label) & (predictions[mistakes] == pair.prediction)
    rows: Rows = mistakes[is_pair]
    return rows[:MAX_OF_PAIR]


def first_of_digits(predictions: Labels) -> Rows:
    """Indices of the first four rows of each predicted digit, (n,) of 0-9, in their order."""
    return np.flatnonzero(_ranks(predictions) < MAX_OF_DIGIT)


def least_sure(confidences: npt.NDArray[Any], limit: int = MAX_UNSURE) -> Rows:
    """Indices of the `limit` lowest of (n,) confidences, from the lowest; ties by index."""
    rows = np.arange(len(confidences))
    if len(rows) > limit:
        # A partition first: sorting all rows takes ten times as long.
        rows = np.flatnonzero(confidences <= np.partition(confidences, limit - 1)[limit - 1])
    return rows[np.argsort(confidences[rows], kind="stable")[:limit]]


@dataclass(frozen=True, eq=False)
class Examples:
    """Selected rows. `+` selects again from both sides; it is associative and commutative, `Examples.none()` neutral.

    records (n,): index of the input in the plan; row in that input, from 0; label, -1 where there is none; prediction;
    the second most probable digit; confidence in millionths; 784 pixels. Sorted by input and row. kept: how many
    mistakes and how many unsure rows are selected; the same on both sides of `+`.
    """

    records: _Records
    kept: int = MAX_UNSURE

    @classmethod
    def none(cls, kept: int = MAX_UNSURE) -> Self:
        """No rows."""
        return cls(np.zeros(0, _RECORD), kept)

    @classmethod
    def of(cls, batch: ScoredBatch, pixels: Pixels, kept: int = MAX_UNSURE) -> Self:
        """The examples among the scored rows of a batch; pixels: uint8 (n, 784)."""
        scored = np.flatnonzero(batch.predictions != NO_PREDICTION)
        return cls(_records(batch, pixels, scored[_select(*_columns(batch, scored), kept).rows]), kept)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Input and row of each."""
        return list(zip(self.records["input"].tolist(), self.records["row"].tolist(), strict=True))

    def placed(self, index: int, rows: int) -> Self:
        """The same examples with `index` added to the index of their input, and `rows` to their row."""
        records = self.records.copy()
        records["input"] += index
        records["row"] += rows
        return type(self)(records, self.kept)

    def __add__(self, other: Self) -> Self:
        records = np.concatenate([self.records, other.records])
        order = np.lexsort((records["row"], records["input"]))
        labels, predictions, confidences = (records[name][order] for name in ("label", "prediction", "confidence"))
        selection = _select(labels, predictions, confidences, self.kept)
        return type(self)(records[order[selection.rows]], self.kept)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Examples) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # holds an array

    def to_bytes(self) -> bytes:
        """All records, one after the other."""
        return self.records.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes, kept: int = MAX_UNSURE) -> Self:
        """The inverse of `to_bytes`. Raises ValueError for a broken record."""
        return cls(np.frombuffer(content, _RECORD), kept)

    def check(self, rows: int) -> None:
        """Raise ValueError unless these can be examples of one input of `rows` rows."""
        limits = {
            "input": (0, 0),
            "row": (0, rows - 1),
            "label": (NO_LABEL, CLASSES - 1),
            "prediction": (0, CLASSES - 1),
            "second": (0, CLASSES - 1),
            "confidence": (0, MILLION),
        }
        for name, (lowest, highest) in limits.items():
            if ((self.records[name] < lowest) | (self.records[name] > highest)).any():
                raise ValueError(f"an example has a {name} that is not between {lowest} and {highest}")

    def for_report(self, paths: Sequence[str], confusion: Counts) -> ExampleSection:
        """Report.json's section `examples`. paths: of the inputs. confusion: int64 (10, 10), true digit x predicted.

        A confusion matrix of zeros means that labels are not judged: then there are no mistakes.
        """
        labels, predictions = self.records["label"], self.records["prediction"]
        mistakes = surest_mistakes(labels, predictions, self.records["confidence"])
        firsts = first_of_digits(predictions)
        by_prediction: list[DigitExamples] = [
            {"prediction": digit, "examples": self._to_json(firsts[predictions[firsts] == digit], paths)}
            for digit in np.unique(predictions[firsts]).tolist()
        ]
        return {
            "by_prediction": by_prediction,
            "sure_mistakes": self._to_json(mistakes[:MAX_MISTAKES] if confusion.any() else mistakes[:0], paths),
            "unsure": self._to_json(least_sure(self.records["confidence"]), paths),
            "confused_pairs": [
                {
                    "label": pair.label,
                    "prediction": pair.prediction,
                    "count": pair.count,
                    "examples": self._to_json(mistakes_of(pair, mistakes, labels, predictions), paths),
                }
                for pair in confused_pairs(confusion)
            ],
        }

    def _to_json(self, rows: Rows, paths: Sequence[str]) -> list[ExampleRow]:
        return [
            {
                "path": paths[int(each["input"])],
                "row": int(each["row"]),
                "label": None if each["label"] == NO_LABEL else int(each["label"]),
                "prediction": int(each["prediction"]),
                "confidence": int(each["confidence"]) / MILLION,
                "pixels": base64.b64encode(each["pixels"].tobytes()).decode(),
            }
            for each in self.records[rows]
        ]


class Collector:
    """Selects the examples of consecutive batches. Rows that cannot be selected any more are skipped early.

    kept: see `Examples`.
    """

    def __init__(self, kept: int = MAX_UNSURE) -> None:
        self._kept = kept
        self._records = Examples.none().records
        self._waiting: list[_Records] = []
        self._rows_before = 0
        # A later row is selected only if its confidence is below the first bound, if it is a mistake above the second,
        # which depends on its pair of digits, or if there are few rows of its digit. The last element is that of
        # NO_PREDICTION.
        self._unsure_below = math.inf
        self._is_wanted = np.array([True] * CLASSES + [False])
        self._mistakes_above = np.full((CLASSES, CLASSES), -1, np.float32)

    def add(self, batch: ScoredBatch, pixels: Pixels) -> None:
        """Take the next batch with its pixels, uint8 (n, 784)."""
        rows = self._candidates(batch)
        if len(rows) > _MAX_WAITING:
            rows = rows[_select(*_columns(batch, rows), self._kept).rows]  # before any pixels are copied
        if len(rows):
            records = _records(batch, pixels, rows)
            records["row"] += self._rows_before
            self._waiting.append(records)
        self._rows_before += len(pixels)
        if self._unsure_below == math.inf or sum(map(len, self._waiting)) > _MAX_WAITING:
            self._reselect()

    def examples(self) -> Examples:
        """The examples of all batches so far."""
        self._reselect()
        return Examples(self._records, self._kept)

    def _candidates(self, batch: ScoredBatch) -> Rows:
        is_candidate = batch.confidences < self._unsure_below
        if self._is_wanted.any():
            is_candidate |= self._is_wanted[batch.predictions]
        if batch.labels is not None:
            wrong = np.flatnonzero(batch.labels != batch.predictions)
            labels, predictions = batch.labels[wrong], batch.predictions[wrong]
            is_sure = batch.confidences[wrong] > self._mistakes_above[labels, predictions]
            is_candidate[wrong] |= is_sure & (labels != NO_LABEL)
        if batch.rejects:
            is_candidate &= batch.predictions != NO_PREDICTION
        return np.flatnonzero(is_candidate)

    def _reselect(self) -> None:
        records = np.concatenate([self._records, *self._waiting])
        self._waiting = []
        selection = _select(records["label"], records["prediction"], records["confidence"], self._kept)
        shares = (records["confidence"] / MILLION).astype(np.float32)
        if len(selection.least_sure) == self._kept:
            self._unsure_below = float(shares[selection.least_sure[-1]])
        of_digits = records["prediction"][selection.firsts]
        self._is_wanted[:CLASSES] = np.bincount(of_digits, minlength=CLASSES) < MAX_OF_DIGIT
        # A mistake is selected as one of the surest of all, or as one of the surest of its pair.
        mistakes = selection.mistakes
        overall = shares[mistakes[self._kept - 1]] if len(mistakes) >= self._kept else -1
        last_of_pair = mistakes[selection.ranks == MAX_OF_PAIR - 1]
        pairs = records["label"][last_of_pair], records["prediction"][last_of_pair]
        self._mistakes_above[pairs] = np.minimum(shares[last_of_pair], overall)
        self._records = records[selection.rows]


@dataclass(frozen=True)
class _Selection:
    """Indices of the examples among some rows.

    ranks: how many rows of `mistakes` before each confuse the same pair. kept: how many of `mistakes` are selected.
    """

    firsts: Rows
    least_sure: Rows
    mistakes: Rows
    ranks: Rows
    kept: int

    @property
    def rows(self) -> Rows:
        """All selected rows, ascending."""
        of_pairs = self.mistakes[self.ranks < MAX_OF_PAIR]
        return np.unique(np.concatenate([self.firsts, self.least_sure, self.mistakes[: self.kept], of_pairs]))


def _select(labels: Labels, predictions: Labels, confidences: Counts, kept: int) -> _Selection:
    mistakes = surest_mistakes(labels, predictions, confidences)
    ranks = _ranks(labels[mistakes] * CLASSES + predictions[mistakes])
    return _Selection(first_of_digits(predictions), least_sure(confidences, kept), mistakes, ranks, kept)


def _columns(batch: ScoredBatch, rows: Rows) -> tuple[Labels, Labels, Counts]:
    """Labels, predictions and confidences, in millionths, of some rows of a batch."""
    labels = np.full(len(rows), NO_LABEL, np.int8) if batch.labels is None else batch.labels[rows]
    confidences = np.rint(batch.confidences[rows].astype(np.float64) * MILLION).astype(np.int64)
    return labels, batch.predictions[rows], confidences


def _records(batch: ScoredBatch, pixels: Pixels, rows: Rows) -> _Records:
    records = np.zeros(len(rows), _RECORD)
    records["row"] = rows
    records["label"], records["prediction"], records["confidence"] = _columns(batch, rows)
    others = batch.probabilities[rows]
    others[np.arange(len(rows)), batch.predictions[rows]] = -1
    records["second"] = others.argmax(axis=1)
    records["pixels"] = pixels[rows]
    return records


def _ranks(values: npt.NDArray[Any]) -> Rows:
    """How often each value occurred before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ranks = np.empty(len(values), np.intp)
    ranks[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return ranks
