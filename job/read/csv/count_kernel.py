"""The line counter of `recount`, 64 bytes at a time.

Compiled by Numba; `machine_code` caches and loads it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.read.csv.vector import WIDTH, count_bits, equal_bytes

_LINE_FEED: Final = ord("\n")
_CARRIAGE_RETURN: Final = ord("\r")

SIGNATURE: Final = types.void(types.CPointer(types.uint8), types.int64, types.CPointer(types.int64))


@numba.njit
def count_lines(text, size, result):
    """Count the line feeds of `size` bytes that start a line; result: int64 (2,), all of them and those of blank lines.

    A blank line is LF or CRLF alone.
    """
    content = carray(text, size)
    address = content.ctypes.data
    one, two, last = np.uint64(1), np.uint64(2), np.uint64(WIDTH - 1)
    feeds = blanks = 0
    # The flags of the two bytes before a word, as bits to shift in below its lowest bit.
    feed_before, return_before, feeds_before = one, np.uint64(0), two
    offset = 0
    while offset + WIDTH <= size:
        is_feed, is_return = equal_bytes(address + offset, _LINE_FEED), equal_bytes(address + offset, _CARRIAGE_RETURN)
        after_feed = (is_feed << one) | feed_before
        after_feed_return = ((is_return << one) | return_before) & ((is_feed << two) | feeds_before)
        feeds += count_bits(is_feed)
        blanks += count_bits(is_feed & (after_feed | after_feed_return))
        feed_before, return_before, feeds_before = is_feed >> last, is_return >> last, is_feed >> (last - one)
        offset += WIDTH
    while offset < size:
        if content[offset] == _LINE_FEED:
            feeds += 1
            is_after_return = offset > 0 and content[offset - 1] == _CARRIAGE_RETURN
            start = offset - is_after_return
            blanks += start == 0 or content[start - 1] == _LINE_FEED
        offset += 1
    counts = carray(result, 2)
    counts[0] = feeds
    counts[1] = blanks
