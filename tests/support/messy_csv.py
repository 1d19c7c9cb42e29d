"""CSV files as nobody would want them, made from a string of bytes: the same bytes make the same file.

A fuzzer, or hypothesis, changes the bytes and so finds its way through files that are nearly right. The header, or the
first record, is always good, so that what the rows should be can be said without the reader.
"""

import io
from dataclasses import dataclass

import numpy as np

PIXELS = [f"pixel{index}" for index in range(784)]
DRESSES = [None, ["label", *PIXELS], PIXELS, ["id", "label", *PIXELS]]
MARK = b"\xef\xbb\xbf"
MAX_RECORDS = 24
TOKENS = [
    b"", b" ", b"0", b"007", b"0007", b"255", b"256", b"999", b"-1", b"+3", b" 7 ", b"1.0", b"1.5", b"1e2", b"1e999",
    b"nan", b"inf", b"1_0", b"0x10", b"\xd9\xa3", b"\xff", b"\0", b"\r", b'"', b'""', b'"5"', b'"5', b'5"', b'"5,6"',
    b"5,6", b";", b"\t", b"12345678901234567890", b"x" * 5000,
]  # fmt: skip


@dataclass(frozen=True)
class MessyCsv:
    """content: the whole file. fields: how many a record should have; label_field: its place; pixels come last."""

    content: bytes
    has_header: bool
    fields: int
    label_field: int | None


class Choices:
    """Numbers and pieces taken from a string of bytes, one after the other; zeros once it is used up."""

    def __init__(self, data):
        self._rest = io.BytesIO(data)
        self._size = len(data)

    def __bool__(self):
        return self._rest.tell() < self._size

    def below(self, limit):
        """A number in [0, limit)."""
        return int.from_bytes(self._rest.read(2 if limit > 256 else 1), "little") % limit

    def piece(self):
        """Up to 40 bytes as they are."""
        return self._rest.read(self.below(41))


def messy_csv(data):
    """The file that a string of bytes stands for."""
    choices = Choices(data)
    names = DRESSES[choices.below(len(DRESSES))]
    mark, end = choices.below(2) * MARK, [b"\n", b"\r\n"][choices.below(2)]
    has_last_end = choices.below(2)
    columns = names or DRESSES[1]
    lines = [",".join(columns).encode() if names else good_record(columns, 0)]
    while choices and len(lines) < MAX_RECORDS:
        kind = KINDS[choices.below(len(KINDS))]
        lines.append(kind(good_record(columns, choices.below(256)), choices))
    content = mark + end.join(lines) + end * has_last_end
    label = columns.index("label") if "label" in columns else None
    return MessyCsv(content, names is not None, len(columns), label)


def good_record(columns, seed):
    """A record without fault; among its pixels are numbers of one, two and three digits."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, len(columns)) * (random.random(len(columns)) < 0.3)
    values[-1] = 255
    if "label" in columns:
        values[columns.index("label")] = seed % 10
    return ",".join(map(str, values.tolist())).encode()


def _as_it_is(record, _choices):
    return record


def with_token(record, choices):
    """One field is something else."""
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


def _cut_off(record, choices):
    return record[: choices.below(len(record))]


def _longer(record, choices):
    return record + b"," + choices.piece()


def _rubbish(_record, choices):
    return choices.piece()


def _blank(_record, _choices):
    return b""


KINDS = [_as_it_is, with_token, _quoted, _with_piece, _cut_off, _longer, _rubbish, _blank]
