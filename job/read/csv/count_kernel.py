"""Lines of a text, counted by other code than that which reads them; see `account`.

Compiled by Numba, kept and loaded by `machine_code`.
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
    """Count the line feeds of a text that begins a line, and those of them that end an empty one (LF or CRLF)."""
    content = carray(text, size)
    address = content.ctypes.data
    one, two, last = np.uint64(1), np.uint64(2), np.uint64(WIDTH - 1)
    feeds = blanks = 0
    # What the two bytes before a word were, as the bits that stand below its lowest.
    feed_before, return_before, feeds_before = one, np.uint64(0), two
    place = 0
    while place + WIDTH <= size:
        is_feed, is_return = equal_bytes(address + place, _LINE_FEED), equal_bytes(address + place, _CARRIAGE_RETURN)
        behind_feed = (is_feed << one) | feed_before
        behind_both = ((is_return << one) | return_before) & ((is_feed << two) | feeds_before)
        feeds += count_bits(is_feed)
        blanks += count_bits(is_feed & (behind_feed | behind_both))
        feed_before, return_before, feeds_before = is_feed >> last, is_return >> last, is_feed >> (last - one)
        place += WIDTH
    while place < size:
        if content[place] == _LINE_FEED:
            feeds += 1
            is_behind_return = place > 0 and content[place - 1] == _CARRIAGE_RETURN
            start = place - is_behind_return
            blanks += start == 0 or content[start - 1] == _LINE_FEED
        place += 1
    counts = carray(result, 2)
    counts[0] = feeds
    counts[1] = blanks
