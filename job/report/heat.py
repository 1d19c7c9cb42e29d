"""A confusion matrix as a heat map: for each cell its count, its share of the row, and the step of its colour.

Shares are told by steps at fixed bounds, not by a shade of their own, so that a colour means the same in every report,
and text on it can be read.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Bounds of a digit's share that was predicted right, and of those taken for another.
RIGHT_BOUNDS: Final = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
WRONG_BOUNDS: Final = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)


@dataclass(frozen=True)
class Cell:
    """Rows of one digit that were taken for one digit. share: of the digit's rows, None if it has none.

    style: the class of its colour: `right0` to `right6`, `wrong1` to `wrong7`, or none for an empty one.
    """

    count: int
    share: float | None
    style: str


def heat_map(matrix: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """The cells of a confusion matrix, true digit by predicted digit."""
    return [[_cell(count, sum(row), is_right=digit == guess) for guess, count in enumerate(row)]
            for digit, row in enumerate(matrix)]  # fmt: skip


def _cell(count: int, total: int, *, is_right: bool) -> Cell:
    if not total:
        return Cell(count, None, "")
    share = count / total
    if is_right:
        return Cell(count, share, f"right{bisect_right(RIGHT_BOUNDS, share)}")
    return Cell(count, share, f"wrong{min(7, bisect_right(WRONG_BOUNDS, share))}" if count else "")
