"""The hot loop of the CSV reader: a grid of small integers as text -> uint8, in one pass over the bytes.

Compiled by Numba and run without Python's lock. It accepts only what is plain - fields of one to three digits, the
delimiter, LF or CRLF - and flags every other record for `csv_record`. Two ways through a record:

- `_parse_fast`, for files that are pixels in order with the label first, last or absent: 64 bytes at a time. One
  comparison counts the background pixels ahead (four in five of MNIST's are 0); where there is ink, one comparison
  finds the ends of all fields in 64 bytes, and each field becomes a number without a branch on its length.
- `_parse`, byte by byte, for every other order of columns, and for what the first does not understand.

Importing this module costs half a second and the first call a compilation, so the reader imports it only for inputs
that earn it back.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS
from job.read.csv_block import Records, Scanned, Text
from job.read.csv_record import MAX_RECORD_BYTES
from job.read.csv_vector import (
    PAIRS,
    WIDTH,
    equal_bytes,
    first_bit,
    leading_zero_fields,
    load_word,
    non_digits,
    store_byte,
    store_zeros,
)
from job.read.layout import Layout

_IGNORED: Final = -1
_LABEL: Final = -2

_ELSEWHERE: Final = -1
_ABSENT: Final = 0
_FIRST: Final = 1
_LAST: Final = 2

_LINE_FEED: Final = ord("\n")
_CARRIAGE_RETURN: Final = ord("\r")
_ZERO: Final = ord("0")
_QUOTE: Final = ord('"')
_MAX_ASCII: Final = 127
_MAX_DIGITS: Final = 3
_MAX_PIXEL: Final = 255


def scan_records(text: Text, layout: Layout, records: Records) -> Scanned:
    """The compiled scanner: finds records and parses those it understands; see `csv_block.Scanner`."""
    return Scanned(
        *_scan(
            np.frombuffer(text.content, np.uint8), text.begin, text.end, text.limit, text.is_final,
            _destinations(layout), _label_place(layout), ord(layout.delimiter),
            records.pixels, records.labels, records.starts, records.stops, records.lines, records.needs_patience,
        )
    )  # fmt: skip


def _destinations(layout: Layout) -> npt.NDArray[np.int16]:
    """For each field the pixel that it is, or _LABEL, or _IGNORED."""
    destinations = np.full(layout.field_count, _IGNORED, np.int16)
    destinations[list(layout.pixel_fields)] = np.arange(PIXELS)
    if layout.label_field is not None:
        destinations[layout.label_field] = _LABEL
    return destinations


def _label_place(layout: Layout) -> int:
    """Where the label stands if the fields are just the pixels in order and perhaps a label; else _ELSEWHERE."""
    pixels = layout.pixel_fields
    is_in_order = pixels == tuple(range(pixels[0], pixels[0] + PIXELS))
    places = {(PIXELS, None): _ABSENT, (PIXELS + 1, 0): _FIRST, (PIXELS + 1, PIXELS): _LAST}
    return places.get((layout.field_count, layout.label_field), _ELSEWHERE) if is_in_order else _ELSEWHERE


@numba.njit(nogil=True, cache=True)
def _scan(
    buffer, begin, end, limit, is_final, destinations, label_place, delimiter,
    pixels, labels, starts, stops, lines, needs_patience,
):  # fmt: skip
    """Returns (records, position after the last of them, lines passed); arguments as in Text and Records."""
    rows = 0
    line = 0
    position = begin
    last_row = pixels.shape[0] - 1
    while rows <= last_row and position < limit and position < end:
        stop = -1
        # The fast way may write some bytes into the row after this one, so the last row is not its to parse.
        if label_place != _ELSEWHERE and rows < last_row:
            stop = _parse_fast(buffer, position, end, label_place, delimiter, pixels, labels, rows)
        understood = stop >= 0
        if not understood:
            understood, stop = _parse(buffer, position, end, destinations, delimiter, pixels[rows], labels, rows)
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
def _parse_fast(buffer, position, end, label_place, delimiter, pixels, labels, row):
    """Parse the record at `position`; returns the place of its line feed, or -1 where it is not plain."""
    if label_place == _FIRST:
        if position + 2 >= end or buffer[position + 1] != delimiter or not _ZERO <= buffer[position] <= _ZERO + 9:
            return -1
        labels[row] = buffer[position] - _ZERO
        position += 2
    fields = PIXELS + 1 if label_place == _LAST else PIXELS
    base = buffer.ctypes.data
    start_of_row = pixels.ctypes.data + row * PIXELS
    stop = _parse_fields(base + position, base + buffer.size, delimiter, start_of_row, fields) - base
    if stop < 0 or stop >= end:
        return -1
    if label_place == _LAST:
        # It was written behind the row's pixels, where the next row begins.
        label = pixels[row + 1, 0]
        if label >= CLASSES:
            return -1
        labels[row] = label
    if buffer[stop] == _CARRIAGE_RETURN and stop + 1 < end:
        stop += 1
    return stop if buffer[stop] == _LINE_FEED else -1


@numba.njit(nogil=True, cache=True)
def _parse_fields(address, end_address, delimiter, row_address, fields):
    """Parse `fields` numbers 0-255 of one to three digits with a delimiter between them, from `address` on.

    Writes them from `row_address` on, and up to 96 bytes of rubbish behind them. Returns the address of the byte after
    the last one, or 0 where something is not as said, or where fewer than 64 bytes are left to look at.
    """
    field = 0
    is_bad = False
    while address + WIDTH <= end_address:
        zeros = leading_zero_fields(address, delimiter)
        if zeros:
            store_zeros(row_address + field)
            field += zeros
            address += 2 * zeros
            if field > fields:
                return 0
            if zeros == PAIRS:
                continue
            if address + WIDTH > end_address:
                return 0
        ends = non_digits(address)
        delimiters = equal_bytes(address, delimiter)
        start = 0
        while ends != 0:
            stop = first_bit(ends)
            length = stop - start
            # Three bytes, right-aligned: what stands in front of a shorter number is shifted in as zeros.
            digits = (load_word(address + start) << np.uint64((8 * (_MAX_DIGITS - length)) & 63)) & np.uint64(0x0F0F0F)
            hundreds, tens = digits & np.uint64(0xFF), (digits >> np.uint64(8)) & np.uint64(0xFF)
            value = hundreds * np.uint64(100) + tens * np.uint64(10) + (digits >> np.uint64(16))
            is_bad |= (value > _MAX_PIXEL) | (length < 1) | (length > _MAX_DIGITS)
            store_byte(row_address + field, value)
            field += 1
            if (delimiters >> np.uint64(stop)) & np.uint64(1) == 0:
                return 0 if is_bad or field != fields else address + stop
            start = stop + 1
            ends &= ends - np.uint64(1)
            # Where one background pixel is, there are more: let them be counted rather than walked through.
            if value == 0:
                break
        if start == 0 or field > fields:
            return 0
        address += start
    return 0


@numba.njit(nogil=True, cache=True)
def _parse(buffer, cursor, end, destinations, delimiter, pixels, labels, row):
    """Parse the record at `cursor`; returns (understood, a position at or before its line end)."""
    last = destinations.size - 1
    for field in range(last + 1):
        destination = destinations[field]
        if destination == _IGNORED:
            while cursor < end and buffer[cursor] != delimiter and buffer[cursor] > _CARRIAGE_RETURN:
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
            if cursor == end or buffer[cursor] != delimiter:
                return False, cursor
            cursor += 1
    if cursor < end and buffer[cursor] == _CARRIAGE_RETURN:
        cursor += 1
    return cursor == end or buffer[cursor] == _LINE_FEED, cursor
