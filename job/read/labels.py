"""Labels -> int8, -1 where there is none: from text, from numbers, or from dictionary-encoded values of either.

CSV calls `parse_label` for each record, Parquet `read_labels` for a column, IDX `byte_labels` for bytes; all accept the
same labels: digits, their English names, and what a `LabelMap` (read by `label_map`) says.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa

from job.contract import CLASS_NAMES, CLASSES, DIGIT_NAMES, NO_LABEL, Labels, Reason, Reject
from job.read.arrow import is_number, validity, values
from job.read.layout.values import DecimalMark, parse_number, unquoted
from job.settings import LabelMap

# The own meaning of a label, without a map.
_OWN: Final = {name: digit for names in (CLASS_NAMES, DIGIT_NAMES) for digit, name in enumerate(names)}
_SHOWN_CHARACTERS: Final = 40


class BadRecord(Exception):
    """A record that is rejected. column: the name of the column at fault, or None. label: an unreadable label."""

    def __init__(self, reason: Reason, detail: str, column: str | None = None, label: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.column = column
        self.label = label


def label_key(text: str, decimal: DecimalMark = ".") -> str:
    """The form in which labels are compared: `7` for 7.0 and 07, other text in lower case without surrounding space."""
    text = unquoted(text)
    value = parse_number(text, decimal)
    if value is None:
        return text.casefold()
    return str(int(value)) if value.is_integer() else repr(value)


def parse_label(text: str, column: str, decimal: DecimalMark = ".", label_map: LabelMap | None = None) -> int:
    """A label 0-9, or -1 if the field is empty. Raises BadRecord, naming the column, for anything else."""
    text = unquoted(text)
    if not text:
        return NO_LABEL
    digits = _digits_by_key(label_map)
    digit = digits.get(text)
    if digit is None:
        digit = digits.get(label_key(text, decimal))
    if digit is None:
        shown = text[:_SHOWN_CHARACTERS]
        raise BadRecord(Reason.BAD_LABEL, f"{column} is {shown!r}, expected {_expected(label_map)}", column, shown)
    return digit


def read_labels(column: pa.Array, name: str, label_map: LabelMap | None = None) -> tuple[Labels, dict[int, Reject]]:
    """A column of n labels as int8 (n,), -1 where null, and by row the rejects of labels that are not 0-9."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_number(column.type):
        return _from_numbers(column, name, label_map)
    return _from_text(column, name, label_map)


def bad_label(row: int, column: str, text: str, label_map: LabelMap | None = None) -> Reject:
    """The reject of a label that is neither a digit nor known to the map."""
    shown = text[:_SHOWN_CHARACTERS]
    detail = f"{column} is {shown}, expected {_expected(label_map)}"
    return Reject(row, Reason.BAD_LABEL, detail, column, label=shown)


@functools.lru_cache(maxsize=8)
def byte_labels(label_map: LabelMap | None) -> Labels:
    """The labels of the numbers 0 to 255: int8 (256,), -1 where a number is neither a digit nor known to the map."""
    digits = _digits_by_key(label_map)
    table = np.array([digits.get(str(number), NO_LABEL) for number in range(256)], np.int8)
    table.flags.writeable = False
    return table


@functools.lru_cache(maxsize=8)
def _digits_by_key(label_map: LabelMap | None) -> Mapping[str, int]:
    """What each label means, by `label_key`.

    A digit that the map neither names nor gives to another label keeps its meaning, so that a map of 10 to 0 leaves 1
    to 9 as they are, and makes a 0 unreadable, which would have two meanings.
    """
    if label_map is None:
        return MappingProxyType(_OWN)
    given = dict(label_map.digits)
    kept = {key: digit for key, digit in _OWN.items() if digit not in given.values()}
    return MappingProxyType({**kept, **given})


def _expected(label_map: LabelMap | None) -> str:
    return "0-9" if label_map is None else f"a label that {label_map.location} knows"


def _from_numbers(column: pa.Array, name: str, label_map: LabelMap | None) -> tuple[Labels, dict[int, Reject]]:
    numbers = values(column)
    is_given = validity(column) & ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        digits = numbers.astype(np.int8)
    is_label = is_given & (digits == numbers) & (digits >= 0) & (digits < CLASSES)
    labels: Labels = np.where(is_label, digits, np.int8(NO_LABEL))
    if label_map is not None:
        distinct, places = np.unique(numbers[is_given], return_inverse=True)
        known = _digits_by_key(label_map)
        mapped = [known.get(label_key(str(each)), NO_LABEL) for each in distinct.tolist()]
        labels = np.full(len(numbers), NO_LABEL, np.int8)
        labels[is_given] = np.array(mapped, np.int8)[places]
    bad = np.flatnonzero(is_given & (labels == NO_LABEL)).tolist()
    return labels, {row: bad_label(row, name, str(column[row]), label_map) for row in bad}


def _from_text(column: pa.Array, name: str, label_map: LabelMap | None) -> tuple[Labels, dict[int, Reject]]:
    labels = np.full(len(column), NO_LABEL, np.int8)
    rejects = {}
    for row, text in enumerate(column.to_pylist()):
        try:
            labels[row] = parse_label(text or "", name, label_map=label_map)
        except BadRecord as problem:
            rejects[row] = Reject(row, problem.reason, str(problem), name, label=problem.label)
    return labels, rejects
