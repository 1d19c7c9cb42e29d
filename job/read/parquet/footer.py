"""A Parquet file's footer: where the columns of each row group are, and how they are stored.

`footer_kernel` reads it into a table, `plain_pages` asks for the columns that `page_kernel` may decode.
"""

import functools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from job.compiled.machine_code import kernel
from job.settings import MIB

# What the table holds of a column in a row group: its physical type, codec and size in the file, the offsets of its
# first data page and of its dictionary page (0: none), whether it is in another file (1) or encrypted (2), and which
# column of the schema it is.
PHYSICAL_TYPE, CODEC, PACKED_BYTES, DATA_PAGE, DICTIONARY_PAGE, IS_ELSEWHERE, LEAF = range(7)
FIELDS: Final = 7
ENCRYPTED: Final = 2

# Values of parquet.thrift's Type (INT32, INT64) and CompressionCodec (UNCOMPRESSED, SNAPPY).
_VALUE_BYTES: Final = {1: 4, 2: 8}
_IS_SNAPPY: Final = {0: False, 1: True}
# pyarrow's names of the physical types of byte strings.
_BYTES, _FIXED_BYTES = "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"
_TAIL_BYTES: Final = 8
_MAX_CHUNK_BYTES: Final = 16 * MIB


class ColumnChunk(NamedTuple):
    """Where a column of a row group is in the file, and how it is stored. has_levels: nulls are possible."""

    offset: int
    size_bytes: int
    value_bytes: int
    is_snappy: bool
    has_levels: bool


class ByteLeaf(NamedTuple):
    """A column of byte strings. width: the bytes of each, or 0 if they differ. is_repeated: a row may have several."""

    path: str
    width: int
    is_repeated: bool


class ChunkTable:
    """The column chunks of a file that `page_kernel` may decode; none if the footer is in any way unusual."""

    def __init__(self, file: pa.NativeFile, footer: pq.FileMetaData) -> None:
        """footer: of the same file, as Arrow parsed it."""
        self._file_bytes: int = file.size()
        self._columns, self.byte_leaves = _columns_of(_LeavesKey(footer.schema))
        self._table = _read_table(file, self._file_bytes, footer)

    def chunks(self, group: int) -> dict[str, ColumnChunk]:
        """The chunks of a row group that `page_kernel` may decode, by the names of their columns."""
        if self._table is None:
            return {}
        entries, found = self._table[group].tolist(), {}
        for name, (index, has_levels) in self._columns.items():
            if has_levels is None:
                continue
            kind, codec, size, data_page, dictionary_page, is_elsewhere, _ = entries[index]
            offset = dictionary_page or data_page
            if kind not in _VALUE_BYTES or codec not in _IS_SNAPPY or is_elsewhere:
                continue
            if 0 < size <= _MAX_CHUNK_BYTES and 0 < offset <= self._file_bytes - size:
                found[name] = ColumnChunk(offset, size, _VALUE_BYTES[kind], _IS_SNAPPY[codec], has_levels)
        return found

    def entries(self, group: int, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """What the footer says of columns: int64 (n, FIELDS); `name` stands for all that it consists of, too.

        Encrypted columns, which Arrow refuses, are left out. Raises ArrowInvalid if the footer is damaged.
        """
        if self._table is None:
            raise pa.ArrowInvalid("its footer is damaged")
        entries = self._table[group, [place for name in names for place in self._leaves(name)]]
        return entries[entries[:, IS_ELSEWHERE] < ENCRYPTED]

    def _leaves(self, name: str) -> list[int]:
        if name in self._columns:
            return [self._columns[name][0]]
        return [place for path, (place, _) in self._columns.items() if path.startswith(f"{name}.")]


class _LeavesKey:
    """A schema as the key of a cache: files of one folder mostly have the same."""

    def __init__(self, schema: pq.ParquetSchema) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _LeavesKey) and bool(self.schema.equals(other.schema))

    def __hash__(self) -> int:
        return len(self.schema)


@functools.lru_cache(maxsize=4)
def _columns_of(key: _LeavesKey) -> tuple[dict[str, tuple[int, bool | None]], dict[int, ByteLeaf]]:
    """By name, index and whether nulls are possible of each column, None if it may have several values a row.

    And by index, the columns of byte strings.
    """
    columns = [key.schema.column(index) for index in range(len(key.schema))]
    found = {
        column.path: (
            index,
            None if column.max_definition_level > 1 or column.max_repetition_level else column.max_definition_level > 0,
        )
        for index, column in enumerate(columns)
    }
    kinds = [column.physical_type for column in columns]
    byte_leaves = {
        index: ByteLeaf(
            column.path, column.length if kind == _FIXED_BYTES else 0, is_repeated=column.max_repetition_level > 0
        )
        for index, (column, kind) in enumerate(zip(columns, kinds, strict=True))
        if kind in {_FIXED_BYTES, _BYTES}
    }
    return found, byte_leaves


def _read_table(file: pa.NativeFile, file_bytes: int, footer: pq.FileMetaData) -> npt.NDArray[np.int64] | None:
    """int64 (row groups, columns, FIELDS); None if the kernel cannot read the footer."""
    tail = file.read_at(_TAIL_BYTES, file_bytes - _TAIL_BYTES)
    size = int.from_bytes(tail[:4], "little")
    content = np.frombuffer(file.read_at(size, file_bytes - _TAIL_BYTES - size), np.uint8)
    table = np.zeros((footer.num_row_groups, footer.num_columns, FIELDS), np.int64)
    result = np.zeros(1, np.int64)
    kernel("job.read.parquet.footer_kernel", "chunks")(
        content.ctypes.data, len(content), *table.shape[:2], table.ctypes.data, result.ctypes.data
    )
    table[:, :, LEAF] = np.arange(footer.num_columns)
    return table if result[0] else None
