"""The pages of a column of integers -> pixels: the hot loop of the Parquet reader.

It decodes only plain columns: INT32 or INT64 values 0-255 without nulls, PLAIN or dictionary-encoded, uncompressed or
Snappy, without checksums. For anything else, damage included, it reports that the column is not plain; Arrow then reads
it and says what is wrong. No size that a file states is trusted. `page_header_kernel`, `snappy_kernel` and
`encoding_kernel` hold the steps.

Compiled by Numba; `machine_code` caches and loads it for `plain_pages`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.compiled.llvm import load_word
from job.read.parquet.encoding_kernel import are_all_present, dictionary_values, plain_dictionary, plain_values
from job.read.parquet.page_header_kernel import (
    DATA_PAGE,
    DATA_PAGE_V2,
    DICTIONARY_PAGE,
    ENCODING,
    HAS_CHECKSUM,
    IS_PACKED,
    LEVEL_BYTES,
    LEVEL_ENCODING,
    NULLS,
    PACKED_BYTES,
    PLAIN,
    PLAIN_BYTES,
    PLAIN_DICTIONARY,
    RLE,
    RLE_DICTIONARY,
    TYPE,
    VALUES,
    read_page_header,
)
from job.read.parquet.plain_pages import HEADER_NUMBERS, TABLE_BYTES
from job.read.parquet.snappy_kernel import copy, unpack

_MAX_ENTRIES: Final = TABLE_BYTES
SIGNATURE: Final = types.void(*[types.int64] * 11, types.CPointer(types.int64), types.CPointer(types.int64))


@numba.njit
def decode(
    content, size, width, is_snappy, has_levels, rows, start, stop, target, scratch, page_bytes, numbers, result
):  # fmt: skip
    """Write the pixels of the rows [start, stop) to `target`, uint8; result[0]: 1 if the column is plain, else 0.

    If it is not plain, `target` may hold anything. content: address of a column chunk of `size` bytes and `rows` rows.
    width: bytes of a value. has_levels: whether nulls are possible. scratch: address of TABLE_BYTES, then `page_bytes`,
    then SLACK_BYTES. numbers: scratch, int64 (HEADER_NUMBERS,).
    """
    is_plain = carray(result, 1)
    is_plain[0] = 0
    header = carray(numbers, HEADER_NUMBERS)
    page = scratch + TABLE_BYTES
    # Typed, because Numba would also compile what they are passed to for the literal 0.
    at = row = entries = np.int64(0)
    while row < stop:
        at = read_page_header(content, at, size, header)
        packed, plain = header[PACKED_BYTES], header[PLAIN_BYTES]
        if at < 0 or header[HAS_CHECKSUM] or packed < 0 or plain < 0 or packed > size - at or plain > page_bytes:
            return
        source = content + at
        at += packed
        values = header[VALUES]
        if header[TYPE] == DICTIONARY_PAGE:
            if entries or row or not _read_dictionary(source, packed, plain, width, is_snappy, values, page, scratch):
                return
            entries = values
            continue
        if values <= 0 or values > rows - row:
            return
        if row + values > start:
            levels = _unpack_page(source, packed, plain, is_snappy, has_levels, header, page)
            if levels < 0:
                return
            first, end = page + levels, page + plain
            if header[ENCODING] == PLAIN:
                is_good = plain_values(first, end, width, values, row, start, stop, target)
            elif header[ENCODING] == RLE_DICTIONARY or header[ENCODING] == PLAIN_DICTIONARY:
                is_good = dictionary_values(first, end, values, scratch, entries, row, start, stop, target)
            else:
                is_good = False
            if not is_good:
                return
        row += values
    if stop < rows or row == rows:
        is_plain[0] = 1


@numba.njit
def _read_dictionary(source, packed, plain, width, is_snappy, values, page, table):
    """Write the pixels of a dictionary page to `table`; returns whether all its values are pixels."""
    if values <= 0 or values > _MAX_ENTRIES or values * width != plain:
        return False
    if not _unpack(source, packed, plain, is_snappy, page):
        return False
    return plain_dictionary(page, values, width, table)


@numba.njit
def _unpack_page(source, packed, plain, is_snappy, has_levels, header, page):
    """Write a data page's plain content to `page`; returns the offset of its values, or -1 if it is not plain."""
    if header[LEVEL_ENCODING] != RLE:
        return -1
    if header[TYPE] == DATA_PAGE_V2:
        levels = header[LEVEL_BYTES]
        if header[NULLS] or levels < 0 or levels > min(packed, plain):
            return -1
        if has_levels and not are_all_present(source, source + levels, header[VALUES]):
            return -1
        is_packed = is_snappy and header[IS_PACKED]
        is_good = _unpack(source + levels, packed - levels, plain - levels, is_packed, page + levels)
        return levels if is_good else -1
    if header[TYPE] != DATA_PAGE or not _unpack(source, packed, plain, is_snappy, page):
        return -1
    if not has_levels:
        return 0
    length = load_word(page) if plain >= 4 else plain
    if length > plain - 4 or not are_all_present(page + 4, page + 4 + length, header[VALUES]):
        return -1
    return 4 + length


@numba.njit
def _unpack(source, packed, plain, is_packed, target):
    """Write the plain content of `packed` bytes to `target`; returns whether it is `plain` bytes long."""
    if is_packed:
        return unpack(source, packed, target, plain)
    if packed != plain:
        return False
    copy(source, target, plain)
    return True
