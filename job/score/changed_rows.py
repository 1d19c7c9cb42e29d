"""Of the rows on which two runs name different digits, as many as are asked for, while all of them flow past."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import NO_LABEL, NO_PREDICTION
from job.score.pairs import Pair
from job.settings import Order

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

    def listed(self, paths: list[str]) -> list[dict[str, Any]]:
        """The rows, each with the path of its input, of which `paths` has all; label None where there is none."""
        return [
            {
                "path": paths[int(each["input"])],
                "row": int(each["row"]),
                "label": None if each["label"] == NO_LABEL else int(each["label"]),
                **{f"prediction_{run}": int(each[f"prediction_{run}"]) for run in "ab"},
                **{f"confidence_{run}": round(float(each[f"confidence_{run}"]), _DECIMALS) for run in "ab"},
            }
            for each in self._rows
        ]
