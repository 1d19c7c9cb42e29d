"""The hot loop of the CSV reader: a grid of small integers as text -> uint8, in one pass over the bytes.

Compiled by Numba and run without Python's lock. It accepts only what is plain - fields of one to three digits,
commas, LF or CRLF - and flags every other record for `csv_record`. Importing this module costs half a second
and the first call a compilation, so the reader imports it only for inputs that earn it back.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np

from job.contract import CLASSES
from job.read.csv_block import Records, Scanned, Text
from job.read.csv_record import MAX_RECORD_BYTES
from job.read.layout import Layout

_IGNORED: Final = -1
_LABEL: Final = -2

_COMMA: Final = ord(",")
_LINE_FEED: Final = ord("\n")
_CARRIAGE_RETURN: Final = ord("\r")
_ZERO: Final = ord("0")
_QUOTE: Final = ord('"')
_MAX_ASCII: Final = 127
_MAX_DIGITS: Final = 3
_MAX_PIXEL: Final = 255


def scan_records(text: Text, layout: Layout, records: Records) -> Scanned:
    """The compiled scanner: finds records and parses those it understands; see `csv_block.Scanner`."""
    destinations = np.full(layout.field_count, _IGNORED, np.int16)
    destinations[list(layout.pixel_fields)] = np.arange(len(layout.pixel_fields))
    if layout.label_field is not None:
        destinations[layout.label_field] = _LABEL
    return Scanned(
        *_scan(
            np.frombuffer(text.content, np.uint8), text.begin, text.end, text.limit, text.is_final, destinations,
            records.pixels, records.labels, records.starts, records.stops, records.lines, records.needs_patience,
        )
    )  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _scan(buffer, begin, end, limit, is_final, destinations, pixels, labels, starts, stops, lines, needs_patience):
    """Returns (records, position after the last of them, lines passed); arguments as in Text and Records."""
    rows = 0
    line = 0
    position = begin
    while rows < pixels.shape[0] and position < limit and position < end:
        understood, stop = _parse(buffer, position, end, destinations, pixels[rows], labels, rows)
        while stop < end and buffer[stop] != _LINE_FEED:
            stop += 1
        if stop == end and not is_final:
            break
        next_position = min(stop + 1, end)
        if stop > position and buffer[stop - 1] == _CARRIAGE_RETURN:
            stop -= 1
        if stop > position:
            starts[rows] = position
            stops[rows] = stop
            lines[rows] = line
            needs_patience[rows] = not understood or stop - position > MAX_RECORD_BYTES
            rows += 1
        position = next_position
        line += 1
    return rows, position, line


@numba.njit(nogil=True, cache=True)
def _parse(buffer, cursor, end, destinations, pixels, labels, row):
    """Parse the record at `cursor`; returns (understood, a position at or before its line end)."""
    last = destinations.size - 1
    for field in range(last + 1):
        destination = destinations[field]
        if destination == _IGNORED:
            while cursor < end and buffer[cursor] != _COMMA and buffer[cursor] > _CARRIAGE_RETURN:
                if buffer[cursor] == _QUOTE or buffer[cursor] > _MAX_ASCII:
                    return False, cursor
                cursor += 1
        else:
            first = cursor
            value = 0
            while cursor < end and _ZERO <= buffer[cursor] <= _ZERO + 9 and cursor - first <= _MAX_DIGITS:
                value = value * 10 + buffer[cursor] - _ZERO
                cursor += 1
            digits = cursor - first
            if digits == 0 or digits > _MAX_DIGITS:
                return False, cursor
            if destination == _LABEL:
                if value >= CLASSES:
                    return False, cursor
                labels[row] = value
            else:
                if value > _MAX_PIXEL:
                    return False, cursor
                pixels[destination] = value
        if field < last:
            if cursor == end or buffer[cursor] != _COMMA:
                return False, cursor
            cursor += 1
    if cursor < end and buffer[cursor] == _CARRIAGE_RETURN:
        cursor += 1
    return cursor == end or buffer[cursor] == _LINE_FEED, cursor
