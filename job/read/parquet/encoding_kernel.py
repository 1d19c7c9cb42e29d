"""The values of a page -> pixels, for the encodings that nearly all files use. Part of `page_kernel`'s compiled code.

Follows Encodings.md in github.com/apache/parquet-format: PLAIN, and dictionary indices and definition levels in the
hybrid of run-length encoding and bit packing. A number is a pixel if it is 0 to 255.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np

from job.compiled.llvm import load_byte, load_long, load_word, store_byte, store_long
from job.read.parquet.thrift_kernel import varint

_MAX_PIXEL: Final = 255
_MAX_BITS: Final = 8


@numba.njit
def plain_dictionary(address, values, width, table):
    """Write a dictionary of plain integers to `table` as pixels; returns whether all of them are pixels."""
    for place in range(values):
        number = _unsigned(address + place * width, width)
        if number > _MAX_PIXEL:
            return False
        store_byte(table + place, number)
    return True


@numba.njit
def _unsigned(address, width):
    """An integer of 4 or 8 bytes as if it were unsigned, so that negative ones are too large for a pixel."""
    return np.uint64(load_word(address)) if width == 4 else load_long(address)


@numba.njit
def plain_values(at, end, width, values, row, start, stop, target):
    """Decode plain integers between two addresses; returns whether all of them are pixels.

    The page's first value belongs to `row`; only the rows [start, stop) are written, to `target` on.
    """
    # Compared by division: the product with a number that the file makes up might overflow.
    if (end - at) // width != values or (end - at) % width:
        return False
    bad = np.uint64(0)
    for place in range(max(start - row, 0), min(stop - row, values)):
        number = _unsigned(at + place * width, width)
        bad |= number
        store_byte(target + row + place - start, number)
    return bad <= _MAX_PIXEL


@numba.njit
def dictionary_values(at, end, values, table, entries, row, start, stop, target):
    """Decode indices of a dictionary of `entries` pixels; returns whether all of them are valid indices.

    The first byte is the number of bits of an index; runs of one index and groups of eight packed ones follow.
    Rows are as in `plain_values`.
    """
    if at >= end:
        return False
    bits = load_byte(at)
    at += 1
    if bits > _MAX_BITS:
        return False
    done = 0
    while done < values:
        head, head_bytes = varint(at, 0, end - at)
        if head_bytes < 0 or head >> 1 == 0:
            return False
        at += head_bytes
        if head & 1:
            groups = min(head >> 1, (values - done + 7) >> 3)
            # Compared by division: the product with a number that the file makes up might overflow.
            if bits and head >> 1 > (end - at) // bits:
                return False
            if not _packed_groups(at, groups, bits, values - done, table, entries, row + done, start, stop, target):
                return False
            at += (head >> 1) * bits
            done += 8 * groups
        else:
            index = 0
            if bits:
                if at >= end:
                    return False
                index = load_byte(at)
                at += 1
            if index >= entries:
                return False
            count = min(head >> 1, values - done)
            _fill(
                target - start,
                max(row + done, start),
                min(row + done + count, stop),
                load_byte(table + index),
            )
            done += count
    return True


@numba.njit
def _fill(target, first, last, value):
    """Write a byte to the offsets [first, last) of `target`."""
    eight = np.uint64(value) * np.uint64(0x0101010101010101)
    while first + 8 <= last:
        store_long(target + first, eight)
        first += 8
    while first < last:
        store_byte(target + first, value)
        first += 1


@numba.njit
def _packed_groups(at, groups, bits, values, table, entries, row, start, stop, target):
    """Decode groups of eight indices of `bits` bits each; returns whether all of them are valid indices."""
    mask = np.uint64((1 << bits) - 1)
    shift = np.uint64(bits)
    highest = np.int64(0)
    background = np.uint64(load_byte(table)) * np.uint64(0x0101010101010101)
    for group in range(groups):
        # Reads eight bytes even where fewer belong to the group; the page is followed by SLACK_BYTES.
        word = load_long(at + group * bits)
        if bits < _MAX_BITS:
            word &= (np.uint64(1) << np.uint64(8 * bits)) - np.uint64(1)
        first = row + 8 * group
        count = min(values - 8 * group, 8)
        if first >= start and first + 8 <= stop and count == 8:
            place = target + first - start
            if word == 0:
                store_long(place, background)
                continue
            pixels = np.uint64(0)
            for each in range(8):
                index = np.int64(word & mask)
                word >>= shift
                highest = max(highest, index)
                pixels |= np.uint64(load_byte(table + index)) << np.uint64(8 * each)
            store_long(place, pixels)
        else:
            for each in range(count):
                index = np.int64(word & mask)
                word >>= shift
                highest = max(highest, index)
                if start <= first + each < stop:
                    store_byte(target + first + each - start, load_byte(table + index))
    return highest < entries


@numba.njit
def are_all_present(at, end, values):
    """Whether definition levels of one bit, between two addresses, say that none of `values` values is null."""
    done = 0
    while done < values:
        head, head_bytes = varint(at, 0, end - at)
        if head_bytes < 0:
            return False
        at += head_bytes
        count = head >> 1
        if head & 1:
            if count > end - at:
                return False
            for place in range(count):
                left = values - done - 8 * place
                wanted = 255 if left >= 8 else (1 << max(left, 0)) - 1
                if load_byte(at + place) & wanted != wanted:
                    return False
            at += count
            done += 8 * count
        else:
            if at >= end or load_byte(at) != 1:
                return False
            at += 1
            done += count
    return True
