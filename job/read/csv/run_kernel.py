"""A run of integers as text -> uint8: the part of `scan_kernel` that nearly all bytes of a file go through.

Two functions for different processors, with the same results:

- `parse_run_packed`, where 64 bytes can be packed in one instruction (AVX-512 VBMI2). For each of 64 positions the
  number that would end there is computed from the three bytes before it, all at once; those at the ends of fields are
  packed together. No branch depends on the text, so none is mispredicted.
- `parse_run` everywhere else. One comparison counts the background pixels ahead (four in five of MNIST's are 0). Where
  there is ink, one comparison finds the ends of all fields in 64 bytes, and each becomes a number without a branch on
  its length.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np

from job.compiled.llvm import load_word, store_byte
from job.read.csv.vector import (
    PAIRS,
    WIDTH,
    count_bits,
    equal_bytes,
    first_bit,
    last_bit,
    leading_zero_fields,
    non_digits,
    pack_numbers,
    store_zeros,
)

_MAX_DIGITS: Final = 3
_MAX_PIXEL: Final = 255
# How many bytes before its first field `parse_run_packed` reads; their content does not matter.
LOOK_BEHIND: Final = _MAX_DIGITS


@numba.njit
def parse_run_packed(address, end_address, delimiter, row_address, fields):
    """Like `parse_run`, but writes up to 64 bytes of garbage after the row, and reads LOOK_BEHIND bytes before it."""
    field = 0
    digits_before = bad = np.uint64(0)
    while address + WIDTH <= end_address:
        others = non_digits(address)
        ends = equal_bytes(address, delimiter)
        strange = others & ~ends
        if strange != 0:
            # The run ends at the first byte that is neither digit nor delimiter, and a field may end there, too.
            first = strange & (~strange + np.uint64(1))
            ends = (ends | first) & (first | (first - np.uint64(1)))
        count = count_bits(ends)
        while field + count > fields:
            ends ^= np.uint64(1) << np.uint64(last_bit(ends))
            count -= 1
        digits = ~others
        has_one = (digits << np.uint64(1)) | (digits_before >> np.uint64(63))
        has_two = has_one & ((digits << np.uint64(2)) | (digits_before >> np.uint64(62)))
        has_three = has_two & ((digits << np.uint64(3)) | (digits_before >> np.uint64(61)))
        has_more = has_three & ((digits << np.uint64(4)) | (digits_before >> np.uint64(60)))
        is_over = pack_numbers(address, ends, has_two, has_three, row_address + field)
        bad |= ends & (~has_one | has_more | is_over)
        field += count
        if field == fields:
            return 0 if bad != 0 else address + last_bit(ends)
        if strange != 0:
            return 0
        digits_before = digits
        address += WIDTH
    return 0


@numba.njit
def parse_run(address, end_address, delimiter, row_address, fields):
    """Parse `fields` numbers 0-255 of one to three digits at `address`, with a delimiter between them.

    Reads up to SPARE_BYTES at `end_address`, whose content does not matter. Writes one byte each at `row_address`, and
    up to 96 bytes of garbage after them. Returns the address of the byte after the last number; or 0 if the text is
    anything else, or if fewer than 64 bytes are left to look at.
    """
    field = 0
    is_bad = False
    while address + WIDTH <= end_address:
        zeros = min(leading_zero_fields(address, delimiter), fields - field)
        if zeros:
            store_zeros(row_address + field)
            field += zeros
            address += 2 * zeros
            if field == fields:
                return 0 if is_bad else address - 1
            if zeros == PAIRS:
                continue
            if address + WIDTH > end_address:
                return 0
        ends = non_digits(address)
        delimiters = equal_bytes(address, delimiter)
        start = 0
        while ends != 0:
            stop = first_bit(ends)
            length = stop - start
            # Three bytes, right-aligned: a shorter number is preceded by zeros that are shifted in.
            word = np.uint64(load_word(address + start))
            digits = (word << np.uint64((8 * (_MAX_DIGITS - length)) & 63)) & np.uint64(0x0F0F0F)
            hundreds, tens = digits & np.uint64(0xFF), (digits >> np.uint64(8)) & np.uint64(0xFF)
            value = hundreds * np.uint64(100) + tens * np.uint64(10) + (digits >> np.uint64(16))
            is_bad |= (value > _MAX_PIXEL) | (length < 1) | (length > _MAX_DIGITS)
            store_byte(row_address + field, value)
            field += 1
            if field == fields:
                return 0 if is_bad else address + stop
            if (delimiters >> np.uint64(stop)) & np.uint64(1) == 0:
                return 0
            start = stop + 1
            ends &= ends - np.uint64(1)
            # One background pixel is usually followed by more: count them together.
            if value == 0:
                break
        if start == 0:
            return 0
        address += start
    return 0
