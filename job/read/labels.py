"""Labels -> int8, -1 where there is none: from text, from numbers, or from dictionary-encoded values of either.

CSV calls `parse_label` for each record, Parquet `read_labels` for a column; both accept the same labels.
"""

import numpy as np
import pyarrow as pa

from job.contract import CLASSES, NO_LABEL, Labels, Reason, Reject
from job.read.arrow import is_number, validity, values
from job.read.layout.values import DecimalMark, parse_number, unquoted


class BadRecord(Exception):
    """A record that is rejected. column: the name of the column at fault, or None."""

    def __init__(self, reason: Reason, detail: str, column: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.column = column


def parse_label(text: str, column: str, decimal: DecimalMark = ".") -> int:
    """A label 0-9, or -1 if the field is empty. Raises BadRecord, naming the column, for anything else."""
    text = unquoted(text)
    if not text:
        return NO_LABEL
    value = parse_number(text, decimal)
    if value is None or not value.is_integer() or not 0 <= value < CLASSES:
        raise BadRecord(Reason.BAD_LABEL, f"{column} is {text[:40]!r}, expected 0-9", column)
    return int(value)


def read_labels(column: pa.Array, name: str) -> tuple[Labels, dict[int, Reject]]:
    """A column of n labels as int8 (n,), -1 where null, and by row the rejects of labels that are not 0-9."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return _from_numbers(column, name) if is_number(column.type) else _from_text(column, name)


def _from_numbers(column: pa.Array, name: str) -> tuple[Labels, dict[int, Reject]]:
    numbers = values(column)
    is_given = validity(column) & ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        digits = numbers.astype(np.int8)
    is_label = is_given & (digits == numbers) & (digits >= 0) & (digits < CLASSES)
    labels: Labels = np.where(is_label, digits, np.int8(NO_LABEL))
    bad = np.flatnonzero(is_given & ~is_label).tolist()
    return labels, {row: Reject(row, Reason.BAD_LABEL, f"{name} is {column[row]}, expected 0-9", name) for row in bad}


def _from_text(column: pa.Array, name: str) -> tuple[Labels, dict[int, Reject]]:
    labels = np.full(len(column), NO_LABEL, np.int8)
    rejects = {}
    for row, text in enumerate(column.to_pylist()):
        try:
            labels[row] = parse_label(text or "", name)
        except BadRecord as problem:
            rejects[row] = Reject(row, problem.reason, str(problem), name)
    return labels, rejects
