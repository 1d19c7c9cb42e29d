"""Rows worth looking at: mistakes made surely, predictions made least surely, and mistakes of each kind.

Chosen from all rows, but a few at a time: a part keeps what could still be shown in the end, and the run merges what
its parts kept. Which rows are chosen depends on nothing but the rows: not on how they were cut into batches and parts.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, PIXELS, Labels, Pixels, ScoredBatch
from job.report.tally import MILLION, Counts

MOST_MISTAKES: Final = 40
MOST_UNSURE: Final = 40
MOST_PAIRS: Final = 5
MOST_OF_A_PAIR: Final = 4

# As a committed part holds it, so with the bytes of each number in one order everywhere. confidence: in millionths.
_RECORD: Final = np.dtype(
    [
        ("input", "<i8"), ("row", "<i8"), ("label", "<i1"), ("prediction", "<i1"), ("confidence", "<i4"),
        ("pixels", "<u1", PIXELS),
    ]
)  # fmt: skip
# So many rows may wait before a choice is made, which costs about as much for one as for all of them.
_MOST_WAITING: Final = 400

_Records = npt.NDArray[np.void]
_Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Examples:
    """Some rows, and no more than can be shown: `+` chooses anew from two. It is associative and commutative.

    records (n,): input, by its place in the plan; row in that input, from 0; label, -1 where there is none; prediction;
    confidence in millionths; 784 pixels. In the order of inputs and rows.
    """

    records: _Records

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        return cls(np.zeros(0, _RECORD))

    @classmethod
    def of(cls, batch: ScoredBatch, pixels: Pixels) -> Self:
        """What is worth showing of a batch's scored rows."""
        scored = np.flatnonzero(batch.predictions != NO_PREDICTION)
        return cls(_records(batch, pixels, scored[_choice(*_columns(batch, scored)).rows]))

    def placed(self, index: int, rows: int) -> Self:
        """The same rows, seen as those of the input of that index, `rows` further down."""
        records = self.records.copy()
        records["input"] += index
        records["row"] += rows
        return type(self)(records)

    def __add__(self, other: Self) -> Self:
        """What is worth showing of both."""
        records = np.concatenate([self.records, other.records])
        order = np.lexsort((records["row"], records["input"]))
        choice = _choice(*(records[name][order] for name in ("label", "prediction", "confidence")))
        return type(self)(records[order[choice.rows]])

    def __eq__(self, other: object) -> bool:
        """The same rows."""
        return isinstance(other, Examples) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # holds an array

    def to_bytes(self) -> bytes:
        """One record after the other; they are mostly pixels."""
        return self.records.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of `to_bytes`."""
        return cls(np.frombuffer(content, _RECORD))

    def for_report(self, paths: Sequence[str], confusion: Counts) -> dict[str, Any]:
        """Report.json's section `examples`. paths: of the inputs. confusion: int64 (10, 10), true digit x predicted."""
        labels, predictions = self.records["label"], self.records["prediction"]
        choice = _choice(labels, predictions, self.records["confidence"])
        surest = choice.surest

        def of_pair(label: int, prediction: int) -> _Rows:
            chosen: _Rows = surest[(labels[surest] == label) & (predictions[surest] == prediction)]
            return chosen[:MOST_OF_A_PAIR]

        return {
            "sure_mistakes": self._shown(surest[:MOST_MISTAKES], paths),
            "unsure": self._shown(choice.least_sure, paths),
            "confused_pairs": [
                {**pair, "examples": self._shown(of_pair(pair["label"], pair["prediction"]), paths)}
                for pair in _most_confused(confusion)
            ],
        }

    def _shown(self, rows: _Rows, paths: Sequence[str]) -> list[dict[str, Any]]:
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
    """Chooses from batches that follow each other. It looks closely only at rows that could still be chosen."""

    def __init__(self) -> None:
        self._records = Examples.none().records
        self._waiting: list[_Records] = []
        self._rows_before = 0
        # A row that comes later is chosen only if it is less sure, or a surer mistake, than the last that was.
        self._unsure_below = math.inf
        self._mistakes_above = np.full((CLASSES, CLASSES), -1, np.float32)

    def add(self, batch: ScoredBatch, pixels: Pixels) -> None:
        """Look at the next batch, and its uint8 (n, 784) pixels."""
        rows = self._candidates(batch)
        if len(rows) > _MOST_WAITING:
            rows = rows[_choice(*_columns(batch, rows)).rows]  # before any pixels are copied
        if len(rows):
            records = _records(batch, pixels, rows)
            records["row"] += self._rows_before
            self._waiting.append(records)
        self._rows_before += len(pixels)
        if self._unsure_below == math.inf or sum(map(len, self._waiting)) > _MOST_WAITING:
            self._choose()

    def examples(self) -> Examples:
        """What is worth showing of all that was added."""
        self._choose()
        return Examples(self._records)

    def _candidates(self, batch: ScoredBatch) -> _Rows:
        is_candidate = batch.confidences < self._unsure_below
        if batch.labels is not None:
            wrong = np.flatnonzero(batch.labels != batch.predictions)
            labels, predictions = batch.labels[wrong], batch.predictions[wrong]
            is_sure = batch.confidences[wrong] > self._mistakes_above[labels, predictions]
            is_candidate[wrong] |= is_sure & (labels != NO_LABEL)
        if batch.rejects:
            is_candidate &= batch.predictions != NO_PREDICTION
        return np.flatnonzero(is_candidate)

    def _choose(self) -> None:
        records = np.concatenate([self._records, *self._waiting])
        self._waiting = []
        choice = _choice(records["label"], records["prediction"], records["confidence"])
        shares = (records["confidence"] / MILLION).astype(np.float32)
        if len(choice.least_sure) == MOST_UNSURE:
            self._unsure_below = float(shares[choice.least_sure[-1]])
        # Chosen are the surest of all mistakes, whichever digits they confuse, and the surest that confuse the same.
        of_all = shares[choice.surest[MOST_MISTAKES - 1]] if len(choice.surest) >= MOST_MISTAKES else -1
        last = choice.surest[choice.ranks == MOST_OF_A_PAIR - 1]
        self._mistakes_above[records["label"][last], records["prediction"][last]] = np.minimum(shares[last], of_all)
        self._records = records[choice.rows]


@dataclass(frozen=True)
class _Choice:
    """Which of some rows, by their places, are worth showing; of two that are alike, the first goes first.

    least_sure: at most 40. surest: all mistakes. ranks: for each of these, how many before it confuse the same digits.
    """

    least_sure: _Rows
    surest: _Rows
    ranks: _Rows

    @property
    def rows(self) -> _Rows:
        """All rows that are worth showing, in order."""
        of_pairs = self.surest[self.ranks < MOST_OF_A_PAIR]
        return np.unique(np.concatenate([self.least_sure, self.surest[:MOST_MISTAKES], of_pairs]))


def _choice(labels: Labels, predictions: Labels, confidences: Counts) -> _Choice:
    wrong = np.flatnonzero((labels != NO_LABEL) & (labels != predictions))
    surest = wrong[np.argsort(-confidences[wrong], kind="stable")]
    return _Choice(_least_sure(confidences), surest, _ranks(labels[surest] * CLASSES + predictions[surest]))


def _columns(batch: ScoredBatch, rows: _Rows) -> tuple[Labels, Labels, Counts]:
    """Labels, predictions and confidences, in millionths, of some rows of a batch."""
    labels = np.full(len(rows), NO_LABEL, np.int8) if batch.labels is None else batch.labels[rows]
    confidences = np.rint(batch.confidences[rows].astype(np.float64) * MILLION).astype(np.int64)
    return labels, batch.predictions[rows], confidences


def _records(batch: ScoredBatch, pixels: Pixels, rows: _Rows) -> _Records:
    records = np.zeros(len(rows), _RECORD)
    records["row"] = rows
    records["label"], records["prediction"], records["confidence"] = _columns(batch, rows)
    records["pixels"] = pixels[rows]
    return records


def _least_sure(confidences: Counts) -> _Rows:
    """The least sure of some rows, in order; where two are alike, the first comes first."""
    rows = np.arange(len(confidences))
    if len(rows) > MOST_UNSURE:
        # Sorting all takes ten times as long as finding which to sort.
        rows = np.flatnonzero(confidences <= np.partition(confidences, MOST_UNSURE - 1)[MOST_UNSURE - 1])
    return rows[np.argsort(confidences[rows], kind="stable")[:MOST_UNSURE]]


def _ranks(values: npt.NDArray[Any]) -> _Rows:
    """For each of some values, how often it occurred before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ranks = np.empty(len(values), np.intp)
    ranks[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return ranks


def _most_confused(confusion: Counts) -> list[dict[str, int]]:
    """Label, prediction and count of the pairs that are confused most often."""
    mistakes = (confusion * ~np.eye(CLASSES, dtype=np.bool_)).ravel()
    order = np.argsort(-mistakes, kind="stable")[:MOST_PAIRS].tolist()
    return [
        {"label": place // CLASSES, "prediction": place % CLASSES, "count": int(mistakes[place])}
        for place in order
        if mistakes[place]
    ]
