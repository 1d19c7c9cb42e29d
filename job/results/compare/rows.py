"""Aligns two streams of predictions of the same rows, and selects the changed rows to list from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import NO_LABEL, NO_PREDICTION, Labels
from job.documents.comparison_json import ChangedRow
from job.results.predicted import Predicted
from job.settings import Order

_NOTHING: Final = Predicted(np.empty(0, np.int8), np.empty(0, np.float32), np.empty(0, np.int8))


@dataclass(frozen=True, slots=True)
class Pair:
    """The predictions of A and B for the same n rows. labels: int8 (n,), of either run, -1 if neither has one."""

    a: Predicted
    b: Predicted
    labels: Labels


def side_by_side(a: Iterator[Predicted], b: Iterator[Predicted]) -> Iterator[tuple[Predicted, Predicted]]:
    """The rows of two streams in pairs of equal length, whatever their batches.

    If one stream is longer, the last pair has its next rows beside none of the other.
    """
    first, second = _NOTHING, _NOTHING
    while True:
        first, second = (_rest_or_next(rest, stream) for rest, stream in ((first, a), (second, b)))
        rows = min(len(first), len(second))
        if not rows:
            break
        yield first[:rows], second[:rows]
        first, second = first[rows:], second[rows:]
    if len(first) or len(second):
        yield first, second


def _rest_or_next(rest: Predicted, stream: Iterator[Predicted]) -> Predicted:
    """The rest of a batch if it has rows, else the next batch that has; empty at the end of the stream."""
    while not len(rest) and (following := next(stream, None)) is not None:
        rest = following
    return rest


_ROW: Final = np.dtype(
    [
        ("input", np.int64), ("row", np.int64), ("label", np.int8), ("prediction_a", np.int8),
        ("prediction_b", np.int8), ("confidence_a", np.float32), ("confidence_b", np.float32),
    ]
)  # fmt: skip
_NO_ROWS: Final[npt.NDArray[np.void]] = np.empty(0, _ROW)
# As in the prediction files.
_CONFIDENCE_DECIMALS: Final = 6


class ChangedRows:
    """Selects `most` of the rows that A and B classify as different digits: the first or the surest ones."""

    def __init__(self, most: int, order: Order) -> None:
        self._most = most
        self._order = order
        self._rows = _NO_ROWS

    def add(self, input_index: int, first_row: int, pair: Pair) -> None:
        """Consider the next rows of an input, which begin at `first_row`. Called in the order of inputs and rows."""
        a, b = pair.a, pair.b
        if not self._most or (self._order == "first" and len(self._rows) == self._most):
            return
        is_changed = (a.predictions != b.predictions) & (a.predictions != NO_PREDICTION)
        where = np.flatnonzero(is_changed & (b.predictions != NO_PREDICTION))
        found = np.empty(len(where), _ROW)
        found["input"], found["row"], found["label"] = input_index, first_row + where, pair.labels[where]
        found["prediction_a"], found["confidence_a"] = a.predictions[where], a.confidences[where]
        found["prediction_b"], found["confidence_b"] = b.predictions[where], b.confidences[where]
        rows = np.concatenate([self._rows, found])
        if self._order == "surest":
            # A stable sort keeps equally sure rows in the order of inputs and rows.
            rows = rows[np.argsort(-np.minimum(rows["confidence_a"], rows["confidence_b"]), kind="stable")]
        self._rows = rows[: self._most]

    def documents(self, paths: list[str]) -> list[ChangedRow]:
        """The selected rows. paths: of all inputs, by index."""
        return [
            {
                "path": paths[int(each["input"])],
                "row": int(each["row"]),
                "label": None if each["label"] == NO_LABEL else int(each["label"]),
                "prediction_a": int(each["prediction_a"]),
                "prediction_b": int(each["prediction_b"]),
                "confidence_a": round(float(each["confidence_a"]), _CONFIDENCE_DECIMALS),
                "confidence_b": round(float(each["confidence_b"]), _CONFIDENCE_DECIMALS),
            }
            for each in self._rows
        ]
