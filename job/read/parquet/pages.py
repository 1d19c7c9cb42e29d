"""Columns of a row group -> pixels without Arrow, where their pages are plain; see `page_kernel`.

Arrow makes integers of a column, then of these the type that the schema names, and takes a page's worth of memory for
each; a pixel is a byte, and there are 784 columns.
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
# Room that the kernel asks for: for a dictionary, behind a page, and for the numbers of a page's header.
TABLE_BYTES: Final = 256
SLACK_BYTES: Final = 16
NUMBERS: Final = 14


class PlainPages:
    """The columns of a row group; those that are not plain are for Arrow to read."""

    def __init__(self, file: pa.NativeFile, table: ChunkTable, group: int, rows: int) -> None:
        """rows: of the row group."""
        self._file = file
        self._table = table
        self._group = group
        self._rows = rows
        self._room = np.empty(TABLE_BYTES + _PAGE_BYTES + SLACK_BYTES, np.uint8)
        self._numbers, self._result = np.empty(NUMBERS, np.int64), np.empty(1, np.int64)
        self._decode = kernel("job.read.parquet.page_kernel", "decode")

    def put(self, name: str, start: int, target: npt.NDArray[np.uint8]) -> bool:
        """Write a column's pixels, from row `start` on, to `target`; False, and rubbish, if it is not plain."""
        chunk = self._table.chunk(self._group, name)
        if chunk is None:
            return False
        content = np.frombuffer(self._file.read_at(chunk.size_bytes, chunk.offset), np.uint8)
        self._decode(
            content.ctypes.data, len(content), chunk.number_bytes, chunk.is_snappy, chunk.has_levels,
            self._rows, start, start + len(target), target.ctypes.data,
            self._room.ctypes.data, _PAGE_BYTES, self._numbers.ctypes.data, self._result.ctypes.data,
        )  # fmt: skip
        return bool(self._result[0])
