"""Malformed CSV files, generated from bytes: the same bytes make the same file.

A fuzzer, or Hypothesis, changes the bytes and so explores files that are nearly valid. The header or first record is
always good, so that the expected rows are known without the reader.
"""

import io
from dataclasses import dataclass

import numpy as np

PIXELS = [f"pixel{index}" for index in range(784)]
COLUMNS = [None, ["label", *PIXELS], PIXELS, ["id", "label", *PIXELS]]
MARK = b"\xef\xbb\xbf"
MAX_RECORDS = 24
TOKENS = [
    b"", b" ", b"0", b"007", b"0007", b"255", b"256", b"999", b"-1", b"+3", b" 7 ", b"1.0", b"1.5", b"1e2", b"1e999",
    b"nan", b"inf", b"1_0", b"0x10", b"\xd9\xa3", b"\xff", b"\0", b"\r", b'"', b'""', b'"5"', b'"5', b'5"', b'"5,6"',
    b"5,6", b";", b"\t", b"12345678901234567890", b"x" * 5000,
]  # fmt: skip


@dataclass(frozen=True)
class MessyCsv:
    """content: the whole file. fields: of a good record, pixels last. label_field: the label's index, or None."""

    content: bytes
    has_header: bool
    fields: int
    label_field: int | None


class Choices:
    """Numbers and pieces read from bytes one after another; zeros once they are used up."""

    def __init__(self, data):
        self._rest = io.BytesIO(data)
        self._size = len(data)

    def __bool__(self):
        return self._rest.tell() < self._size

    def below(self, limit):
        """A number in [0, limit)."""
        return int.from_bytes(self._rest.read(2 if limit > 256 else 1), "little") % limit

    def piece(self):
        """Up to 40 bytes, unchanged."""
        return self._rest.read(self.below(41))


def messy_csv(data):
    """The file that bytes stand for."""
    choices = Choices(data)
    names = COLUMNS[choices.below(len(COLUMNS))]
    mark, end = choices.below(2) * MARK, [b"\n", b"\r\n"][choices.below(2)]
    has_last_end = choices.below(2)
    columns = names or COLUMNS[1]
    lines = [",".join(columns).encode() if names else good_record(columns, 0)]
    while choices and len(lines) < MAX_RECORDS:
        kind = KINDS[choices.below(len(KINDS))]
        lines.append(kind(good_record(columns, choices.below(256)), choices))
    content = mark + end.join(lines) + end * has_last_end
    label = columns.index("label") if "label" in columns else None
    return MessyCsv(content, names is not None, len(columns), label)


def good_record(columns, seed):
    """A valid record; its pixels have one, two and three digits."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, len(columns)) * (random.random(len(columns)) < 0.3)
    values[-1] = 255
    if "label" in columns:
        values[columns.index("label")] = seed % 10
    return ",".join(map(str, values.tolist())).encode()


def _unchanged(record, _choices):
    return record


def with_token(record, choices):
    """One field is replaced by a token."""
    fields = record.split(b",")
    fields[choices.below(len(fields))] = TOKENS[choices.below(len(TOKENS))]
    return b",".join(fields)


def _quoted(record, choices):
    fields = record.split(b",")
    for _ in range(choices.below(4)):
        place = choices.below(len(fields))
        fields[place] = b'"' + fields[place] + b'"'
    return b",".join(fields)


def _with_piece(record, choices):
    place = choices.below(len(record))
    return record[:place] + choices.piece() + record[place + choices.below(3) :]


def _truncated(record, choices):
    return record[: choices.below(len(record))]


def _longer(record, choices):
    return record + b"," + choices.piece()


def _garbage(_record, choices):
    return choices.piece()


def _blank(_record, _choices):
    return b""


KINDS = [_unchanged, with_token, _quoted, _with_piece, _truncated, _longer, _garbage, _blank]
