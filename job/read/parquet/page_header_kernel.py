"""A page's header -> the few numbers that `page_kernel` needs of it. Part of `page_kernel`'s compiled code.

A header is a Thrift structure, PageHeader, which holds one of DataPageHeader, DictionaryPageHeader and DataPageHeaderV2
(parquet.thrift in github.com/apache/parquet-format). `thrift_kernel` reads its values.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np

from job.compiled.llvm import load_byte
from job.read.parquet.plain_pages import HEADER_NUMBERS
from job.read.parquet.thrift_kernel import BINARY, DOUBLE, FALSE, I8, I64, STRUCT, TRUE, varint, zigzag

# What each number of a header is. LEVEL_BYTES: of repetition and definition levels together, in a page of version 2.
TYPE, PLAIN_BYTES, PACKED_BYTES, HAS_CHECKSUM = 0, 1, 2, 3
VALUES, ENCODING, LEVEL_ENCODING, NULLS, LEVEL_BYTES, IS_PACKED = 4, 5, 6, 7, 8, 9
_SIZE: Final = 10
_MAX_DEPTH: Final = HEADER_NUMBERS - _SIZE

# All numbers that are used have 32 bits in parquet.thrift, so that no sum or product of two of them overflows 64 bits.
_MAX_NUMBER: Final = 2**31 - 1

# Enumerations of parquet.thrift: PageType and Encoding.
DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = 0, 2, 3
PLAIN, PLAIN_DICTIONARY, RLE, DELTA_LENGTH_BYTE_ARRAY, RLE_DICTIONARY = 0, 2, 3, 6, 8

# Fields of PageHeader that hold the header of one type of page.
_DATA_HEADER, _DICTIONARY_HEADER, _DATA_HEADER_V2 = 5, 7, 8


@numba.njit
def read_page_header(content, at, size, header):
    """Fill `header` from the page header at offset `at` of `size` bytes; returns the offset after it, or -1.

    header: int64 (HEADER_NUMBERS,), whose last entries are scratch: the field ids of the structures being read.
    """
    ids = header[_SIZE:]
    for place in range(_SIZE):
        header[place] = 0
    header[LEVEL_ENCODING] = RLE
    header[IS_PACKED] = 1
    depth = np.int64(0)
    ids[0] = 0
    while at < size:
        byte = load_byte(content + at)
        at += 1
        if byte == 0:
            if depth == 0:
                return at
            depth -= 1
            continue
        kind = byte & 15
        if byte >> 4:
            ids[depth] += byte >> 4
        else:
            ids[depth], at = zigzag(content, at, size)
            if at < 0:
                return -1
        if kind == STRUCT:
            depth += 1
            if depth == _MAX_DEPTH:
                return -1
            ids[depth] = 0
            continue
        value = 0
        if I8 < kind <= I64:
            value, at = zigzag(content, at, size)
            if not -_MAX_NUMBER <= value <= _MAX_NUMBER:
                return -1
        elif kind in (TRUE, FALSE):
            value = kind == TRUE
        elif kind == I8:
            at += 1
        elif kind == DOUBLE:
            at += 8
        elif kind == BINARY:
            length, at = varint(content, at, size)
            if at < 0 or length < 0 or length > size - at:
                return -1
            at += length
        else:
            return -1
        if at < 0:
            return -1
        _set_field(header, depth, ids[0], ids[1], value)
    return -1


@numba.njit
def _set_field(header, depth, field, inner, value):
    """Store field `field` of PageHeader (depth 0), or field `inner` of the structure in it (depth 1), if needed."""
    if depth == 0:
        if field == 1:
            header[TYPE] = value
        elif field == 2:
            header[PLAIN_BYTES] = value
        elif field == 3:
            header[PACKED_BYTES] = value
        elif field == 4:
            header[HAS_CHECKSUM] = 1
    elif depth == 1 and field in (_DATA_HEADER, _DICTIONARY_HEADER):
        if inner == 1:
            header[VALUES] = value
        elif inner == 2:
            header[ENCODING] = value
        elif inner == 3 and field == _DATA_HEADER:
            header[LEVEL_ENCODING] = value
    elif depth == 1 and field == _DATA_HEADER_V2:
        if inner == 1:
            header[VALUES] = value
        elif inner == 2:
            header[NULLS] = value
        elif inner == 4:
            header[ENCODING] = value
        elif inner in (5, 6):
            header[LEVEL_BYTES] += value
        elif inner == 7:
            header[IS_PACKED] = value
