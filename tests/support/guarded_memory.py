"""Memory beside a page without access: a kernel that reads or writes one byte too far ends the process.

Memory begins or ends exactly at that page, so there are two `SIDES` to try. pytest turns on Python's faulthandler,
which names the test; pytest-xdist names it, too, and goes on with the next one.
"""

import ctypes
import math
import mmap
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

SIDES = ("begin", "end")

_PAGE_BYTES = mmap.PAGESIZE
_NO_ACCESS = 0
_protect = ctypes.CDLL(None, use_errno=True).mprotect
_protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class _Text(ctypes.Array):
    """An array of C characters with what it lacks of a bytearray: integers as items, and a search."""

    _type_, _length_ = ctypes.c_char, 0

    def __getitem__(self, place):
        found = super().__getitem__(place)
        return found if isinstance(place, slice) else found[0]

    def find(self, *arguments):
        return bytes(self).find(*arguments)

    def rfind(self, *arguments):
        return bytes(self).rfind(*arguments)


def guarded_bytes(content, side, spare_bytes=0):
    """A copy of bytes whose first or last byte is beside a page without access; it can be used like a bytearray.

    spare_bytes: that many zeros follow the content, and belong to the copy.
    """
    size = len(content) + spare_bytes
    memory, start = _allocate(size, side)
    memory[start : start + len(content)] = bytes(content)
    kind = type("GuardedBytes", (_Text,), {"_length_": size})
    return kind.from_buffer(memory, start)


def guarded_array(values, side):
    """A contiguous copy of an array, beside a page without access."""
    copy = _zeros(values.shape, values.dtype, side)
    copy[...] = values
    return copy


class GuardedFile:
    """A file in memory that is read as a `pyarrow.NativeFile` is, each time into guarded memory."""

    def __init__(self, content, side):
        self._content = content
        self._side = side

    def size(self):
        return len(self._content)

    def read_at(self, size, offset):
        """The bytes from `offset` on, fewer than `size` at the end of the file."""
        return guarded_bytes(self._content[offset : offset + size], self._side)


@contextmanager
def guarded_allocations(side):
    """Within this context, `np.empty`, `np.zeros` and `np.full` return memory beside a page without access."""

    def zeros(shape, dtype=float):
        return _zeros(shape, np.dtype(dtype), side)

    def full(shape, value, dtype):
        return guarded_array(np.broadcast_to(np.asarray(value, dtype), shape), side)

    with patch.multiple(np, empty=zeros, zeros=zeros, full=full):
        yield


def _zeros(shape, dtype, side):
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    memory, start = _allocate(count * dtype.itemsize, side)
    return np.frombuffer(memory, dtype, count, start).reshape(shape)


def _allocate(size, side):
    """Memory of at least `size` bytes between two pages without access, and the offset of the `size` bytes in it."""
    inner = -(-max(size, 1) // _PAGE_BYTES) * _PAGE_BYTES
    memory = mmap.mmap(-1, inner + 2 * _PAGE_BYTES)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (0, _PAGE_BYTES + inner):
        if _protect(address + guard, _PAGE_BYTES, _NO_ACCESS):
            raise OSError(ctypes.get_errno(), "mprotect")
    return memory, _PAGE_BYTES if side == "begin" else _PAGE_BYTES + inner - size
