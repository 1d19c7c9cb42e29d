"""Numbers in Thrift's compact protocol, which encodes Parquet's footer and page headers. Part of two kernels' code.

Follows doc/specs/thrift-compact-protocol.md in github.com/apache/thrift. Every function reads at the offset `at` of the
`size` bytes at the address `content`, and returns the offset after what it read, or -1 if the bytes do not encode it;
given -1, it returns -1. Used by `footer_kernel`, `page_header_kernel` and `encoding_kernel`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# (Numba infers the types of compiled functions from their arguments, and its decorators are untyped.)

import numba

from job.compiled.llvm import load_byte

# Types of values. The value of a boolean field is its type.
STOP, TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


@numba.njit
def varint(content, at, size):
    """An unsigned integer, seven bits a byte, lowest first: (value, offset after it)."""
    value = shift = 0
    while 0 <= at < size and shift < 63:
        byte = load_byte(content + at)
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at
    return 0, -1


@numba.njit
def zigzag(content, at, size):
    """A signed integer: (value, offset after it)."""
    value, at = varint(content, at, size)
    return (value >> 1) ^ -(value & 1), at
