"""Column chunks -> the sizes that their pages announce, from the pages' headers alone.

Compiled by Numba; `machine_code` caches and loads it for `page_sizes`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
from numba import carray, types

from job.read.parquet.page_header_kernel import (
    DELTA_LENGTH_BYTE_ARRAY,
    DICTIONARY_PAGE,
    ENCODING,
    PACKED_BYTES,
    PLAIN,
    PLAIN_BYTES,
    PLAIN_DICTIONARY,
    RLE_DICTIONARY,
    TYPE,
    VALUES,
    read_page_header,
)
from job.read.parquet.page_sizes import (
    DENSITY,
    DICTIONARY,
    DICTIONARY_AT,
    DICTIONARY_PACKED,
    DICTIONARY_VALUES,
    END,
    FIELDS,
    IS_DAMAGED,
    OWN_BYTES,
    OWN_PAGE,
    PAGE,
    POSITION,
    SHARED_PAGE,
    VALUE_BYTES,
    VALUE_COUNT,
)
from job.read.parquet.plain_pages import HEADER_NUMBERS

SIGNATURE: Final = types.void(*[types.int64] * 3, types.CPointer(types.int64), types.int64, types.CPointer(types.int64))

# A chunk may be longer than its footer says by this much (PARQUET-816).
_PADDING_BYTES: Final = 100


@numba.njit
def measure(content, start, size, walks, count, numbers):
    """Go on with int64 (count, FIELDS) at `walks` as far as their positions are in the `size` bytes at `content`.

    start: the offset in the file of the first of these bytes. A position does not move where a header is cut off.
    numbers: scratch, int64 (HEADER_NUMBERS,).
    """
    walk = carray(walks, (count, FIELDS))
    header = carray(numbers, HEADER_NUMBERS)
    for each in range(count):
        at = walk[each, POSITION] - start
        end = walk[each, END] - start
        while 0 <= at < min(end, size):
            at = read_page_header(content, at, min(end, size), header)
            if at < 0:
                break
            packed, plain, values = header[PACKED_BYTES], header[PLAIN_BYTES], header[VALUES]
            if packed < 0 or plain < 0 or values < 0 or packed > end - at + _PADDING_BYTES:
                walk[each, IS_DAMAGED] = 1
                walk[each, POSITION] = walk[each, END]
                break
            if header[TYPE] == DICTIONARY_PAGE:
                if values > plain // max(walk[each, VALUE_BYTES], 1):
                    walk[each, IS_DAMAGED] = 1
                # Arrow refuses a second dictionary.
                if not walk[each, DICTIONARY_AT]:
                    walk[each, DICTIONARY_AT] = start + at
                    walk[each, DICTIONARY_PACKED] = packed
                    walk[each, DICTIONARY_VALUES] = values
                walk[each, DICTIONARY] = max(walk[each, DICTIONARY], plain)
            else:
                walk[each, PAGE] = max(walk[each, PAGE], plain)
                _add_values(walk[each], header[ENCODING], values, max(packed, plain))
            at += packed
            walk[each, POSITION] = start + at


@numba.njit
def _add_values(walk, encoding, values, size):
    """Note how much memory the values of a data page of `size` bytes may take, unless they are in the dictionary."""
    walk[VALUE_COUNT] += values
    if encoding in (PLAIN, DELTA_LENGTH_BYTE_ARRAY):
        walk[OWN_BYTES] += size
        walk[OWN_PAGE] = max(walk[OWN_PAGE], size)
        walk[DENSITY] = max(walk[DENSITY], size // max(values, 1) + 1)
    elif encoding not in (PLAIN_DICTIONARY, RLE_DICTIONARY):
        walk[SHARED_PAGE] = max(walk[SHARED_PAGE], size)
