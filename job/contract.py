"""The values that travel from stage to stage, and the constants that all stages share.

    bytes -> PixelBatch (read) -> ScoredBatch (predict) -> prediction rows (write)

Nothing here reads, writes or computes. Every other module may import this one; it imports none of them.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SIDE: Final = 28
PIXELS: Final = SIDE * SIDE
CLASSES: Final = 10
CLASS_NAMES: Final = tuple(str(digit) for digit in range(CLASSES))
DIGIT_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NO_LABEL: Final = -1
NO_PREDICTION: Final = -1

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int8]
Probabilities = npt.NDArray[np.float32]

# Rejects of one input that are listed one by one; of more, there are only counts.
MAX_LISTED: Final = 100_000
# Characters of a reject's texts, and of its raw record.
MAX_TEXT: Final = 1_000
MAX_RAW: Final = 4_096


class Acceptance(StrEnum):
    """What becomes of a scored row where a share of errors is promised: the values of the `decision` column."""

    ACCEPT = "accept"
    REVIEW = "review"


class Reason(StrEnum):
    """Why a record was rejected: all codes that the `reject` column and `rejects/*.jsonl` can contain."""

    TOO_FEW_FIELDS = "too_few_fields"
    TOO_MANY_FIELDS = "too_many_fields"
    MISSING_VALUE = "missing_value"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    NOT_AN_INTEGER = "not_an_integer"
    MALFORMED_QUOTES = "malformed_quotes"
    UNDECODABLE_TEXT = "undecodable_text"
    OVER_LONG_RECORD = "over_long_record"
    BAD_IMAGE = "bad_image"
    BAD_LABEL = "bad_label"
    REPEATED_HEADER = "repeated_header"
    COMMENT_LINE = "comment_line"

    @property
    def is_fatal(self) -> bool:
        """Whether the record gets no prediction. A bad label only excludes it from the accuracy."""
        return self is not Reason.BAD_LABEL

    @property
    def is_skipped(self) -> bool:
        """Whether the line is not a record at all; it keeps its row, but is counted apart from rejects."""
        return self in (Reason.REPEATED_HEADER, Reason.COMMENT_LINE)


@dataclass(frozen=True, slots=True)
class Reject:
    """Why one record was rejected, and where it is.

    row: from 0. line: from 1, of the record's first line; None for binary formats. A reader counts both within its
    batch; `shifted` converts them to positions in the part and the file. byte_offset: the record's first byte in the
    uncompressed file. column: the first bad one. raw: the record as it stands in the file, shortened. label: the
    label that a BAD_LABEL could not read, shortened.
    """

    row: int
    reason: Reason
    detail: str
    column: str | None = None
    raw: str | None = None
    byte_offset: int | None = None
    line: int | None = None
    label: str | None = None

    def shortened(self) -> "Reject":
        """The same reject with texts of bounded length: a column may have a name of a megabyte."""
        if len(self.detail) <= MAX_TEXT and len(self.column or "") <= MAX_TEXT and len(self.raw or "") <= MAX_RAW:
            return self
        return replace(
            self,
            detail=_cut(self.detail, MAX_TEXT),
            column=None if self.column is None else _cut(self.column, MAX_TEXT),
            raw=None if self.raw is None else self.raw[:MAX_RAW],
        )

    def shifted(self, rows: int, lines: int) -> "Reject":
        """The same reject, counted from `rows` rows and `lines` lines earlier."""
        return replace(self, row=self.row + rows, line=None if self.line is None else self.line + lines)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 2]}.."


@dataclass(frozen=True, slots=True)
class PixelBatch:
    """n records of one file, in order, as a reader yields them.

    pixels: uint8 (n, 784), C-contiguous, row-major 28x28, 0 = background, 255 = ink; 0 where rejected.
    labels: int8 (n,), -1 where the record has none; None if the input has no label column.
    rejects: ordered by row, which counts from 0 within the batch.
    lines: the lines of text that the batch spans, including blank lines and a header; 0 for binary formats.
    size_bytes: roughly how many bytes of the stored file were read for the batch; for progress only.
    passthrough: the n rows of the columns to copy to the predictions; None if there are none.
    """

    pixels: Pixels
    labels: Labels | None = None
    rejects: tuple[Reject, ...] = ()
    lines: int = 0
    size_bytes: int = 0
    passthrough: pa.RecordBatch | None = None


@dataclass(frozen=True)
class ScoredBatch:
    """A batch with the network's predictions.

    predictions: int8 (n,), -1 where rejected.
    probabilities: float32 (n, 10), rounded to six decimals; 0 where rejected.
    labels, rejects, passthrough: as in PixelBatch.
    """

    predictions: Labels
    probabilities: Probabilities
    labels: Labels | None
    rejects: tuple[Reject, ...]
    passthrough: pa.RecordBatch | None = None

    @cached_property
    def confidences(self) -> npt.NDArray[np.float32]:
        """float32 (n,): the predicted digit's probability, 0 where rejected."""
        # Reducing 10 rows of n is many times faster than reducing n rows of 10, even with the copy.
        highest: npt.NDArray[np.float32] = np.ascontiguousarray(self.probabilities.T).max(axis=0)
        return highest


def prediction_schema(
    *,
    has_labels: bool,
    with_probabilities: bool,
    with_decisions: bool = False,
    passthrough: pa.Schema | None = None,
) -> pa.Schema:
    """The columns of a prediction file, in order, with any passthrough columns; null where they do not apply."""
    fields = [pa.field("prediction", pa.int8()), pa.field("confidence", pa.float32())]
    if has_labels:
        fields.append(pa.field("label", pa.int8()))
    if with_decisions:
        fields.append(pa.field("decision", pa.string()))
    fields.append(pa.field("reject", pa.string()))
    fields.extend(passthrough or ())
    if with_probabilities:
        fields.extend(pa.field(f"p{name}", pa.float32()) for name in CLASS_NAMES)
    return pa.schema(fields)
