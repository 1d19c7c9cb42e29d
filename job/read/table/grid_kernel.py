"""Columns of bytes -> rows of bytes, in blocks of eight by eight.

Compiled by Numba; `machine_code` caches and loads it for `grid`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import types

from job.compiled.llvm import load_byte, load_long, store_byte, store_long
from job.contract import PIXELS

SIGNATURE: Final = types.void(*[types.int64] * 4)

# As many rows of a column as one line of the processor's cache holds.
_TILE_ROWS: Final = 64
_BLOCK: Final = 8


@numba.njit
def transpose(columns, stride, rows, target):
    """Write uint8 (rows, 784) at `target` from 784 columns that begin `stride` bytes apart at `columns`."""
    whole = rows - rows % _BLOCK
    for tile in range(0, whole, _TILE_ROWS):
        for row in range(tile, min(tile + _TILE_ROWS, whole), _BLOCK):
            for column in range(0, PIXELS, _BLOCK):
                _transpose_block(columns + column * stride + row, stride, target + row * PIXELS + column)
    for row in range(whole, rows):
        for column in range(PIXELS):
            store_byte(target + row * PIXELS + column, load_byte(columns + column * stride + row))


@numba.njit
def _transpose_block(source, stride, target):
    """Eight by eight bytes: swap blocks of 4x4, then 2x2, then 1x1 (H. S. Warren, "Hacker's Delight", 7-3)."""
    a, b, c, d = _load_four(source, stride)
    e, f, g, h = _load_four(source + 4 * stride, stride)
    a, e = _swap(a, e, 32, 0x00000000FFFFFFFF)
    b, f = _swap(b, f, 32, 0x00000000FFFFFFFF)
    c, g = _swap(c, g, 32, 0x00000000FFFFFFFF)
    d, h = _swap(d, h, 32, 0x00000000FFFFFFFF)
    a, c = _swap(a, c, 16, 0x0000FFFF0000FFFF)
    b, d = _swap(b, d, 16, 0x0000FFFF0000FFFF)
    e, g = _swap(e, g, 16, 0x0000FFFF0000FFFF)
    f, h = _swap(f, h, 16, 0x0000FFFF0000FFFF)
    a, b = _swap(a, b, 8, 0x00FF00FF00FF00FF)
    c, d = _swap(c, d, 8, 0x00FF00FF00FF00FF)
    e, f = _swap(e, f, 8, 0x00FF00FF00FF00FF)
    g, h = _swap(g, h, 8, 0x00FF00FF00FF00FF)
    for row, value in enumerate((a, b, c, d, e, f, g, h)):
        store_long(target + row * PIXELS, value)


@numba.njit
def _load_four(source, stride):
    return load_long(source), load_long(source + stride), load_long(source + 2 * stride), load_long(source + 3 * stride)


@numba.njit
def _swap(upper, lower, bits, mask):
    """Swap the high `bits` of each group of `2 * bits` in `upper` with the low `bits` of the same group in `lower`."""
    shift = np.uint64(bits)
    changed = ((upper >> shift) ^ lower) & np.uint64(mask)
    return upper ^ (changed << shift), lower ^ changed
