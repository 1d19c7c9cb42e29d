"""Text fields as numbers, and what the values of a column say about it where its name says nothing.

`parse_number` is the one definition of a number in text, for layouts, heads and records alike. `counts_rows` and
`label_side` judge the outer columns of the first records for `names`.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Final, Literal

from job.contract import CLASSES, DIGIT_NAMES

DecimalMark = Literal[".", ","]
LabelSide = Literal["first", "last", "either", "neither"]

# The corner of an image of a digit is background, and nine in ten labels are not 0.
_MOST: Final = 0.5
_NEARLY_ALL: Final = 0.9


def parse_number(text: str, decimal: DecimalMark = ".") -> float | None:
    """A finite number; None for words, NaN, infinity, non-ASCII digits and Python's 1_000.

    With a decimal comma, a point is not part of a number: `1.000` may mean a thousand.
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
    """A field without surrounding space and single quotes, which ARFF, and so OpenML's CSV, puts around text."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def is_data(fields: Sequence[str]) -> bool:
    """Whether a line is a record: all numbers, names of digits or empty, but not pandas' names 0, 1, 2, .."""
    # pandas leaves the name of its index, the first column, empty.
    texts = [unquoted(field).replace(",", ".") or "0" for field in (fields if fields and fields[0] else fields[1:])]
    texts = ["0" if text.casefold() in DIGIT_NAMES else text for text in texts]
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return False
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return bool(numbers) and steps != {1.0}


def counts_rows(values: Sequence[str]) -> bool:
    """Whether a column is 0, 1, 2, .. or 1, 2, 3, .. from the first record on."""
    numbers = [_parse_any_decimal(value) for value in values]
    return bool(numbers) and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def label_side(first: Sequence[str], last: Sequence[str]) -> LabelSide:
    """Which of the two outer columns of a file holds labels; the other one is the corner of an image.

    `either`: the values allow both. `neither`: neither column holds digits. Values that are not numbers are ignored, so
    that a few bad records do not change the answer.
    """
    left, right = (_DigitShares.of(values) for values in (first, last))
    if not left.is_filled or not right.is_filled:
        return "last" if left.is_filled else "first"
    if right.nonzero >= _MOST:
        if left.nonzero >= _MOST:
            return "either"
        return "last" if left.zero >= _NEARLY_ALL or left.digit < _MOST else "either"
    if left.digit < _MOST:
        return "neither"
    is_first = left.nonzero >= _MOST or right.digit < 1 or (left.nonzero > 0 and right.nonzero == 0)
    return "first" if is_first else "either"


class _DigitShares:
    """Which shares of a column's numbers are 0, are 1 to 9, and are any of 0 to 9."""

    def __init__(self, numbers: Sequence[float]) -> None:
        count = max(1, len(numbers))
        self.is_filled = bool(numbers)
        self.zero = sum(value == 0 for value in numbers) / count
        self.nonzero = sum(value in range(1, CLASSES) for value in numbers) / count
        self.digit = self.zero + self.nonzero

    @classmethod
    def of(cls, values: Sequence[str]) -> "_DigitShares":
        numbers = [_parse_any_decimal(value) for value in values]
        return cls([value for value in numbers if value is not None])


def _parse_any_decimal(text: str) -> float | None:
    """A number with either decimal mark, as a file's mark is detected only once its columns are known; or a digit."""
    name = unquoted(text).casefold()
    return DIGIT_NAMES.index(name) if name in DIGIT_NAMES else parse_number(unquoted(text).replace(",", "."))
