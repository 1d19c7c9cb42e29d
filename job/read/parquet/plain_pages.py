"""Columns of integers -> pixels without Arrow, one after another: the hot loop of the Parquet reader.

Arrow would decode integers of 4 or 8 bytes, convert them to the schema's type, and allocate a page's worth of memory
for each. `page_kernel` decodes a column where its pages allow it; `table.grid` holds what it decodes.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.compiled.machine_code import kernel
from job.read.parquet.footer import ChunkTable
from job.settings import MIB

# Writers make pages of about 1 MiB; larger ones are left to Arrow.
_PAGE_BYTES: Final = 4 * MIB

# Sizes of what `page_kernel` asks for: a dictionary, slack after a page, and the numbers of a page's header.
TABLE_BYTES: Final = 256
SLACK_BYTES: Final = 16
HEADER_NUMBERS: Final = 14


# A row group of at most this size is read at once: a read for each column of a small file costs more than its pages.
_GROUP_BYTES: Final = 4 * MIB


class PlainPages:
    """Decodes columns of one row group; those that are not plain are left to Arrow. Not for use by several threads."""

    def __init__(self, file: pa.NativeFile, table: ChunkTable, group: int, rows: int) -> None:
        """rows: the number of rows of the row group `group`."""
        self._file = file
        self._chunks = table.chunks(group)
        self._rows = rows
        self._scratch = np.empty(TABLE_BYTES + _PAGE_BYTES + SLACK_BYTES, np.uint8)
        self._numbers, self._result = np.empty(HEADER_NUMBERS, np.int64), np.empty(1, np.int64)
        self._addresses = (self._scratch.ctypes.data, _PAGE_BYTES, self._numbers.ctypes.data, self._result.ctypes.data)
        self._decode = kernel("job.read.parquet.page_kernel", "decode")
        self._start, self._content = self._whole_group()

    def put(self, name: str, start: int, target: npt.NDArray[np.uint8]) -> bool:
        """Write the pixels of column `name` from row `start` on to `target`, (n,), as many as it holds.

        Returns False, and leaves garbage, if the column is not plain.
        """
        chunk = self._chunks.get(name)
        if chunk is None:
            return False
        content, skipped = self._content, chunk.offset - self._start
        if not 0 <= skipped <= len(content) - chunk.size_bytes:
            content, skipped = pa.py_buffer(self._file.read_at(chunk.size_bytes, chunk.offset)), 0
            if len(content) < chunk.size_bytes:
                return False
        self._decode(
            content.address + skipped, chunk.size_bytes, chunk.value_bytes, chunk.is_snappy, chunk.has_levels,
            self._rows, start, start + len(target), target.ctypes.data, *self._addresses,
        )  # fmt: skip
        return bool(self._result[0])

    def _whole_group(self) -> tuple[int, pa.Buffer]:
        """The offset and the bytes of all plain columns of the group; no bytes if they are far apart, or many."""
        start = min((chunk.offset for chunk in self._chunks.values()), default=0)
        stop = max((chunk.offset + chunk.size_bytes for chunk in self._chunks.values()), default=0)
        size = stop - start if stop - start <= _GROUP_BYTES else 0
        return start, pa.py_buffer(self._file.read_at(size, start))
