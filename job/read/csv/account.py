"""Whether the records of a text are all accounted for, as other code than that which read them counts them.

A record lost or made up is the worst that a reader can do, and the last that anyone would notice. So each block is
counted again before it is passed on, and each part makes sure that it ends where the next one begins.
"""

import csv
import io

import numpy as np

from job.compiled.machine_code import kernel
from job.contract import PixelBatch
from job.errors import InternalError
from job.read.csv.block import Text

_BLANK = (b"", b"\r")


def prepare() -> None:
    """Load the compiled code that counts."""
    kernel("job.read.csv.count_kernel", "count_lines")


def check_block(text: Text, stop: int, found: PixelBatch, delimiter: str, *, is_compiled: bool) -> None:
    """Count a text's records and lines up to `stop` again. Raises InternalError if they are others than `found`."""
    rows = len(found.pixels)
    lines, records = (_compiled_counts if is_compiled else _plain_counts)(text, stop)
    if rows != records and b'"' in text.content[text.begin : stop]:
        records = _quoted_records(text.content[text.begin : stop], delimiter, otherwise=rows)
    if (rows, found.lines) != (records, lines):
        raise InternalError(f"{rows} records were read from {found.lines} lines where {records} in {lines} are")
    # The next part will begin behind the first line feed from the last byte of this one's range on.
    last = text.limit - 1
    if text.begin <= last < stop and text.content.find(b"\n", last, stop) not in {stop - 1, -1}:
        raise InternalError("a part was read on into the next")


def _plain_counts(text: Text, stop: int) -> tuple[int, int]:
    *whole, rest = bytes(text.content[text.begin : stop]).split(b"\n")
    return len(whole) + (rest != b""), sum(line not in _BLANK for line in (*whole, rest))


def _compiled_counts(text: Text, stop: int) -> tuple[int, int]:
    counts = np.zeros(2, np.int64)
    address = np.frombuffer(text.content, np.uint8).ctypes.data
    kernel("job.read.csv.count_kernel", "count_lines")(address + text.begin, stop - text.begin, counts.ctypes.data)
    feeds, blanks = counts.tolist()
    rest = bytes(text.content[max(text.content.rfind(b"\n", text.begin, stop) + 1, text.begin) : stop])
    return feeds + (rest != b""), feeds - blanks + (rest not in _BLANK)


def _quoted_records(content: bytearray, delimiter: str, otherwise: int) -> int:
    """Records as Python's csv module counts them, in a text where quotes may hold line ends.

    `otherwise`: what to answer where that is no judge: quotes that do not match, or are left open for long, which cost
    their own line only; and a lone carriage return, which ends a line for Python.
    """
    if content.replace(b"\r\n", b"\n").count(b"\r"):
        return otherwise
    try:
        reader = csv.reader(io.StringIO(content.decode(errors="replace"), newline=""), delimiter=delimiter, strict=True)
        return sum(bool(row) for row in reader)
    except csv.Error:
        return otherwise
