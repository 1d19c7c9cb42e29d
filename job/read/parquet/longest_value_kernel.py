"""A plain dictionary of byte strings -> the length of its longest one.

Compiled by Numba; `machine_code` caches and loads it for `batch_rows`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
from numba import carray, types

from job.compiled.llvm import load_word

SIGNATURE: Final = types.void(*[types.int64] * 3, types.CPointer(types.int64))

_LENGTH_BYTES: Final = 4


@numba.njit
def measure_longest(content, size, values, result):
    """Set result[0] to the length of the longest of `values` values, or to -1 if the `size` bytes hold fewer."""
    longest = carray(result, 1)
    longest[0] = 0
    at = 0
    for _ in range(values):
        if size - at < _LENGTH_BYTES:
            longest[0] = -1
            return
        length = load_word(content + at)
        at += _LENGTH_BYTES
        if length > size - at:
            longest[0] = -1
            return
        longest[0] = max(longest[0], length)
        at += length
