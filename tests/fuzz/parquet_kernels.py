"""The fuzz targets of Parquet: bytes -> a column's pages, a footer, or data compressed with Snappy -> a kernel.

Each input is run by the kernel as plain Python, which shows Atheris the branches taken, and by the compiled kernel, in
memory whose neighbours cannot be accessed. The laws: both agree, neither touches a byte outside, and what they read is
what Arrow reads.
"""

import ctypes
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from support.guarded_memory import SIDES, guarded_array, guarded_bytes
from support.parquet_file import one_column_file

from fuzz.interpreted import Memory, interpreted
from job.compiled.machine_code import kernel
from job.read.parquet import footer_kernel, page_kernel, snappy_kernel
from job.read.parquet.footer import FIELDS
from job.read.parquet.plain_pages import HEADER_NUMBERS, SLACK_BYTES, TABLE_BYTES

_GARBAGE = 170


class PageTarget:
    """Four bytes of choices, then a column chunk."""

    def __init__(self, instrument):
        self._memory = Memory()
        self._plain = interpreted(page_kernel.decode, self._memory, instrument)
        self._compiled = kernel("job.read.parquet.page_kernel", "decode")

    def check(self, data):
        """Raise if a law is broken."""
        choices, chunk = data[:4].ljust(4, b"\0"), data[4:]
        is_snappy, has_levels, width = bool(choices[0] & 1), bool(choices[0] & 2), 8 if choices[0] & 4 else 4
        rows, page_bytes = choices[1] + 1, 8 * choices[3]
        start = choices[2] % rows
        for first, stop in ((0, rows), (start, min(start + 9, rows))):
            options = (width, is_snappy, has_levels, rows, first, stop)
            found = self._decoded(chunk, options, page_bytes)
            if found is not None:
                expected = _by_arrow(chunk, rows, width, is_snappy=is_snappy, has_levels=has_levels)
                assert expected is None or found == expected[first:stop], (found, expected)

    def _decoded(self, chunk, options, page_bytes):
        """The pixels of some rows by both kernels; None if the column is not plain."""
        rows = options[-1] - options[-2]
        sizes = (rows, TABLE_BYTES + page_bytes + SLACK_BYTES, 8 * HEADER_NUMBERS, 8)
        self._memory.clear()
        results = []
        for side in (*SIDES, None):
            arrays = [np.full(size, _GARBAGE, np.uint8) for size in sizes]
            if side is None:
                source, *places = map(self._memory.place, (np.frombuffer(chunk, np.uint8), *arrays))
            else:
                content, arrays = guarded_bytes(chunk, side), [guarded_array(array, side) for array in arrays]
                source, places = ctypes.addressof(content), [array.ctypes.data for array in arrays]
            target, scratch, numbers, result = places
            run = self._plain if side is None else self._compiled
            run(source, len(chunk), *options, target, scratch, page_bytes, numbers, result)
            results.append(arrays[0].tolist() if arrays[3].view(np.int64)[0] else None)
        assert results[0] == results[1] == results[2], results
        return results[0]


class FooterTarget:
    """A byte each for the number of row groups and of columns, then a footer."""

    def __init__(self, instrument):
        self._memory = Memory()
        self._plain = interpreted(footer_kernel.chunks, self._memory, instrument)
        self._compiled = kernel("job.read.parquet.footer_kernel", "chunks")

    def check(self, data):
        """Raise if a law is broken."""
        counts, footer = data[:2].ljust(2, b"\0"), data[2:]
        shape = (counts[0] % 8, counts[1] % 16)
        self._memory.clear()
        found = []
        for side in (*SIDES, None):
            table, result = np.zeros((*shape, FIELDS), np.int64), np.zeros(1, np.int64)
            if side is None:
                places = map(self._memory.place, (np.frombuffer(footer, np.uint8), table, result))
                source, *places = places
                self._plain(source, len(footer), *shape, *places)
            else:
                content = guarded_bytes(footer, side)
                table, result = guarded_array(table, side), guarded_array(result, side)
                self._compiled(ctypes.addressof(content), len(footer), *shape, table.ctypes.data, result.ctypes.data)
            found.append(table.tolist() if result[0] else None)
        assert found[0] == found[1] == found[2], found


class SnappyTarget:
    """Two bytes for the length of the plain data, then compressed data."""

    def __init__(self, instrument):
        self._memory = Memory()
        self._plain = interpreted(snappy_kernel.unpack, self._memory, instrument)

    def check(self, data):
        """Raise if a law is broken."""
        expected, packed = int.from_bytes(data[:2], "little") % 4096, data[2:]
        self._memory.clear()
        found = []
        for side in (*SIDES, None):
            source, target = np.frombuffer(packed, np.uint8), np.zeros(expected + SLACK_BYTES, np.uint8)
            if side is None:
                is_good = self._plain(*self._places(source, target, len(packed)), expected)
            else:
                source, target = guarded_array(source, side), guarded_array(target, side)
                is_good = snappy_kernel.unpack(source.ctypes.data, len(packed), target.ctypes.data, expected)
            found.append(target[:expected].tobytes() if is_good else None)
        assert found[0] == found[1] == found[2], found
        assert found[0] == _unpacked_by_arrow(packed, expected)

    def _places(self, source, target, size):
        return self._memory.place(source), size, self._memory.place(target)


def _by_arrow(chunk, rows, width, *, is_snappy, has_levels):
    """What Arrow reads; None if it refuses the column."""
    content = one_column_file(chunk, rows, width, is_snappy=is_snappy, has_levels=has_levels)
    try:
        return pq.read_table(io.BytesIO(content), use_threads=False).column(0).to_pylist()
    except (OSError, pa.ArrowException):
        return None


def _announced(packed):
    """The length at the start of compressed data: a varint, perhaps of more bytes than it takes; None if it is cut."""
    value = 0
    for place, byte in enumerate(packed[:5]):
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value
    return None


def _unpacked_by_arrow(packed, expected):
    """The plain data; None if Arrow refuses it, or if it does not begin with the length `expected`."""
    if _announced(packed) != expected:
        return None
    try:
        return pa.decompress(packed, expected, "snappy", asbytes=True)
    except (OSError, pa.ArrowException):
        return None
