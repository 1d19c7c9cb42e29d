"""A second count of each block's records and lines, by other code than the scanners.

A lost or invented record is the worst defect a reader can have and the hardest to notice. So `csv_source` has each
block recounted before it passes it on, and has each part end where the next one begins.
"""

import csv
import io

import numpy as np

from job.compiled.machine_code import kernel
from job.contract import PixelBatch
from job.errors import InternalError
from job.read.csv.block import TextSlice

_BLANK = (b"", b"\r")


def prepare() -> None:
    """Load the compiled counter, or compile it."""
    kernel("job.read.csv.count_kernel", "count_lines")


def check_block(text: TextSlice, stop: int, batch: PixelBatch, delimiter: str, *, is_compiled: bool) -> None:
    """Raise InternalError unless `batch` has as many records and lines as content[begin:stop] of `text`."""
    rows = len(batch.pixels)
    lines, records = (_compiled_counts if is_compiled else _plain_counts)(text, stop)
    if rows != records and b'"' in text.content[text.begin : stop]:
        records = _quoted_records(text.content[text.begin : stop], delimiter, fallback=rows)
    if (rows, batch.lines) != (records, lines):
        raise InternalError(f"read {rows} records in {batch.lines} lines, but counted {records} in {lines}")
    # The next part begins after the first line feed at or after the last byte of this part's range.
    last = text.limit - 1
    if text.begin <= last < stop and text.content.find(b"\n", last, stop) not in {stop - 1, -1}:
        raise InternalError("read past the end of a part")


def _plain_counts(text: TextSlice, stop: int) -> tuple[int, int]:
    """(lines, records that are not blank)."""
    *whole, rest = bytes(text.content[text.begin : stop]).split(b"\n")
    return len(whole) + (rest != b""), sum(line not in _BLANK for line in (*whole, rest))


def _compiled_counts(text: TextSlice, stop: int) -> tuple[int, int]:
    """What `_plain_counts` returns."""
    counts = np.zeros(2, np.int64)
    address = np.frombuffer(text.content, np.uint8).ctypes.data
    kernel("job.read.csv.count_kernel", "count_lines")(address + text.begin, stop - text.begin, counts.ctypes.data)
    feeds, blanks = counts.tolist()
    rest = bytes(text.content[max(text.content.rfind(b"\n", text.begin, stop) + 1, text.begin) : stop])
    return feeds + (rest != b""), feeds - blanks + (rest not in _BLANK)


def _quoted_records(content: bytearray, delimiter: str, fallback: int) -> int:
    """The records of a text whose quotes may hold line ends, as Python's csv module counts them.

    Returns `fallback` where that module splits records differently: at unbalanced quotes and at quotes left open for
    long, which cost only their own line here, and at a lone carriage return.
    """
    if content.replace(b"\r\n", b"\n").count(b"\r"):
        return fallback
    try:
        reader = csv.reader(io.StringIO(content.decode(errors="replace"), newline=""), delimiter=delimiter, strict=True)
        return sum(bool(row) for row in reader)
    except csv.Error:
        return fallback
