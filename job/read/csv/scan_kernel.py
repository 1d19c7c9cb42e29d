"""The compiled scanner: text -> uint8 pixels, in one pass over the bytes. The hot loop of the CSV reader.

It parses only plain records - unquoted ASCII, numbers without sign or space, LF or CRLF - and flags every other one for
`record`, the slow parser, whose results it must match. There are two ways through the fields of a record:

- `run_kernel`, 64 bytes at a time, if the 784 pixels are integers and in order, as in nearly all files.
- `_parse_record`, byte by byte, for labels, passthrough columns, fractions, any other order, and whatever the first way
  does not understand.

Compiled by Numba; `machine_code` caches and loads it for `scan`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.contract import CLASSES, PIXELS
from job.read.csv.record import MAX_RECORD_BYTES
from job.read.csv.run_kernel import LOOK_BEHIND, parse_run, parse_run_packed
from job.read.csv.scan import IGNORED, LABEL, PASSTHROUGH
from job.read.pixels import PIXEL_TOLERANCE

_LINE_FEED: Final = ord("\n")
_CARRIAGE_RETURN: Final = ord("\r")
_ZERO: Final = ord("0")
_MINUS: Final = ord("-")
_PLUS: Final = ord("+")
_QUOTE: Final = ord('"')
_LOWER_CASE: Final = 0x20
_EXPONENT: Final = ord("e")
_MAX_ASCII: Final = 127
_MAX_EXPONENT_DIGITS: Final = 3
_MAX_PIXEL: Final = 255

# Every integer below 2**53 and every power of ten up to 10**22 is exactly a double. A quotient or product of two such
# numbers is the nearest double, which is also what Python's float() returns (W. D. Clinger, "How to read floating point
# numbers accurately", 1990).
_MAX_SIGNIFICANT: Final = 15
_POWERS: Final = 10.0 ** np.arange(23)

# Fractions with more digits have at most this error, in pixels; closer than that to a half, the slow parser rounds.
_UNSURE: Final = 1e-6
# A little less than PIXEL_TOLERANCE: at that very distance, the slow parser decides.
_SURELY_WHOLE: Final = PIXEL_TOLERANCE - _UNSURE
_BYTES, _LONGS = types.CPointer(types.uint8), types.CPointer(types.int64)
SIGNATURE: Final = types.void(
    _BYTES, *[types.int64] * 4, _LONGS, *[types.int64] * 8,
    _BYTES, types.CPointer(types.int8), _LONGS, _LONGS, _LONGS, _LONGS, types.CPointer(types.boolean),
    types.int64, _LONGS,
)  # fmt: skip


@numba.njit
def scan(
    content, begin, end, limit, is_final, purposes, fields, run, passthrough_fields, delimiter, decimal, is_fraction,
    is_aligned, can_pack, pixels, labels, passthrough, starts, stops, lines, needs_slow_parser, rows, result,
):  # fmt: skip
    """Fill in `block.Records` of `rows` rows from a `block.TextSlice`, and `block.ScanResult` as int64 (3,).

    content: at least SPARE_BYTES follow `end`; no byte before the first or after these is read.

    purposes: int64 (fields,), see `scan`. run: the first field of 784 pixels in order, or -1.
    """
    found, position, passed = _scan(
        carray(content, end), begin, end, limit, is_final != 0, carray(purposes, fields), run,
        delimiter, decimal, is_fraction != 0, is_aligned != 0, can_pack != 0,
        carray(pixels, (rows, PIXELS)), carray(labels, rows), carray(passthrough, (rows, passthrough_fields, 2)),
        carray(starts, rows), carray(stops, rows), carray(lines, rows), carray(needs_slow_parser, rows),
    )  # fmt: skip
    result[0] = found
    result[1] = position
    result[2] = passed


@numba.njit
def _scan(
    buffer, begin, end, limit, is_final, purposes, run, delimiter, decimal, is_fraction, is_aligned, can_pack,
    pixels, labels, passthrough, starts, stops, lines, needs_slow_parser,
):  # fmt: skip
    """Returns (records, position after the last of them, lines passed)."""
    # Typed, because Numba would also compile what they are passed to for the literal 0.
    rows = np.int64(0)
    line = np.int64(0)
    position = begin
    last_row = pixels.shape[0] - 1
    while rows <= last_row and position < limit and position < end:
        # `run_kernel` may write garbage into the row after its own, so it must not parse the last row.
        understood, stop = _parse_record(
            buffer, position, end, purposes, run if rows < last_row else -1, delimiter, decimal, is_fraction,
            is_aligned, can_pack, pixels[rows], labels, passthrough, rows,
        )  # fmt: skip
        if not understood:
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
            needs_slow_parser[rows] = not understood or stop - position > MAX_RECORD_BYTES
            rows += 1
        position = next_position
        line += 1
    return rows, position, line


@numba.njit
def _parse_record(
    buffer, cursor, end, purposes, run, delimiter, decimal, is_fraction, is_aligned, can_pack,
    pixels, labels, passthrough, row,
):  # fmt: skip
    """Parse the record at `cursor`; returns (whether it is plain, a position at or before its line end)."""
    base = buffer.ctypes.data
    field = 0
    while True:
        if is_aligned:
            cursor = _skip(buffer, cursor, end, delimiter)
        stop = 0
        if field == run and not is_fraction:
            if can_pack and cursor >= LOOK_BEHIND:
                stop = parse_run_packed(base + cursor, base + end, delimiter, pixels.ctypes.data, PIXELS)
            else:
                stop = parse_run(base + cursor, base + end, delimiter, pixels.ctypes.data, PIXELS)
        if stop != 0:
            cursor = stop - base
            field += PIXELS
        else:
            purpose = purposes[field]
            first = cursor
            if purpose == IGNORED or purpose <= PASSTHROUGH:
                while cursor < end and buffer[cursor] != delimiter and buffer[cursor] > _CARRIAGE_RETURN:
                    if buffer[cursor] == _QUOTE or buffer[cursor] > _MAX_ASCII:
                        return False, cursor
                    cursor += 1
                if purpose <= PASSTHROUGH:
                    passthrough[row, PASSTHROUGH - purpose, 0] = first
                    passthrough[row, PASSTHROUGH - purpose, 1] = cursor
            else:
                is_label = purpose == LABEL
                value, cursor = _parse_number(buffer, cursor, end, decimal, is_fraction, is_label)
                if value < 0 or (is_label and value >= CLASSES):
                    return False, cursor
                if is_label:
                    labels[row] = value
                else:
                    pixels[purpose] = value
            field += 1
        if field == purposes.size:
            break
        if cursor == end or buffer[cursor] != delimiter:
            return False, cursor
        cursor += 1
    if is_aligned:
        cursor = _skip(buffer, cursor, end, delimiter)
    if cursor < end and buffer[cursor] == _CARRIAGE_RETURN:
        cursor += 1
    return cursor == end or buffer[cursor] == _LINE_FEED, cursor


@numba.njit
def _skip(buffer, cursor, end, delimiter):
    """The position of the first byte at or after `cursor` that is not the delimiter."""
    while cursor < end and buffer[cursor] == delimiter:
        cursor += 1
    return cursor


@numba.njit
def _parse_number(buffer, cursor, end, decimal, is_fraction, is_label):
    """Parse the number at `cursor`; returns (0-255, the position after it), or (-1, ...) for the slow parser.

    is_fraction: a pixel is a share of 255, to be rounded; otherwise a whole number, but for rounding errors. is_label:
    it is exactly a whole number.
    """
    mantissa = significant = exponent = 0
    has_digits = is_after_mark = False
    is_exact = True
    while cursor < end:
        byte = buffer[cursor]
        if _ZERO <= byte <= _ZERO + 9:
            has_digits = True
            if significant < _MAX_SIGNIFICANT:
                mantissa = mantissa * 10 + (byte - _ZERO)
                significant += mantissa != 0
                exponent -= is_after_mark
            else:
                is_exact &= byte == _ZERO
                exponent += not is_after_mark
        elif byte == decimal and has_digits and not is_after_mark:
            is_after_mark = True
        else:
            break
        cursor += 1
    if cursor < end and has_digits and (buffer[cursor] | _LOWER_CASE) == _EXPONENT:
        power, digits, cursor = _parse_exponent(buffer, cursor + 1, end)
        has_digits = digits > 0
        exponent += power
    if not has_digits:
        return -1, cursor
    return _to_pixel(mantissa, exponent, is_exact, is_fraction, is_label), cursor


@numba.njit
def _parse_exponent(buffer, cursor, end):
    """Parse what follows an `e`; returns (power of ten, number of digits, the position after them)."""
    is_negative = cursor < end and buffer[cursor] == _MINUS
    if is_negative or (cursor < end and buffer[cursor] == _PLUS):
        cursor += 1
    first = cursor
    power = 0
    while cursor < end and _ZERO <= buffer[cursor] <= _ZERO + 9 and cursor - first < _MAX_EXPONENT_DIGITS:
        power = power * 10 + (buffer[cursor] - _ZERO)
        cursor += 1
    return (-power if is_negative else power), cursor - first, cursor


@numba.njit
def _to_pixel(mantissa, exponent, is_exact, is_fraction, is_label):
    """`mantissa * 10**exponent` as 0-255, or -1 for the slow parser; is_exact: all digits dropped were zeros."""
    if mantissa == 0:
        return 0
    if not -_POWERS.size < exponent < _POWERS.size:
        return -1
    value = mantissa / _POWERS[-exponent] if exponent < 0 else mantissa * _POWERS[exponent]
    if is_label:
        return np.int64(value) if is_exact and value <= _MAX_PIXEL and value == np.floor(value) else -1
    if not is_fraction:
        nearest = np.floor(value + 0.5)
        return np.int64(nearest) if nearest <= _MAX_PIXEL and abs(value - nearest) < _SURELY_WHOLE else -1
    if value > 1 or (value == 1 and not is_exact):
        return -1
    value *= _MAX_PIXEL
    return -1 if abs(value - np.floor(value) - 0.5) < _UNSURE else np.int64(value + 0.5)
