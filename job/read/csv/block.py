"""Columns of text that are carried through from a CSV file to its predictions, as Arrow holds them.

Made from memory as in `write.columns`, and for the same reason: pyarrow's own conversions import pandas.

A block of CSV text -> a PixelBatch: find the records, parse them, set aside the ones that cannot be scored.

To `find_records` a line is a record: in a file of numbers an unbalanced quote costs its own line and no other. For
files of text there is `quoted`. Knows nothing of files; `csv` feeds it bytes. The compiled kernel finds and parses
at once where it can.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, PixelBatch, Reject
from job.read.csv.record import check_count, parse_pixels, split_fields
from job.read.labels import BadRecord, parse_label
from job.read.layout.names import Layout


def kept_schema(names: Sequence[str]) -> pa.Schema:
    """Columns of strings, in the order given."""
    return pa.schema([pa.field(name, pa.string()) for name in names])


def kept_batch(names: Sequence[str], columns: Sequence[Sequence[str | None]]) -> pa.RecordBatch:
    """A batch of at least one column of texts, null where None."""
    return pa.RecordBatch.from_arrays([_text_column(texts) for texts in columns], schema=kept_schema(names))


def _text_column(texts: Sequence[str | None]) -> pa.Array:
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    validity = np.packbits(np.array([text is not None for text in texts], np.bool_), bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


MAX_RAW_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a file: content[begin:end]; is_final says that the file ends there.

    Only records that begin before `limit` are asked for; the others belong to the next part.
    """

    content: bytearray
    begin: int
    end: int
    limit: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Records:
    """A block's records as a scanner fills them in: n rows, of which it may use fewer.

    pixels: uint8 (n, 784). labels: int8 (n,). starts, stops: int64 (n,), a record's bytes within the text, without
    the line end. lines: int64 (n,), its line, counted from 0. needs_patience: bool (n,), not parsed yet.
    kept: int64 (n, k, 2), start and stop of each kept field within the text, where the record needs no patience.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int8]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    needs_patience: npt.NDArray[np.bool_]
    kept: npt.NDArray[np.int64]

    @classmethod
    def room_for(cls, rows: int, kept_fields: int = 0) -> "Records":
        """Records of which nothing is known yet."""
        offsets = np.zeros((3, rows), np.int64)
        pixels, labels = np.empty((rows, PIXELS), np.uint8), np.full(rows, NO_LABEL, np.int8)
        kept = np.zeros((rows, kept_fields, 2), np.int64)
        return cls(pixels, labels, offsets[0], offsets[1], offsets[2], np.zeros(rows, np.bool_), kept)


@dataclass(frozen=True, slots=True)
class Scanned:
    """How far a scanner came: records found, the position after the last of them, lines passed."""

    rows: int
    position: int
    lines: int


# Finds whole records and fills `Records`; may parse what it understands. Blank lines are no records.
Scanner = Callable[[Text, Layout, Records], Scanned]


def find_records(text: Text, _layout: Layout, records: Records) -> Scanned:
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
            records.needs_patience[rows] = True
            rows += 1
        position = next_position
        lines += 1
    return Scanned(rows, position, lines)


def parse_block(text: Text, offset: int, layout: Layout, scan: Scanner, rows: int) -> tuple[PixelBatch, int]:
    """The next records of a text, at most `rows`, and the position in it after them.

    offset: where content[0] stands in the file, for the byte offsets of rejects.
    """
    records = Records.room_for(rows, len(layout.kept_fields))
    scanned = scan(text, layout, records)
    pixels, labels = records.pixels[: scanned.rows], records.labels[: scanned.rows]
    rejects = []
    kept: dict[int, list[str | None]] = {}
    for row in np.flatnonzero(records.needs_patience[: scanned.rows]).tolist():
        start = int(records.starts[row])
        record = bytes(text.content[start : records.stops[row]])
        problem, kept[row] = _parse(record, layout, pixels[row], labels[row : row + 1])
        if problem:
            line = int(records.lines[row]) + 1
            rejects.append(reject(problem, row, record, offset + start, line))
    return (
        PixelBatch(
            pixels,
            None if layout.label_field is None else labels,
            tuple(rejects),
            lines=scanned.lines,
            kept=_kept(text, layout, records.kept[: scanned.rows], kept),
        ),
        scanned.position,
    )


def _kept(
    text: Text, layout: Layout, places: npt.NDArray[np.int64], patient: Mapping[int, list[str | None]]
) -> pa.RecordBatch | None:
    """The kept columns of a block: what was parsed with patience, and the text at the scanner's places otherwise."""
    if not layout.kept_fields:
        return None
    rows = [
        patient[row] if row in patient else [text.content[start:stop].decode() for start, stop in places[row].tolist()]
        for row in range(len(places))
    ]
    columns = [[row[column] for row in rows] for column in range(len(layout.kept_fields))]
    return kept_batch(layout.kept_names, columns)


def reject(problem: BadRecord, row: int, record: bytes, byte_offset: int, line: int) -> Reject:
    """What the reject file will say about a bad record."""
    raw = record[: 4 * MAX_RAW_CHARACTERS].decode(errors="replace")[:MAX_RAW_CHARACTERS]
    return Reject(row, problem.reason, problem.detail, problem.column, raw, byte_offset, line)


def _parse(
    record: bytes, layout: Layout, pixels: npt.NDArray[np.uint8], label: npt.NDArray[np.int8]
) -> tuple[BadRecord | None, list[str | None]]:
    """Parse one record into its row, (784,) and (1,); what is wrong with it, and its kept fields."""
    label[0] = NO_LABEL
    kept: list[str | None] = [None] * len(layout.kept_fields)
    problem = None
    try:
        fields = split_fields(record, layout.delimiter)
        check_count(fields, layout)
        kept = [fields[field] for field in layout.kept_fields]
        try:
            if layout.label_field is not None:
                name = layout.column_name(layout.label_field)
                label[0] = parse_label(fields[layout.label_field], name, layout.decimal)
        except BadRecord as error:
            problem = error
        pixels[:] = parse_pixels(fields, layout)
    except BadRecord as error:
        problem = error
        pixels[:] = 0
    return problem, kept
