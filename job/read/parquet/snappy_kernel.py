"""Snappy's format (github.com/google/snappy, format_description.txt) -> the bytes it was made from.

Part of `page_kernel`'s compiled code.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba

from job.compiled.llvm import load_byte, load_long, load_word, store_byte, store_long

_LONG_BYTES: Final = 8
# Most pieces are short; so many bytes are copied without asking, where there is room to read and write them.
_STEP_BYTES: Final = 2 * _LONG_BYTES
_MOST_SHORT: Final = 60
_LITERAL, _NEAR, _FAR = 0, 1, 2


@numba.njit
def unpack(source, size, target, expected):
    """Write the `expected` bytes that `size` bytes stand for; returns whether they are as many, and nothing is amiss.

    Reads no byte beyond these and writes none, but for SLACK_BYTES behind the target, whatever the source says.
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
            if length > _MOST_SHORT:
                more = length - _MOST_SHORT
                length, at = _little_endian(source, at, size, more) + 1, at + more
            if length <= 0 or length > size - at or length > expected - done:
                return False
            if length <= _STEP_BYTES and at + _STEP_BYTES <= size:
                _step(source + at, target + done)
            else:
                copy(source + at, target + done, length)
            at += length
        else:
            more = 1 if kind == _NEAR else 2 if kind == _FAR else 4
            offset = _little_endian(source, at, size, more)
            at += more
            if kind == _NEAR:
                length = ((tag >> 2) & 7) + 4
                offset += (tag >> 5) << 8
            if offset <= 0 or offset > done or at > size or length > expected - done:
                return False
            if length <= _STEP_BYTES and offset >= _LONG_BYTES:
                _step(target + done - offset, target + done)
            else:
                _repeat(target + done, offset, length)
        done += length
    return done == expected


@numba.njit
def _little_endian(source, at, size, count):
    """The number that the next one to four bytes are, the lowest first; -1 where there are not as many."""
    if at + 4 <= size:
        return load_word(source + at) & ((1 << (8 * count)) - 1)
    if at + count > size:
        return -1
    value = 0
    for place in range(count):
        value |= load_byte(source + at + place) << (8 * place)
    return value


@numba.njit
def _step(source, target):
    """Copy sixteen bytes, the first eight before the others are read."""
    store_long(target, load_long(source))
    store_long(target + _LONG_BYTES, load_long(source + _LONG_BYTES))


@numba.njit
def _length(source, size):
    """The number that stands first, seven bits a byte, the lowest first; and how many bytes it takes."""
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
    """Copy bytes, eight at a time, to where they do not overlap."""
    place = 0
    while place + _LONG_BYTES <= length:
        store_long(target + place, load_long(source + place))
        place += _LONG_BYTES
    while place < length:
        store_byte(target + place, load_byte(source + place))
        place += 1


@numba.njit
def _repeat(target, offset, length):
    """Copy from `offset` bytes before the target on, where the copy may be what is copied next."""
    place = 0
    if offset < _LONG_BYTES:
        # Once the pattern stands there for eight bytes, it can be taken from several of its lengths before.
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
