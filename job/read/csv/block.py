"""A block of CSV text -> a PixelBatch: find the records, parse them, reject those that cannot be scored.

A scanner finds the records, and may parse those that it understands; the rest goes through `record`, the slow, exact
parser. `find_records` here only finds them: a line is a record, so that in a file of numbers an unbalanced quote costs
its own line and no other. `quoted` has the scanner for files of text, `scan` the compiled one. `csv_source` calls this
module with bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import MAX_RAW, NO_LABEL, PIXELS, PixelBatch, Reject
from job.read.csv.record import check_count, parse_pixels, record_fields
from job.read.csv.stray_lines import OtherColumns, stray_line
from job.read.labels import BadRecord, byte_labels, parse_label
from job.read.layout.layout import Layout
from job.settings import LabelMap

# The compiled scanner loads a field's last three digits as four bytes, from its first digit on.
SPARE_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class TextSlice:
    """A slice of a file, content[begin:end], which starts with a record; is_final: the file ends at `end`.

    Only records that begin before `limit` are wanted; the others belong to the next part. At least SPARE_BYTES of any
    value follow `end` in `content`, because the compiled scanner reads them.
    """

    content: bytearray
    begin: int
    end: int
    limit: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Records:
    """Arrays for up to n records of a text, which a scanner fills in.

    pixels: uint8 (n, 784). labels: int8 (n,). starts, stops: int64 (n,), a record's first byte in `content` and its
    end, without the line end. lines: int64 (n,), its line, from 0. needs_slow_parser: bool (n,), not parsed yet.
    passthrough: int64 (n, k, 2), start and stop in `content` of each passthrough field of a parsed record.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int8]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    needs_slow_parser: npt.NDArray[np.bool_]
    passthrough: npt.NDArray[np.int64]

    @classmethod
    def allocate(cls, rows: int, passthrough_fields: int = 0) -> "Records":
        """Arrays for `rows` records."""
        offsets = np.zeros((3, rows), np.int64)
        pixels, labels = np.empty((rows, PIXELS), np.uint8), np.full(rows, NO_LABEL, np.int8)
        passthrough = np.zeros((rows, passthrough_fields, 2), np.int64)
        return cls(pixels, labels, offsets[0], offsets[1], offsets[2], np.zeros(rows, np.bool_), passthrough)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """How far a scanner got: records found, the position after the last one, lines passed including blank ones."""

    rows: int
    position: int
    lines: int


# Finds complete records and fills in `Records`; may parse what it understands. Blank lines are not records.
Scanner = Callable[[TextSlice, Layout, Records], ScanResult]


def find_records(text: TextSlice, _layout: Layout, records: Records) -> ScanResult:
    """The plain scanner: finds records and leaves all parsing to `record`."""
    rows = lines = 0
    position = text.begin
    content, end = text.content, text.end
    while rows < len(records.starts) and position < min(text.limit, end):
        found = content.find(b"\n", position, end)
        if found < 0 and not text.is_final:
            break
        stop = next_position = end
        if found >= 0:
            stop, next_position = found, found + 1
        if stop > position and content[stop - 1] == ord("\r"):
            stop -= 1
        if stop > position:
            records.starts[rows], records.stops[rows], records.lines[rows] = position, stop, lines
            records.needs_slow_parser[rows] = True
            rows += 1
        position = next_position
        lines += 1
    return ScanResult(rows, position, lines)


def parse_block(text: TextSlice, offset: int, layout: Layout, scan: Scanner, rows: int) -> tuple[PixelBatch, int]:
    """The next records of a text, at most `rows`, and the position in `content` after them.

    offset: the position of content[0] in the file, for the byte offsets of rejects. Raises OtherColumns.
    """
    records = Records.allocate(rows, len(layout.passthrough_fields))
    scanned = scan(text, layout, records)
    if layout.label_map is not None:
        _translate_labels(records, scanned.rows, layout.label_map)
    pixels, labels = records.pixels[: scanned.rows], records.labels[: scanned.rows]
    rejects = []
    slow_fields: dict[int, list[str | None]] = {}
    for row in np.flatnonzero(records.needs_slow_parser[: scanned.rows]).tolist():
        start = int(records.starts[row])
        record = bytes(text.content[start : records.stops[row]])
        try:
            problem, slow_fields[row] = _parse_record(record, layout, pixels[row], labels[row : row + 1])
        except OtherColumns as error:
            raise OtherColumns(str(error), offset + start) from error
        if problem:
            line = int(records.lines[row]) + 1
            rejects.append(record_reject(problem, row, record, offset + start, line))
    return (
        PixelBatch(
            pixels,
            None if layout.label_field is None else labels,
            tuple(rejects),
            lines=scanned.lines,
            passthrough=_passthrough(text, layout, records.passthrough[: scanned.rows], slow_fields),
        ),
        scanned.position,
    )


def _translate_labels(records: Records, rows: int, label_map: LabelMap) -> None:
    """Apply the map to the digits that the scanner parsed; a digit unknown to it is left to the slow parser."""
    digits = records.labels[:rows]
    is_digit = digits != NO_LABEL
    digits[is_digit] = byte_labels(label_map)[digits[is_digit]]
    records.needs_slow_parser[:rows] |= is_digit & (digits == NO_LABEL)


def record_reject(problem: BadRecord, row: int, record: bytes, byte_offset: int, line: int) -> Reject:
    """The reject of a bad record; its raw text is cut to MAX_RAW."""
    raw = record[: 4 * MAX_RAW].decode(errors="replace")[:MAX_RAW]
    return Reject(row, problem.reason, problem.detail, problem.column, raw, byte_offset, line, problem.label)


def _parse_record(
    record: bytes, layout: Layout, pixels: npt.NDArray[np.uint8], label: npt.NDArray[np.int8]
) -> tuple[BadRecord | None, list[str | None]]:
    """Parse one record into its row, (784,) and (1,); returns what is wrong with it, and its passthrough fields."""
    label[0] = NO_LABEL
    passthrough: list[str | None] = [None] * len(layout.passthrough_fields)
    problem = None
    try:
        fields = record_fields(record, layout)
        check_count(fields, layout)
        passthrough = [fields[field] for field in layout.passthrough_fields]
        try:
            if layout.label_field is not None:
                name = layout.column_name(layout.label_field)
                label[0] = parse_label(fields[layout.label_field], name, layout.decimal, layout.label_map)
        except BadRecord as error:
            problem = error
        pixels[:] = parse_pixels(fields, layout)
    except BadRecord as error:
        problem = error
        pixels[:] = 0
    stray = stray_line(record, layout) if problem else None
    if stray:
        pixels[:], label[0] = 0, NO_LABEL
    return stray or problem, passthrough


# Passthrough columns. Built from buffers, because pyarrow's own conversions import pandas.


def passthrough_schema(names: Sequence[str]) -> pa.Schema:
    """String columns, in the order given."""
    return pa.schema([pa.field(name, pa.string()) for name in names])


def passthrough_batch(names: Sequence[str], columns: Sequence[Sequence[str | None]]) -> pa.RecordBatch:
    """A batch of at least one string column; None becomes null."""
    return pa.RecordBatch.from_arrays([_text_column(texts) for texts in columns], schema=passthrough_schema(names))


def _passthrough(
    text: TextSlice, layout: Layout, bounds: npt.NDArray[np.int64], slow_fields: Mapping[int, list[str | None]]
) -> pa.RecordBatch | None:
    """A block's passthrough columns: the slow parser's fields by row, and the text within `bounds` for other rows."""
    if not layout.passthrough_fields:
        return None
    rows = [
        slow_fields[row]
        if row in slow_fields
        else [text.content[start:stop].decode() for start, stop in bounds[row].tolist()]
        for row in range(len(bounds))
    ]
    columns = [[row[column] for row in rows] for column in range(len(layout.passthrough_fields))]
    return passthrough_batch(layout.passthrough_names, columns)


def _text_column(texts: Sequence[str | None]) -> pa.Array:
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    validity = np.packbits(np.array([text is not None for text in texts], np.bool_), bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)
