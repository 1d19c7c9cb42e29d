"""Kernels run as plain Python: Atheris sees which of their branches an input takes, and no byte outside is touched.

`Memory` stands for the process's memory. An address in it is a number as in a compiled kernel, and touching a byte that
belongs to no array raises an error. `interpreted` gives a kernel's functions this memory instead of the real one.
"""

from types import FunctionType

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

from job.compiled import llvm

# The distance of two arrays in memory, more than any size that an input states is added to an address unchecked.
_SPACE = 1 << 40


class Memory:
    """Arrays at made-up addresses."""

    def __init__(self):
        self._arrays = []

    def clear(self):
        """Forget all arrays."""
        self._arrays.clear()

    def place(self, array):
        """The address of a contiguous array, which is used as it is."""
        self._arrays.append(np.frombuffer(array, np.uint8))
        return len(self._arrays) * _SPACE

    def functions(self):
        """What kernels call to access memory, and what stands for it here."""
        return {
            llvm.load_byte: lambda address: self._load(address, 1),
            llvm.load_word: lambda address: self._load(address, 4),
            llvm.load_long: lambda address: np.uint64(self._load(address, 8)),
            llvm.store_byte: lambda address, value: self._store(address, value, 1),
            llvm.store_long: lambda address, value: self._store(address, value, 8),
            numba.carray: self._array,
        }

    def _bytes(self, address, size):
        number, offset = divmod(int(address), _SPACE)
        if not 0 < number <= len(self._arrays):
            raise IndexError(f"{size} bytes at {address}, which is nowhere")
        array = self._arrays[number - 1]
        if offset + size > len(array):
            raise IndexError(f"{size} bytes at offset {offset} of {len(array)}")
        return array[offset : offset + size]

    def _load(self, address, size):
        return int.from_bytes(self._bytes(address, size).tobytes(), "little")

    def _store(self, address, value, size):
        value = int(value) & ((1 << (8 * size)) - 1)
        self._bytes(address, size)[:] = np.frombuffer(value.to_bytes(size, "little"), np.uint8)

    def _array(self, address, shape):
        return self._bytes(address, 8 * int(np.prod(shape))).view(np.int64).reshape(shape)


def interpreted(kernel, memory, instrument):
    """A kernel, decorated by Numba, as plain Python on `memory`, and with it all that it calls.

    instrument: changes a function so that Atheris sees its branches.
    """
    known = memory.functions()

    def plain(value):
        if isinstance(value, Dispatcher) and value not in known:
            source = value.py_func
            scope = dict(source.__globals__)
            known[value] = copy = FunctionType(source.__code__, scope, source.__name__, source.__defaults__)
            scope.update({name: plain(scope[name]) for name in source.__code__.co_names if name in scope})
            instrument(copy)
        try:
            return known.get(value, value)
        except TypeError:  # not hashable, so not a function
            return value

    return plain(kernel)
