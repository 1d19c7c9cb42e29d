"""Where the columns of each row group lie in a Parquet file, and how they are stored; see `footer_kernel`."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from job.compiled.machine_code import kernel
from job.settings import MIB

# What is known of a column in a row group: the type of its numbers, its codec, its size in the file, the places of its
# first data page and of its dictionary (0 for none), and whether it lies in another file or is encrypted.
NUMBER, CODEC, PACKED_BYTES, DATA_PAGE, DICTIONARY_PAGE, IS_ELSEWHERE = range(6)
FIELDS: Final = 6

# The formats of parquet.thrift: INT32 and INT64, UNCOMPRESSED and SNAPPY.
_NUMBER_BYTES: Final = {1: 4, 2: 8}
_IS_SNAPPY: Final = {0: False, 1: True}
_TAIL_BYTES: Final = 8
_CHUNK_BYTES: Final = 16 * MIB


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a column of a row group lies in the file, and what it is made of."""

    offset: int
    size_bytes: int
    number_bytes: int
    is_snappy: bool
    has_levels: bool


class ChunkTable:
    """A file's footer, as far as the page kernel needs it. Empty where anything in it is not as it should be."""

    def __init__(self, file: pa.NativeFile, footer: pq.FileMetaData) -> None:
        self._file_bytes: int = file.size()
        columns = [footer.schema.column(index) for index in range(footer.num_columns)]
        # By its name, the place of a column that holds one value a row at most, and whether a row may be without.
        self._columns = {
            column.path: (index, column.max_definition_level > 0)
            for index, column in enumerate(columns)
            if column.max_definition_level <= 1 and not column.max_repetition_level
        }
        self._table = _table(file, self._file_bytes, footer)

    def chunk(self, group: int, name: str) -> Chunk | None:
        """A column of a row group; None where it is none that the page kernel may understand."""
        if self._table is None or name not in self._columns:
            return None
        index, has_levels = self._columns[name]
        place = self._table[group, index].tolist()
        number_bytes, is_snappy = _NUMBER_BYTES.get(place[NUMBER]), _IS_SNAPPY.get(place[CODEC])
        size, offset = place[PACKED_BYTES], place[DICTIONARY_PAGE] or place[DATA_PAGE]
        if number_bytes is None or is_snappy is None or place[IS_ELSEWHERE]:
            return None
        if not (0 < size <= _CHUNK_BYTES and 0 < offset <= self._file_bytes - size):
            return None
        return Chunk(offset, size, number_bytes, is_snappy, has_levels)


def _table(file: pa.NativeFile, file_bytes: int, footer: pq.FileMetaData) -> npt.NDArray[np.int64] | None:
    """int64 (row groups, columns, FIELDS); None where the footer is not just that."""
    tail = file.read_at(_TAIL_BYTES, file_bytes - _TAIL_BYTES)
    size = int.from_bytes(tail[:4], "little")
    content = np.frombuffer(file.read_at(size, file_bytes - _TAIL_BYTES - size), np.uint8)
    table = np.zeros((footer.num_row_groups, footer.num_columns, FIELDS), np.int64)
    result = np.zeros(1, np.int64)
    kernel("job.read.parquet.footer_kernel", "chunks")(
        content.ctypes.data, len(content), *table.shape[:2], table.ctypes.data, result.ctypes.data
    )
    return table if result[0] else None
