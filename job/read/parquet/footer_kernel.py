"""A Parquet footer -> where the columns of each row group lie, and how they are stored.

Follows parquet.thrift (github.com/apache/parquet-format). pyarrow tells the same, but ends the process where a footer
is damaged: its bindings have no way to raise what the library below throws.

Compiled by Numba, kept and loaded by `machine_code`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
from numba import carray, types

from job.read.parquet.footer import CODEC, DATA_PAGE, DICTIONARY_PAGE, FIELDS, IS_ELSEWHERE, NUMBER, PACKED_BYTES
from job.read.parquet.thrift_kernel import BINARY, LIST, STRUCT, field, list_head, skip, zigzag

SIGNATURE: Final = types.void(*[types.int64] * 4, types.CPointer(types.int64), types.CPointer(types.int64))

# Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROW_GROUPS, _COLUMNS, _FILE_PATH, _META_DATA, _CRYPTO = 4, 1, 1, 3, 8
_TYPE, _CODEC, _TOTAL_COMPRESSED, _DATA_PAGE_OFFSET, _DICTIONARY_PAGE_OFFSET = 1, 4, 7, 9, 11


@numba.njit
def chunks(content, size, groups, columns, table, result):
    """Fill int64 (groups, columns, FIELDS) from a footer's `size` bytes; result: 1 if it has just as many, else 0."""
    result_of = carray(result, 1)
    result_of[0] = 0
    places = carray(table, (groups, columns, FIELDS))
    at = last = 0
    while True:
        last, kind, at = field(content, at, size, last)
        if at < 0 or kind == 0:
            return
        if last != _ROW_GROUPS:
            at = skip(content, at, size, kind)
            continue
        count, element, at = list_head(content, at, size)
        if at < 0 or kind != LIST or element != STRUCT or count != groups:
            return
        for group in range(groups):
            at = _row_group(content, at, size, places[group])
            if at < 0:
                return
        result_of[0] = 1
        return


@numba.njit
def _row_group(content, at, size, places):
    """Fill (columns, FIELDS) from a RowGroup; returns the place behind it, or -1."""
    last = 0
    has_columns = False
    while True:
        last, kind, at = field(content, at, size, last)
        if at < 0 or kind == 0:
            return at if has_columns else -1
        if last != _COLUMNS:
            at = skip(content, at, size, kind)
            continue
        count, element, at = list_head(content, at, size)
        if at < 0 or kind != LIST or element != STRUCT or count != places.shape[0] or has_columns:
            return -1
        for column in range(places.shape[0]):
            at = _column(content, at, size, places[column])
            if at < 0:
                return -1
        has_columns = True


@numba.njit
def _column(content, at, size, place):
    """Fill (FIELDS,) from a ColumnChunk; returns the place behind it, or -1."""
    for each in range(FIELDS):
        place[each] = 0
    last = 0
    has_data = False
    while True:
        last, kind, at = field(content, at, size, last)
        if at < 0 or kind == 0:
            return at if has_data else -1
        if last == _META_DATA and kind == STRUCT and not has_data:
            at = _meta_data(content, at, size, place)
            has_data = True
        else:
            if last in (_FILE_PATH, _CRYPTO):
                place[IS_ELSEWHERE] = 1
            at = skip(content, at, size, kind)


@numba.njit
def _meta_data(content, at, size, place):
    """Fill (FIELDS,) from a ColumnMetaData; returns the place behind it, or -1."""
    last = 0
    while True:
        last, kind, at = field(content, at, size, last)
        if at < 0 or kind == 0:
            return at
        target = -1
        if last == _TYPE:
            target = NUMBER
        elif last == _CODEC:
            target = CODEC
        elif last == _TOTAL_COMPRESSED:
            target = PACKED_BYTES
        elif last == _DATA_PAGE_OFFSET:
            target = DATA_PAGE
        elif last == _DICTIONARY_PAGE_OFFSET:
            target = DICTIONARY_PAGE
        if target < 0:
            at = skip(content, at, size, kind)
        else:
            if kind >= BINARY:
                return -1
            place[target], at = zigzag(content, at, size)
