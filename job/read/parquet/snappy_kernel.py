"""Snappy decompression (github.com/google/snappy, format_description.txt). Part of `page_kernel`'s compiled code.

Nothing that the compressed data says about lengths and offsets is trusted.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba

from job.compiled.llvm import load_byte, load_long, load_word, store_byte, store_long

_LONG_BYTES: Final = 8
# Most elements are short: this many bytes are copied unconditionally if there is room to read and write them.
_STEP_BYTES: Final = 2 * _LONG_BYTES
_MAX_SHORT_LITERAL: Final = 60
# Types of elements; the fourth, 3, is a copy with an offset of four bytes.
_LITERAL, _COPY_1_BYTE, _COPY_2_BYTES = 0, 1, 2


@numba.njit
def unpack(source, size, target, expected):
    """Decompress `size` bytes at `source` to `target`; returns whether they are valid and `expected` bytes long.

    Reads only these bytes, and writes at most `expected` bytes and SLACK_BYTES after them.
    """
    announced, at = _length(source, size)
    if announced != expected:
        return False
    done = 0
    while at < size:
        tag = load_byte(source + at)
        at += 1
        kind = tag & 3
        length = (tag >> 2) + 1
        if kind == _LITERAL:
            if length > _MAX_SHORT_LITERAL:
                more = length - _MAX_SHORT_LITERAL
                length, at = _little_endian(source, at, size, more) + 1, at + more
            if length <= 0 or length > size - at or length > expected - done:
                return False
            if length <= _STEP_BYTES and at + _STEP_BYTES <= size:
                _copy_step(source + at, target + done)
            else:
                copy(source + at, target + done, length)
            at += length
        else:
            more = 1 if kind == _COPY_1_BYTE else 2 if kind == _COPY_2_BYTES else 4
            offset = _little_endian(source, at, size, more)
            at += more
            if kind == _COPY_1_BYTE:
                length = ((tag >> 2) & 7) + 4
                offset += (tag >> 5) << 8
            if offset <= 0 or offset > done or at > size or length > expected - done:
                return False
            if length <= _STEP_BYTES and offset >= _LONG_BYTES:
                _copy_step(target + done - offset, target + done)
            else:
                _copy_overlapping(target + done, offset, length)
        done += length
    return done == expected


@numba.njit
def _little_endian(source, at, size, count):
    """The integer of `count` (1 to 4) bytes at offset `at`; -1 if fewer are left."""
    if at + 4 <= size:
        return load_word(source + at) & ((1 << (8 * count)) - 1)
    if at + count > size:
        return -1
    value = 0
    for place in range(count):
        value |= load_byte(source + at + place) << (8 * place)
    return value


@numba.njit
def _copy_step(source, target):
    """Copy 16 bytes; the first eight are written before the others are read."""
    store_long(target, load_long(source))
    store_long(target + _LONG_BYTES, load_long(source + _LONG_BYTES))


@numba.njit
def _length(source, size):
    """The uncompressed length, a varint at the start, or -1; and the offset after it."""
    value = at = shift = 0
    while at < size and shift < 32:
        byte = load_byte(source + at)
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at
    return -1, at


@numba.njit
def copy(source, target, length):
    """Copy `length` bytes, eight at a time, between addresses that do not overlap."""
    place = 0
    while place + _LONG_BYTES <= length:
        store_long(target + place, load_long(source + place))
        place += _LONG_BYTES
    while place < length:
        store_byte(target + place, load_byte(source + place))
        place += 1


@numba.njit
def _copy_overlapping(target, offset, length):
    """Copy `length` bytes from `offset` bytes before `target`; bytes just written may be copied again."""
    place = 0
    if offset < _LONG_BYTES:
        # Once the pattern has been repeated for eight bytes, copy from a multiple of its length before.
        while place < min(_LONG_BYTES, length):
            store_byte(target + place, load_byte(target + place - offset))
            place += 1
        offset *= -(-_LONG_BYTES // offset)
    while place + _LONG_BYTES <= length:
        store_long(target + place, load_long(target + place - offset))
        place += _LONG_BYTES
    while place < length:
        store_byte(target + place, load_byte(target + place - offset))
        place += 1
