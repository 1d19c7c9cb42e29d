"""Two streams of predictions of the same rows, side by side, however each of them is cut.

Of the rows on which two runs name different digits, as many as are asked for, while all of them flow past.
"""

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
    """What A and B say of the same n rows. labels: int8 (n,), from either, -1 where neither has one."""

    a: Predicted
    b: Predicted
    labels: Labels


def side_by_side(a: Iterator[Predicted], b: Iterator[Predicted]) -> Iterator[tuple[Predicted, Predicted]]:
    """The rows of two streams in pieces of the same length, however each is cut; the last has rows of one alone."""
    first, second = _NOTHING, _NOTHING
    while True:
        first, second = (_filled(left, stream) for left, stream in ((first, a), (second, b)))
        rows = min(len(first), len(second))
        if not rows:
            break
        yield first[:rows], second[:rows]
        first, second = first[rows:], second[rows:]
    if len(first) or len(second):
        yield first, second


def _filled(left: Predicted, stream: Iterator[Predicted]) -> Predicted:
    """What is left of a batch, or the next one with rows; nothing at the end."""
    while not len(left) and (following := next(stream, None)) is not None:
        left = following
    return left


_ROW: Final = np.dtype(
    [
        ("input", np.int64), ("row", np.int64), ("label", np.int8), ("prediction_a", np.int8),
        ("prediction_b", np.int8), ("confidence_a", np.float32), ("confidence_b", np.float32),
    ]
)  # fmt: skip
_NO_ROWS: Final[npt.NDArray[np.void]] = np.empty(0, _ROW)
# As many as a confidence is written with.
_DECIMALS: Final = 6


class ChangedRows:
    """The rows on which A and B name different digits: as many of them as are asked for, while all flow past."""

    def __init__(self, most: int, order: Order) -> None:
        self._most = most
        self._order = order
        self._rows = _NO_ROWS

    def add(self, number: int, row: int, pair: Pair) -> None:
        """Take in rows of the input of a number, which begin at `row`. Called in order."""
        a, b = pair.a, pair.b
        if not self._most or (self._order == "first" and len(self._rows) == self._most):
            return
        is_changed = (a.predictions != b.predictions) & (a.predictions != NO_PREDICTION)
        where = np.flatnonzero(is_changed & (b.predictions != NO_PREDICTION))
        found = np.empty(len(where), _ROW)
        found["input"], found["row"], found["label"] = number, row + where, pair.labels[where]
        found["prediction_a"], found["confidence_a"] = a.predictions[where], a.confidences[where]
        found["prediction_b"], found["confidence_b"] = b.predictions[where], b.confidences[where]
        rows = np.concatenate([self._rows, found])
        if self._order == "surest":
            # A stable sort keeps those that are equally sure in their order.
            rows = rows[np.argsort(-np.minimum(rows["confidence_a"], rows["confidence_b"]), kind="stable")]
        self._rows = rows[: self._most]

    def listed(self, paths: list[str]) -> list[ChangedRow]:
        """The rows, each with the path of its input, of which `paths` has all; label None where there is none."""
        return [
            {
                "path": paths[int(each["input"])],
                "row": int(each["row"]),
                "label": None if each["label"] == NO_LABEL else int(each["label"]),
                "prediction_a": int(each["prediction_a"]),
                "prediction_b": int(each["prediction_b"]),
                "confidence_a": round(float(each["confidence_a"]), _DECIMALS),
                "confidence_b": round(float(each["confidence_b"]), _DECIMALS),
            }
            for each in self._rows
        ]
