"""Columns of bytes -> rows of bytes, eight by eight.

Compiled by Numba, kept and loaded by `machine_code`.
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

# Rows whose bytes lie in the same line of the processor's cache, in each column.
_TILE_ROWS: Final = 64
_EIGHT: Final = 8


@numba.njit
def transpose(columns, stride, rows, target):
    """Write uint8 (rows, 784) to `target`, of 784 columns that begin `stride` bytes apart; both are addresses."""
    whole = rows - rows % _EIGHT
    for tile in range(0, whole, _TILE_ROWS):
        for row in range(tile, min(tile + _TILE_ROWS, whole), _EIGHT):
            for column in range(0, PIXELS, _EIGHT):
                _turn(columns + column * stride + row, stride, target + row * PIXELS + column)
    for row in range(whole, rows):
        for column in range(PIXELS):
            store_byte(target + row * PIXELS + column, load_byte(columns + column * stride + row))


@numba.njit
def _turn(source, stride, target):
    """Eight by eight bytes, as blocks of 4x4, 2x2 and 1x1 that change places (Warren, "Hacker's Delight", 7-3)."""
    a, b, c, d = _four(source, stride)
    e, f, g, h = _four(source + 4 * stride, stride)
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
def _four(source, stride):
    return load_long(source), load_long(source + stride), load_long(source + 2 * stride), load_long(source + 3 * stride)


@numba.njit
def _swap(upper, lower, bits, mask):
    """Let the high part of each pair of parts of `upper` change places with the low part of that of `lower`."""
    shift = np.uint64(bits)
    changed = ((upper >> shift) ^ lower) & np.uint64(mask)
    return upper ^ (changed << shift), lower ^ changed
