"""A Parquet footer -> the table of `footer`: where the columns of each row group are, and how they are stored.

Follows parquet.thrift in github.com/apache/parquet-format, and like `thrift_kernel` reads at the offset `at` of `size`
bytes. pyarrow has the same information, but ends the process over a damaged footer: its bindings cannot raise what the
C++ library throws there.

Compiled by Numba; `machine_code` caches and loads it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.compiled.llvm import load_byte
from job.read.parquet.footer import (
    CODEC,
    DATA_PAGE,
    DICTIONARY_PAGE,
    ENCRYPTED,
    FIELDS,
    IS_ELSEWHERE,
    PACKED_BYTES,
    PHYSICAL_TYPE,
)
from job.read.parquet.thrift_kernel import (
    BINARY,
    DOUBLE,
    FALSE,
    I8,
    I16,
    I32,
    I64,
    LIST,
    MAP,
    SET,
    STOP,
    STRUCT,
    TRUE,
    varint,
    zigzag,
)

SIGNATURE: Final = types.void(*[types.int64] * 4, types.CPointer(types.int64), types.CPointer(types.int64))

# Field ids of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROW_GROUPS, _COLUMNS, _FILE_PATH, _META_DATA, _CRYPTO = 4, 1, 1, 3, 8
_TYPE, _CODEC, _TOTAL_COMPRESSED, _DATA_PAGE_OFFSET, _DICTIONARY_PAGE_OFFSET = 1, 4, 7, 9, 11

_DOUBLE_BYTES: Final = 8
_LONG_LIST: Final = 15
# Parquet's own structures are nested four deep.
_MAX_DEPTH: Final = 16


@numba.njit
def chunks(content, size, groups, columns, table, result):
    """Fill int64 (groups, columns, FIELDS) from the `size` bytes of a footer; result[0]: 1 if it fits, else 0.

    A damaged footer, or another number of row groups or columns, does not fit.
    """
    is_read = carray(result, 1)
    is_read[0] = 0
    entries = carray(table, (groups, columns, FIELDS))
    # Typed, because Numba would also compile what they are passed to for the literal 0.
    at = last = np.int64(0)
    while True:
        last, kind, at = _field(content, at, size, last)
        if at < 0 or kind == 0:
            return
        if last != _ROW_GROUPS:
            at = _skip(content, at, size, kind)
            continue
        count, element, at = _list_head(content, at, size)
        if at < 0 or kind != LIST or element != STRUCT or count != groups:
            return
        for group in range(groups):
            at = _row_group(content, at, size, entries[group])
            if at < 0:
                return
        is_read[0] = 1
        return


@numba.njit
def _row_group(content, at, size, entries):
    """Fill (columns, FIELDS) from a RowGroup; returns the offset after it, or -1."""
    last = np.int64(0)
    has_columns = False
    while True:
        last, kind, at = _field(content, at, size, last)
        if at < 0 or kind == 0:
            return at if has_columns else -1
        if last != _COLUMNS:
            at = _skip(content, at, size, kind)
            continue
        count, element, at = _list_head(content, at, size)
        if at < 0 or kind != LIST or element != STRUCT or count != entries.shape[0] or has_columns:
            return -1
        for column in range(entries.shape[0]):
            at = _column_chunk(content, at, size, entries[column])
            if at < 0:
                return -1
        has_columns = True


@numba.njit
def _column_chunk(content, at, size, entry):
    """Fill (FIELDS,) from a ColumnChunk; returns the offset after it, or -1."""
    for each in range(FIELDS):
        entry[each] = 0
    last = np.int64(0)
    has_data = False
    while True:
        last, kind, at = _field(content, at, size, last)
        if at < 0 or kind == 0:
            return at if has_data else -1
        if last == _META_DATA and kind == STRUCT and not has_data:
            at = _column_meta_data(content, at, size, entry)
            has_data = True
        else:
            if last in (_FILE_PATH, _CRYPTO):
                entry[IS_ELSEWHERE] = max(entry[IS_ELSEWHERE], 1 if last == _FILE_PATH else ENCRYPTED)
            at = _skip(content, at, size, kind)


@numba.njit
def _column_meta_data(content, at, size, entry):
    """Fill (FIELDS,) from a ColumnMetaData; returns the offset after it, or -1."""
    last = np.int64(0)
    while True:
        last, kind, at = _field(content, at, size, last)
        if at < 0 or kind == 0:
            return at
        target = -1
        if last == _TYPE:
            target = PHYSICAL_TYPE
        elif last == _CODEC:
            target = CODEC
        elif last == _TOTAL_COMPRESSED:
            target = PACKED_BYTES
        elif last == _DATA_PAGE_OFFSET:
            target = DATA_PAGE
        elif last == _DICTIONARY_PAGE_OFFSET:
            target = DICTIONARY_PAGE
        if target < 0:
            at = _skip(content, at, size, kind)
        else:
            if kind >= BINARY:
                return -1
            entry[target], at = zigzag(content, at, size)


# The structures of Thrift's compact protocol


@numba.njit
def _field(content, at, size, last):
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
def _list_head(content, at, size):
    """The head of a list or set: (number of values, their type, offset of the first)."""
    if not 0 <= at < size:
        return 0, STOP, -1
    byte = load_byte(content + at)
    count, at = byte >> 4, at + 1
    if count == _LONG_LIST:
        count, at = varint(content, at, size)
    return count, byte & 15, at


@numba.njit
def _skip(content, at, size, kind):
    """The offset after a field's value of type `kind`."""
    return at if kind in (TRUE, FALSE) else _skip_value(content, at, size, kind, 0)


@numba.njit("int64(int64, int64, int64, int64, int64)")
def _skip_value(content, at, size, kind, depth):
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
        count, element, at = _list_head(content, at, size)
        # Each value takes at least a byte, so a count that is made up ends with the content.
        while count > 0 and at >= 0:
            at = _skip_value(content, at, size, element, depth + 1)
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
            at = _skip_value(content, at, size, kinds >> 4, depth + 1)
            at = _skip_value(content, at, size, kinds & 15, depth + 1)
            count -= 1
        return at
    if kind == STRUCT:
        inner, number = STRUCT, 0
        while inner != STOP and at >= 0:
            number, inner, at = _field(content, at, size, number)
            if inner not in (STOP, TRUE, FALSE):
                at = _skip_value(content, at, size, inner, depth + 1)
        return at
    return -1
