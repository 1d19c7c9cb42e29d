"""What the values of a file's first records say where names say nothing: row numbers, and on which side the label is.

Knows neither files nor layouts: `layout` asks it about columns of text.
"""

from collections.abc import Sequence
from typing import Final, Literal

from job.contract import CLASSES
from job.read.number import number, unquoted

Side = Literal["first", "last", "either", "neither"]

# The corners of an image of a digit are background, and nine in ten labels are not 0.
_MOST: Final = 0.5
_NEARLY_ALL: Final = 0.9


def counts_rows(values: Sequence[str]) -> bool:
    """Whether a column goes 0, 1, 2, .. or 1, 2, 3, .. from the first record on."""
    numbers = [_number(value) for value in values]
    return bool(numbers) and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def label_side(first: Sequence[str], last: Sequence[str]) -> Side:
    """Which of the two outer columns of a headerless file holds labels; the other one is the corner of an image.

    `either`: the values allow both. `neither`: no column of digits is among them. Values that are no numbers count
    for nothing, so that a few bad records in a file's head do not turn the answer.
    """
    left, right = (_Shares.of(values) for values in (first, last))
    if not left.is_filled or not right.is_filled:
        return "last" if left.is_filled else "first"
    if right.marks >= _MOST:
        if left.marks >= _MOST:
            return "either"
        return "last" if left.zeros >= _NEARLY_ALL or left.digits < _MOST else "either"
    if left.digits < _MOST:
        return "neither"
    return "first" if left.marks >= _MOST or right.digits < 1 or (left.marks > 0 and right.marks == 0) else "either"


class _Shares:
    """What part of a column's numbers are 0, are 1 to 9, and are one of these."""

    def __init__(self, numbers: Sequence[float]) -> None:
        count = max(1, len(numbers))
        self.is_filled = bool(numbers)
        self.zeros = sum(value == 0 for value in numbers) / count
        self.marks = sum(value in range(1, CLASSES) for value in numbers) / count
        self.digits = self.zeros + self.marks

    @classmethod
    def of(cls, values: Sequence[str]) -> "_Shares":
        numbers = [_number(value) for value in values]
        return cls([value for value in numbers if value is not None])


def _number(text: str) -> float | None:
    """A number with either decimal mark, because which one a file has is known only once its columns are."""
    return number(unquoted(text).replace(",", "."))
