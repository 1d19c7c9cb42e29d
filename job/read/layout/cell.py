"""One text cell that holds a whole image: `0 0 12 ..`, `[0, 0, 12, ..]`, `[[0, ..], [..], ..]`, `{0,0,12,..}`.

pandas, NumPy, Postgres and Spark write lists and arrays in such ways. The readers of CSV and of tables call
`cell_numbers` for each record, and `is_image_cell` to find the column; `pixels` decides whether numbers are pixels.
"""

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, Reason
from job.read.layout.values import parse_number

_OPENING: Final = "[({"
_CLOSING: Final = "])}"
_WITHOUT_BRACKETS: Final = str.maketrans(dict.fromkeys(_OPENING + _CLOSING, " "))
_SEPARATORS: Final = (",", ";", "|")
_QUOTES: Final = "'\""
# NumPy's text of an array of more than 1,000 values, or pandas' of a wide one.
_ELLIPSES: Final = ("...", "…")

_PLAIN: Final = re.compile(r"[0-9.eE+\-\s,;|]*")
_SHOWN: Final = 40
# Fewer numbers than this are a point, a date or a box rather than an image with some pixels missing.
_MIN_NUMBERS: Final = PIXELS // 4


class BadCell(Exception):
    """A cell that holds no image of 784 numbers; the message says why. reason: of the reject."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def is_image_cell(text: str) -> bool:
    """Whether a cell looks like an image, even if some of its values are missing, wrong or left out (`...`)."""
    text = text.strip()
    is_bracketed = text[:1] in _OPENING and text[-1:] in _CLOSING and bool(text)
    if is_bracketed and any(dots in text for dots in _ELLIPSES):
        return True
    fields = _fields(text)
    numbers = sum(parse_number(field) is not None for field in fields[: 2 * PIXELS])
    return numbers >= _MIN_NUMBERS and 2 * numbers >= min(len(fields), 2 * PIXELS)


def cell_numbers(text: str, name: str) -> npt.NDArray[np.float64]:
    """The 784 numbers of a cell, float64 (784,), in their order; any finite numbers.

    name: the cell's column, for messages. Raises BadCell.
    """
    if not text.strip():
        raise BadCell(Reason.MISSING_VALUE, f"{name} is empty, expected an image")
    if any(dots in text for dots in _ELLIPSES):
        raise BadCell(
            Reason.TOO_FEW_FIELDS,
            f"{name} was cut when it was written (it has `...`); write all {PIXELS} values, as .tolist() gives them",
        )
    _check_brackets(text.strip(), name)
    fields = _fields(text)
    if len(fields) != PIXELS:
        reason = Reason.TOO_FEW_FIELDS if len(fields) < PIXELS else Reason.TOO_MANY_FIELDS
        raise BadCell(reason, f"{name} has {len(fields)} values, expected {PIXELS}")
    if _PLAIN.fullmatch(text.translate(_WITHOUT_BRACKETS)):
        try:
            numbers = np.array(fields, np.float64)
        except ValueError:
            return _parsed(fields, name)
        if np.isfinite(numbers).all():
            return numbers
    return _parsed(fields, name)


def _parsed(fields: list[str], name: str) -> npt.NDArray[np.float64]:
    """The numbers of fields one by one, which finds the first that is none. Raises BadCell."""
    numbers = np.empty(len(fields))
    for index, field in enumerate(fields):
        if not field:
            raise BadCell(Reason.MISSING_VALUE, f"{name}[{index}] is empty, expected a number")
        value = parse_number(field)
        if value is None:
            raise BadCell(Reason.NOT_A_NUMBER, f"{name}[{index}] is {field[:_SHOWN]!r}, expected a number")
        numbers[index] = value
    return numbers


def _fields(text: str) -> list[str]:
    """The values between separators, or else between spaces; a separator at the end ends the last value."""
    inner = text.translate(_WITHOUT_BRACKETS).strip()
    separator = next((each for each in _SEPARATORS if each in inner), None)
    if separator is None:
        return [field.strip(_QUOTES) for field in inner.split()]
    return [field.strip().strip(_QUOTES) for field in inner.removesuffix(separator).split(separator)]


def _check_brackets(text: str, name: str) -> None:
    """Raise BadCell for a list that is not closed, which was cut off."""
    opened, closed = (sum(map(text.count, brackets)) for brackets in (_OPENING, _CLOSING))
    if opened != closed or (text[0] in _OPENING) != (text[-1] in _CLOSING):
        raise BadCell(Reason.TOO_FEW_FIELDS, f"{name} has a bracket that is not closed, as if it were cut off")
