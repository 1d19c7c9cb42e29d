"""Columns of a row group -> pixels without Arrow, where their pages are plain; see `page_kernel`.

Arrow makes integers of a column, then of these the type that the schema names, and takes a page's worth of memory for
each; a pixel is a byte, and there are 784 columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from job.machine_code import kernel
from job.settings import MIB

# Writers make pages of about 1 MiB; larger ones are left to Arrow.
_PAGE_BYTES: Final = 4 * MIB
_CHUNK_BYTES: Final = 16 * MIB
_WIDTHS: Final = {"INT32": 4, "INT64": 8}
_PACKINGS: Final = {"UNCOMPRESSED": False, "SNAPPY": True}
# Room that the kernel asks for: for a dictionary, behind a page, and for the numbers of a page's header.
TABLE_BYTES: Final = 256
SLACK_BYTES: Final = 16
NUMBERS: Final = 14


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Where a column of a row group lies in the file, and what it is made of."""

    offset: int
    size_bytes: int
    number_bytes: int
    is_snappy: bool
    has_levels: bool


class PlainPages:
    """The columns of a row group; those that are not plain are for Arrow to read."""

    def __init__(self, file: pa.NativeFile, footer: pq.FileMetaData, group: int, names: Sequence[str]) -> None:
        """names: of the columns that will be asked for."""
        self._file = file
        self._rows: int = footer.row_group(group).num_rows
        self._chunks = _chunks(footer, group, {*names})
        self._room = np.empty(TABLE_BYTES + _PAGE_BYTES + SLACK_BYTES, np.uint8)
        self._numbers, self._result = np.empty(NUMBERS, np.int64), np.empty(1, np.int64)
        self._decode = kernel("job.read.parquet.page_kernel", "decode")

    def put(self, name: str, start: int, target: npt.NDArray[np.uint8]) -> bool:
        """Write a column's pixels, from row `start` on, to `target`; False, and rubbish, if it is not plain."""
        chunk = self._chunks.get(name)
        if chunk is None:
            return False
        content = np.frombuffer(self._file.read_at(chunk.size_bytes, chunk.offset), np.uint8)
        self._decode(
            content.ctypes.data, len(content), chunk.number_bytes, chunk.is_snappy, chunk.has_levels,
            self._rows, start, start + len(target), target.ctypes.data,
            self._room.ctypes.data, _PAGE_BYTES, self._numbers.ctypes.data, self._result.ctypes.data,
        )  # fmt: skip
        return bool(self._result[0])


def _chunks(footer: pq.FileMetaData, group: int, names: set[str]) -> dict[str, _Chunk]:
    """By their names, the columns that the kernel may understand."""
    row_group, chunks = footer.row_group(group), {}
    for index in range(footer.num_columns):
        column = footer.schema.column(index)
        if column.path in names and column.max_definition_level <= 1 and not column.max_repetition_level:
            found = row_group.column(index)
            width, is_snappy = _WIDTHS.get(found.physical_type), _PACKINGS.get(found.compression)
            size = found.total_compressed_size
            if width is not None and is_snappy is not None and 0 < size <= _CHUNK_BYTES:
                offset = found.dictionary_page_offset or found.data_page_offset
                chunks[column.path] = _Chunk(offset, size, width, is_snappy, column.max_definition_level > 0)
    return chunks
