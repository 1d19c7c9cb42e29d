"""What values say where names say nothing: whether a column counts rows, and on which side the label is.

Also what a field of text is as a number: the one answer that layouts, heads and records share.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

from job.contract import CLASSES

DecimalMark = Literal[".", ","]


def parse_number(text: str, decimal: DecimalMark = ".") -> float | None:
    """A finite number; None for words, NaN, infinity, other scripts' digits and Python's own 1_000.

    With a decimal comma a point is no part of a number: `1.000` may mean a thousand there.
    """
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and text.isascii() and "_" not in text else None


def unquoted(text: str) -> str:
    """A field without the space and the single quotes around it that ARFF, and so OpenML's CSV, knows."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


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
    return parse_number(unquoted(text).replace(",", "."))
