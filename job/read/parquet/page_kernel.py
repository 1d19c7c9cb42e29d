"""The pages of a column of whole numbers -> pixels, where they are as nearly all files have them: the hot loop.

Follows the Parquet format (github.com/apache/parquet-format: parquet.thrift, Encodings.md). It accepts only what is
plain - INT32 or INT64, as they are or by a dictionary of pixels, no nulls, packed with Snappy or not at all, without
checksums - and answers that a column is not plain for anything else, damage included: Arrow then reads it, and says
what is wrong. It believes nothing that a file says about sizes.

Compiled by Numba, kept and loaded by `machine_code`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.compiled.llvm import load_byte, load_long, load_word, store_byte, store_long
from job.read.parquet.grid import NUMBERS, TABLE_BYTES
from job.read.parquet.snappy_kernel import copy, unpack
from job.read.parquet.thrift_kernel import BINARY, DOUBLE, FALSE, I8, I64, STRUCT, TRUE, varint, zigzag

# What `head` holds of a page's header.
_TYPE, _PLAIN_BYTES, _PACKED_BYTES, _CHECKSUM = 0, 1, 2, 3
_VALUES, _ENCODING, _LEVEL_ENCODING, _NULLS, _LEVEL_BYTES, _IS_PACKED = 4, 5, 6, 7, 8, 9
_HEAD_SIZE: Final = 10
_IDS_SIZE: Final = NUMBERS - _HEAD_SIZE
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_MAX_PIXEL: Final = 255
_ENTRIES: Final = TABLE_BYTES
_MAX_BITS: Final = 8
SIGNATURE: Final = types.void(*[types.int64] * 11, types.CPointer(types.int64), types.CPointer(types.int64))


@numba.njit
def decode(
    content, size, width, is_snappy, has_levels, rows, start, stop, target, room, page_bytes, numbers, result
):  # fmt: skip
    """Write the pixels of the rows [start, stop) to `target`; result: 1 if the column is plain, else 0 and no promise.

    content: address of a column chunk's `size` bytes, for `rows` rows. width: bytes of a number. has_levels: whether
    nulls are possible. room: address of TABLE_BYTES, then page_bytes, then SLACK_BYTES. numbers: int64 (NUMBERS,).
    """
    result_of = carray(result, 1)
    result_of[0] = 0
    head = carray(numbers, NUMBERS)
    page = room + TABLE_BYTES
    at = row = entries = 0
    while row < stop:
        at = _read_header(content, at, size, head)
        packed, plain = head[_PACKED_BYTES], head[_PLAIN_BYTES]
        if at < 0 or head[_CHECKSUM] or packed < 0 or plain < 0 or packed > size - at or plain > page_bytes:
            return
        source = content + at
        at += packed
        values = head[_VALUES]
        if head[_TYPE] == _DICTIONARY_PAGE:
            if entries or row or not _dictionary(source, packed, plain, width, is_snappy, values, page, room):
                return
            entries = values
            continue
        if values <= 0 or values > rows - row:
            return
        if row + values > start:
            levels = _open_page(source, packed, plain, is_snappy, has_levels, head, page)
            if levels < 0:
                return
            first, end = page + levels, page + plain
            if head[_ENCODING] == _PLAIN:
                is_good = _plain_numbers(first, end, width, values, row, start, stop, target)
            elif head[_ENCODING] == _RLE_DICTIONARY or head[_ENCODING] == _PLAIN_DICTIONARY:
                is_good = _indices(first, end, values, room, entries, row, start, stop, target)
            else:
                is_good = False
            if not is_good:
                return
        row += values
    if stop < rows or row == rows:
        result_of[0] = 1


@numba.njit
def _read_header(content, at, size, head):
    """Fill `head` from a page's header (Thrift's compact protocol); returns the place behind it, or -1."""
    ids = head[_HEAD_SIZE:]
    for place in range(_HEAD_SIZE):
        head[place] = 0
    head[_LEVEL_ENCODING] = _RLE
    head[_IS_PACKED] = 1
    depth = 0
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
            if depth == _IDS_SIZE:
                return -1
            ids[depth] = 0
            continue
        value = 0
        if I8 < kind <= I64:
            value, at = zigzag(content, at, size)
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
        _note(head, depth, ids[0], ids[1], value)
    return -1


@numba.njit
def _note(head, depth, field, inner, value):
    """Keep a field of the header (`depth` 0), or of what the header holds: a page's own header."""
    if depth == 0:
        if field == 1:
            head[_TYPE] = value
        elif field == 2:
            head[_PLAIN_BYTES] = value
        elif field == 3:
            head[_PACKED_BYTES] = value
        elif field == 4:
            head[_CHECKSUM] = 1
    elif depth == 1 and field in (5, 7):
        if inner == 1:
            head[_VALUES] = value
        elif inner == 2:
            head[_ENCODING] = value
        elif inner == 3 and field == 5:
            head[_LEVEL_ENCODING] = value
    elif depth == 1 and field == 8:
        if inner == 1:
            head[_VALUES] = value
        elif inner == 2:
            head[_NULLS] = value
        elif inner == 4:
            head[_ENCODING] = value
        elif inner in (5, 6):
            head[_LEVEL_BYTES] += value
        elif inner == 7:
            head[_IS_PACKED] = value


@numba.njit
def _fetch(source, packed, plain, is_packed, target):
    """Bring bytes to `target`, unpacked; whether they are `plain` many."""
    if is_packed:
        return unpack(source, packed, target, plain)
    if packed != plain:
        return False
    copy(source, target, plain)
    return True


@numba.njit
def _dictionary(source, packed, plain, width, is_snappy, values, page, table):
    """Make the table of a dictionary; whether all its numbers are pixels."""
    if values <= 0 or values > _ENTRIES or values * width != plain:
        return False
    if not _fetch(source, packed, plain, is_snappy, page):
        return False
    for place in range(values):
        number = _number(page + place * width, width)
        if number > _MAX_PIXEL:
            return False
        store_byte(table + place, number)
    return True


@numba.njit
def _number(address, width):
    """An integer as if it had no sign, so that negative ones are too large."""
    return np.uint64(load_word(address)) if width == 4 else load_long(address)


@numba.njit
def _open_page(source, packed, plain, is_snappy, has_levels, head, page):
    """Bring a page's content to `page`; returns where its numbers begin, or -1 if it has nulls or is not as said."""
    if head[_LEVEL_ENCODING] != _RLE:
        return -1
    if head[_TYPE] == _DATA_PAGE_V2:
        levels = head[_LEVEL_BYTES]
        if head[_NULLS] or levels < 0 or levels > min(packed, plain):
            return -1
        if has_levels and not _all_present(source, source + levels, head[_VALUES]):
            return -1
        is_packed = is_snappy and head[_IS_PACKED]
        is_good = _fetch(source + levels, packed - levels, plain - levels, is_packed, page + levels)
        return levels if is_good else -1
    if head[_TYPE] != _DATA_PAGE or not _fetch(source, packed, plain, is_snappy, page):
        return -1
    if not has_levels:
        return 0
    length = load_word(page) if plain >= 4 else plain
    if length > plain - 4 or not _all_present(page + 4, page + 4 + length, head[_VALUES]):
        return -1
    return 4 + length


@numba.njit
def _all_present(at, end, values):
    """Whether levels of one bit say of each value that it is there: runs of ones, and bits that are all set."""
    done = 0
    while done < values:
        head, behind = varint(at, 0, end - at)
        if behind < 0:
            return False
        at += behind
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


@numba.njit
def _plain_numbers(at, end, width, values, row, start, stop, target):
    """Numbers one behind another; whether all are pixels."""
    if end - at != values * width:
        return False
    bad = np.uint64(0)
    for place in range(max(start - row, 0), min(stop - row, values)):
        number = _number(at + place * width, width)
        bad |= number
        store_byte(target + row + place - start, number)
    return bad <= _MAX_PIXEL


@numba.njit
def _indices(at, end, values, table, entries, row, start, stop, target):
    """Places in the dictionary, as runs of one or packed in bits, eight together; whether all of them are places."""
    if at >= end:
        return False
    bits = load_byte(at)
    at += 1
    if bits > _MAX_BITS:
        return False
    done = 0
    while done < values:
        head, behind = varint(at, 0, end - at)
        if behind < 0 or head >> 1 == 0:
            return False
        at += behind
        if head & 1:
            groups = min(head >> 1, (values - done + 7) >> 3)
            # Not multiplied: the product of a number that the file made up may be any other.
            if bits and head >> 1 > (end - at) // bits:
                return False
            if not _groups(at, groups, bits, values - done, table, entries, row + done, start, stop, target):
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
    eight = np.uint64(value) * np.uint64(0x0101010101010101)
    while first + 8 <= last:
        store_long(target + first, eight)
        first += 8
    while first < last:
        store_byte(target + first, value)
        first += 1


@numba.njit
def _groups(at, groups, bits, values, table, entries, row, start, stop, target):
    """Groups of eight places of so many bits each; whether all of them are places in the dictionary."""
    mask = np.uint64((1 << bits) - 1)
    shift = np.uint64(bits)
    highest = np.int64(0)
    background = np.uint64(load_byte(table)) * np.uint64(0x0101010101010101)
    for group in range(groups):
        # Eight bytes are read where fewer belong to the group: there is slack behind the page.
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
