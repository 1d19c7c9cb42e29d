"""A Parquet footer -> the table of `footer`: where the columns of each row group are, and how they are stored.

Follows parquet.thrift in github.com/apache/parquet-format. pyarrow has the same information, but ends the process over
a damaged footer: its bindings cannot raise what the C++ library throws there.

Compiled by Numba; `machine_code` caches and loads it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
from numba import carray, types

from job.read.parquet.footer import CODEC, DATA_PAGE, DICTIONARY_PAGE, FIELDS, IS_ELSEWHERE, PACKED_BYTES, PHYSICAL_TYPE
from job.read.parquet.thrift_kernel import BINARY, LIST, STRUCT, field, list_head, skip, zigzag

SIGNATURE: Final = types.void(*[types.int64] * 4, types.CPointer(types.int64), types.CPointer(types.int64))

# Field ids of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROW_GROUPS, _COLUMNS, _FILE_PATH, _META_DATA, _CRYPTO = 4, 1, 1, 3, 8
_TYPE, _CODEC, _TOTAL_COMPRESSED, _DATA_PAGE_OFFSET, _DICTIONARY_PAGE_OFFSET = 1, 4, 7, 9, 11


@numba.njit
def chunks(content, size, groups, columns, table, result):
    """Fill int64 (groups, columns, FIELDS) from the `size` bytes of a footer; result[0]: 1 if it fits, else 0.

    A damaged footer, or another number of row groups or columns, does not fit.
    """
    is_read = carray(result, 1)
    is_read[0] = 0
    entries = carray(table, (groups, columns, FIELDS))
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
            at = _row_group(content, at, size, entries[group])
            if at < 0:
                return
        is_read[0] = 1
        return


@numba.njit
def _row_group(content, at, size, entries):
    """Fill (columns, FIELDS) from a RowGroup; returns the offset after it, or -1."""
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
    last = 0
    has_data = False
    while True:
        last, kind, at = field(content, at, size, last)
        if at < 0 or kind == 0:
            return at if has_data else -1
        if last == _META_DATA and kind == STRUCT and not has_data:
            at = _column_meta_data(content, at, size, entry)
            has_data = True
        else:
            if last in (_FILE_PATH, _CRYPTO):
                entry[IS_ELSEWHERE] = 1
            at = skip(content, at, size, kind)


@numba.njit
def _column_meta_data(content, at, size, entry):
    """Fill (FIELDS,) from a ColumnMetaData; returns the offset after it, or -1."""
    last = 0
    while True:
        last, kind, at = field(content, at, size, last)
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
            at = skip(content, at, size, kind)
        else:
            if kind >= BINARY:
                return -1
            entry[target], at = zigzag(content, at, size)
