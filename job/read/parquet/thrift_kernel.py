"""Thrift's compact protocol, the encoding of Parquet's footer and page headers. Part of two kernels' compiled code.

Follows doc/specs/thrift-compact-protocol.md in github.com/apache/thrift. Every function reads at the offset `at` of the
`size` bytes at the address `content`, and returns the offset after what it read, or -1 if there is no such thing; given
-1, it returns -1. Used by `footer_kernel` and `page_header_kernel`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba

from job.compiled.llvm import load_byte

# Types of values. The value of a boolean field is its type.
STOP, TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)

_DOUBLE_BYTES: Final = 8
_LONG_LIST: Final = 15
# Parquet's own structures are nested four deep.
_MAX_DEPTH: Final = 16


@numba.njit
def varint(content, at, size):
    """An unsigned integer, seven bits a byte, lowest first: (value, offset after it)."""
    value = shift = 0
    while 0 <= at < size and shift < 63:
        byte = load_byte(content + at)
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at
    return 0, -1


@numba.njit
def zigzag(content, at, size):
    """A signed integer: (value, offset after it)."""
    value, at = varint(content, at, size)
    return (value >> 1) ^ -(value & 1), at


@numba.njit
def field(content, at, size, last):
    """The next field of a structure after field id `last`: (field id, type, offset of its value); STOP at the end."""
    if not 0 <= at < size:
        return 0, STOP, -1
    byte = load_byte(content + at)
    at += 1
    if byte == STOP or byte >> 4:
        return last + (byte >> 4), byte & 15, at
    number, at = zigzag(content, at, size)
    return number, byte & 15, at


@numba.njit
def list_head(content, at, size):
    """The head of a list or set: (number of values, their type, offset of the first)."""
    if not 0 <= at < size:
        return 0, STOP, -1
    byte = load_byte(content + at)
    count, at = byte >> 4, at + 1
    if count == _LONG_LIST:
        count, at = varint(content, at, size)
    return count, byte & 15, at


@numba.njit
def skip(content, at, size, kind):
    """The offset after a field's value of type `kind`."""
    return at if kind in (TRUE, FALSE) else _skip(content, at, size, kind, 0)


@numba.njit("int64(int64, int64, int64, int64, int64)")
def _skip(content, at, size, kind, depth):
    """The same for a value anywhere; in lists a boolean takes a byte."""
    if not 0 <= at < size or depth > _MAX_DEPTH:
        return -1
    if kind in (TRUE, FALSE, I8):
        return at + 1
    if kind in (I16, I32, I64):
        return varint(content, at, size)[1]
    if kind == DOUBLE:
        return at + _DOUBLE_BYTES if size - at >= _DOUBLE_BYTES else -1
    if kind == BINARY:
        length, at = varint(content, at, size)
        return at + length if at >= 0 and length <= size - at else -1
    if kind in (LIST, SET):
        count, element, at = list_head(content, at, size)
        # Each value takes at least a byte, so a count that is made up ends with the content.
        while count > 0 and at >= 0:
            at = _skip(content, at, size, element, depth + 1)
            count -= 1
        return at
    if kind == MAP:
        count, at = varint(content, at, size)
        if count == 0 or at < 0:
            return at
        if at >= size:
            return -1
        kinds = load_byte(content + at)
        at += 1
        while count > 0 and at >= 0:
            at = _skip(content, at, size, kinds >> 4, depth + 1)
            at = _skip(content, at, size, kinds & 15, depth + 1)
            count -= 1
        return at
    if kind == STRUCT:
        inner, number = STRUCT, 0
        while inner != STOP and at >= 0:
            number, inner, at = field(content, at, size, number)
            if inner not in (STOP, TRUE, FALSE):
                at = _skip(content, at, size, inner, depth + 1)
        return at
    return -1
