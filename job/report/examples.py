"""Rows worth looking at: mistakes made surely, predictions made least surely, and mistakes of each kind.

Chosen from all rows, but a few at a time: a part keeps what could still be shown in the end, and the run merges what
its parts kept. Which rows are chosen depends on nothing but the rows: not on how they were cut into batches and parts.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, PIXELS, Labels, Pixels, ScoredBatch
from job.report.tally import MILLION, Counts

MOST_MISTAKES: Final = 40
MOST_UNSURE: Final = 40
MOST_PAIRS: Final = 5
MOST_OF_A_PAIR: Final = 4

_Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Examples:
    """Some rows, and no more than can be shown: `+` chooses anew from two. It is associative and commutative.

    inputs int64 (n,): each row's input, by its place in the plan. rows int64 (n,): its place in that, from 0.
    labels int8 (n,): -1 where there is none. predictions int8 (n,). confidences int64 (n,): in millionths.
    pixels uint8 (n, 784). All are in the order of inputs and rows.
    """

    inputs: Counts
    rows: Counts
    labels: Labels
    predictions: Labels
    confidences: Counts
    pixels: Pixels

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        nothing = np.zeros(0, np.int64)
        return cls(
            nothing, nothing, nothing.astype(np.int8), nothing.astype(np.int8), nothing, np.zeros((0, PIXELS), np.uint8)
        )

    @classmethod
    def of(cls, batch: ScoredBatch, pixels: Pixels, candidates: _Rows | None = None) -> Self:
        """What is worth showing of a batch's scored rows, or of those of them that are `candidates`, in order."""
        if candidates is None:
            candidates = np.flatnonzero(batch.predictions != NO_PREDICTION)
        labels = np.full(len(pixels), NO_LABEL, np.int8) if batch.labels is None else batch.labels
        confidences = _millionths(batch.confidences[candidates])
        chosen = _chosen(labels[candidates], batch.predictions[candidates], confidences)
        rows = candidates[chosen]
        places = rows.astype(np.int64)
        return cls(
            np.zeros_like(places), places, labels[rows], batch.predictions[rows], confidences[chosen], pixels[rows]
        )

    def placed(self, index: int, rows: int) -> Self:
        """The same rows, seen as those of the input of that index, `rows` further down."""
        return replace(self, inputs=self.inputs + index, rows=self.rows + rows)

    def __add__(self, other: Self) -> Self:
        """What is worth showing of both."""
        both = [np.concatenate([getattr(self, each.name), getattr(other, each.name)]) for each in fields(self)]
        order = np.lexsort((both[1], both[0]))
        order = order[_chosen(*(each[order] for each in both[2:5]))]
        return type(self)(*(each[order] for each in both))

    def __eq__(self, other: object) -> bool:
        """The same rows."""
        return isinstance(other, Examples) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def to_json(self) -> dict[str, Any]:
        """Plain lists, and the pixels as base64."""
        lists = {each.name: getattr(self, each.name).tolist() for each in fields(self) if each.name != "pixels"}
        return {**lists, "pixels": base64.b64encode(self.pixels.tobytes()).decode()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        lists = {name: np.array(content[name], kind) for name, kind in _KINDS.items()}
        pixels = np.frombuffer(base64.b64decode(content["pixels"]), np.uint8).reshape(-1, PIXELS)
        return cls(**lists, pixels=pixels)

    def for_report(self, paths: Sequence[str], confusion: Counts) -> dict[str, Any]:
        """Report.json's section `examples`. paths: of the inputs. confusion: int64 (10, 10), true digit x predicted."""
        surest = _surest_mistakes(self.labels, self.predictions, self.confidences)
        return {
            "sure_mistakes": self._shown(surest[:MOST_MISTAKES], paths),
            "unsure": self._shown(_least_sure(self.confidences), paths),
            "confused_pairs": [
                {"label": label, "prediction": prediction, "count": count, "examples": self._shown(rows, paths)}
                for label, prediction, count in _most_confused(confusion)
                for rows in [self._of_pair(surest, label, prediction)]
            ],
        }

    def _of_pair(self, surest: _Rows, label: int, prediction: int) -> _Rows:
        is_pair = (self.labels[surest] == label) & (self.predictions[surest] == prediction)
        of_pair: _Rows = surest[is_pair]
        return of_pair[:MOST_OF_A_PAIR]

    def _shown(self, rows: _Rows, paths: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "path": paths[int(self.inputs[row])],
                "row": int(self.rows[row]),
                "label": None if self.labels[row] == NO_LABEL else int(self.labels[row]),
                "prediction": int(self.predictions[row]),
                "confidence": int(self.confidences[row]) / MILLION,
                "pixels": base64.b64encode(self.pixels[row].tobytes()).decode(),
            }
            for row in rows.tolist()
        ]


class Collector:
    """Chooses from batches that follow each other. It looks closely only at rows that could still be chosen."""

    def __init__(self) -> None:
        self.examples = Examples.none()
        self._rows_before = 0
        # A row that comes later is chosen only if it is less sure, or a surer mistake, than the last that was.
        self._unsure_below = np.float32(np.inf)
        self._mistakes_above = np.full((CLASSES, CLASSES), -1, np.float32)

    def add(self, batch: ScoredBatch, pixels: Pixels) -> None:
        """Look at the next batch, and its uint8 (n, 784) pixels."""
        candidates = self._candidates(batch)
        if len(candidates):
            self.examples += Examples.of(batch, pixels, candidates).placed(0, self._rows_before)
            self._raise_limits()
        self._rows_before += len(pixels)

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

    def _raise_limits(self) -> None:
        chosen = self.examples
        confidences = (chosen.confidences / MILLION).astype(np.float32)
        least = _least_sure(chosen.confidences)
        if len(least) == MOST_UNSURE:
            self._unsure_below = confidences[least[-1]]
        surest = _surest_mistakes(chosen.labels, chosen.predictions, chosen.confidences)
        # Chosen are the surest of all mistakes, whichever digits they confuse, and the surest that confuse the same.
        of_all = confidences[surest[MOST_MISTAKES - 1]] if len(surest) >= MOST_MISTAKES else -1
        self._mistakes_above[:] = -1
        pairs = chosen.labels[surest] * CLASSES + chosen.predictions[surest]
        last = surest[_ranks(pairs) == MOST_OF_A_PAIR - 1]
        self._mistakes_above[chosen.labels[last], chosen.predictions[last]] = np.minimum(confidences[last], of_all)


_KINDS: Final = {
    "inputs": np.int64, "rows": np.int64, "labels": np.int8, "predictions": np.int8, "confidences": np.int64,
}  # fmt: skip


def _millionths(confidences: npt.NDArray[np.float32]) -> Counts:
    return np.rint(confidences.astype(np.float64) * MILLION).astype(np.int64)


def _chosen(labels: Labels, predictions: Labels, confidences: Counts) -> _Rows:
    """Which of some rows, in order, are among those worth showing; where two are alike, the first is."""
    surest = _surest_mistakes(labels, predictions, confidences)
    pairs = labels[surest] * CLASSES + predictions[surest]
    is_chosen = np.zeros(len(labels), np.bool_)
    is_chosen[_least_sure(confidences)] = True
    is_chosen[surest[:MOST_MISTAKES]] = True
    is_chosen[surest[_ranks(pairs) < MOST_OF_A_PAIR]] = True
    return np.flatnonzero(is_chosen)


def _least_sure(confidences: Counts) -> _Rows:
    return np.argsort(confidences, kind="stable")[:MOST_UNSURE]


def _surest_mistakes(labels: Labels, predictions: Labels, confidences: Counts) -> _Rows:
    """All mistakes among some rows, the surest first."""
    wrong: _Rows = np.flatnonzero((labels != NO_LABEL) & (labels != predictions))
    return wrong[np.argsort(-confidences[wrong], kind="stable")]


def _ranks(values: npt.NDArray[Any]) -> _Rows:
    """For each of some values, how often it occurred before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ranks = np.empty(len(values), np.intp)
    ranks[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered)
    return ranks


def _most_confused(confusion: Counts) -> list[tuple[int, int, int]]:
    """Label, prediction and count of the pairs that are confused most often."""
    mistakes = confusion * ~np.eye(CLASSES, dtype=np.bool_)
    order = np.argsort(-mistakes.ravel(), kind="stable")[:MOST_PAIRS].tolist()
    pairs = [(*divmod(place, CLASSES), int(mistakes.ravel()[place])) for place in order]
    return [pair for pair in pairs if pair[2]]
