"""A Parquet file as a `TableSource`, whose groups are the file's row groups.

This module opens the file: Arrow reads it, and `plain_pages` decodes the columns that need no Arrow.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.parquet as pq

from job.errors import DataError
from job.read.parquet.batch_rows import BatchRows
from job.read.parquet.footer import ChunkTable
from job.read.parquet.page_sizes import check_page_sizes
from job.read.parquet.plain_pages import PlainPages
from job.read.table.announced_rows import check_announced_rows
from job.read.table.table_source import TableSource, settle
from job.settings import ReadSettings
from job.storage import CheckStop, FileInfo, Storage, check_unchanged, is_system_error, translated_errors

MAGIC: Final = b"PAR1"

# Without this limit, Arrow holds a column of a row group in memory as stored, even if it is read in slices.
_COLUMN_BUFFER_BYTES: Final = 32 << 10
# Arrow allocates a list of the footer by the number of entries that the footer states, before it reads the first one.
# An entry takes more bytes than this, and no file has more entries than that.
_ENTRY_BYTES: Final = 8
_MIN_ENTRIES, _MAX_ENTRIES = 1000, 1 << 17
_TAIL_BYTES: Final = 8
# In Arrow's messages about columns or pages that are encrypted, while the footer is not.
_DECRYPTION: Final = "decrypt"


class ParquetSource(TableSource):
    """A Parquet file whose columns are known. A range is [first row group, last row group + 1)."""

    format: ClassVar = "parquet"
    group_name: ClassVar = "row group"

    __slots__ = ()

    @contextmanager
    def opened(self, storage: Storage) -> Iterator["OpenParquet"]:
        with _opened(storage, self.file) as table:
            yield table


class OpenParquet:
    """An open Parquet file; its footer is parsed by the first method that needs it."""

    def __init__(self, storage: Storage, file: FileInfo, raw: pa.NativeFile) -> None:
        self._key = (storage, file)
        self._raw = raw
        self._to_close = ExitStack()
        self._batch_rows: dict[tuple[int, tuple[str, ...]], BatchRows] = {}

    @functools.cached_property
    def parquet(self) -> pq.ParquetFile:
        """The file as Arrow opens it."""
        known = _footers.get(self._key)
        parquet = pq.ParquetFile(
            self._raw,
            metadata=known and known.metadata,
            pre_buffer=False,
            buffer_size=_COLUMN_BUFFER_BYTES,
            page_checksum_verification=True,
            thrift_container_size_limit=self._most_entries(),
        )
        if known is None:
            _footers.keep(self._key, _Footer(parquet.metadata))
        return self._to_close.enter_context(parquet)

    @property
    def group_count(self) -> int:
        return int(self.parquet.metadata.num_row_groups)

    @property
    def check_stop(self) -> CheckStop:
        return self._key[0].check_stop

    def rows(self, group: int) -> int:
        return int(self._footer.metadata.row_group(group).num_rows)

    def batches(self, group: int, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Asked for no columns, Arrow returns batches without columns that have the right number of rows."""
        key = (group, tuple(names))
        if key not in self._batch_rows:
            table = self._footer.chunk_table(self._raw)
            walks = check_page_sizes(self._raw, table.entries(group, names))
            self._batch_rows[key] = BatchRows(self._raw, walks, table.byte_leaves, self.rows(group))
        rows = self._batch_rows[key].at_most(rows)
        for records in self.parquet.iter_batches(rows, row_groups=[group], columns=names, use_threads=False):
            self.check_stop()
            yield records

    def decoder(self, group: int) -> PlainPages:
        return PlainPages(self._raw, self._footer.chunk_table(self._raw), group, self.rows(group))

    @functools.cached_property
    def _footer(self) -> "_Footer":
        return _footers.get(self._key) or _Footer(self.parquet.metadata)

    def _most_entries(self) -> int:
        tail = self._raw.read_at(_TAIL_BYTES, max(0, self._raw.size() - _TAIL_BYTES))
        return min(max(_MIN_ENTRIES, int.from_bytes(tail[:4], "little") // _ENTRY_BYTES), _MAX_ENTRIES)

    def close(self) -> None:
        """Close what Arrow opened, but not the file."""
        self._to_close.close()


def parquet_source(storage: Storage, file: FileInfo, settings: ReadSettings) -> ParquetSource:
    """Read a Parquet file's footer and settle its columns. Raises LayoutError, DataError, StorageError."""
    with _opened(storage, file) as table:
        footer = table.parquet.metadata
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        rows, sizes = tuple(group.num_rows for group in groups), tuple(max(0, each.total_byte_size) for each in groups)
        check_announced_rows(file, rows)
        if sum(rows) != footer.num_rows:
            raise DataError(
                f"{file.path}: cannot be read as Parquet: its row groups have {sum(rows)} rows, but its footer "
                f"announces {footer.num_rows}"
            )
        columns, scale = settle(table, table.parquet.schema_arrow, settings, file.path)
    return ParquetSource(file, columns, scale, sizes, rows, settings.label_map)


class _Footer:
    """A footer as Arrow parsed it, and as `footer_kernel` does when it is needed."""

    def __init__(self, metadata: pq.FileMetaData) -> None:
        self.metadata = metadata
        self._table: ChunkTable | None = None

    def chunk_table(self, raw: pa.NativeFile) -> ChunkTable:
        """raw: the file whose footer this is."""
        table = self._table or ChunkTable(raw, self.metadata)
        self._table = table
        return table


class _Footers:
    """The footers of the two files that were opened last, for any thread.

    Every part needs its file's footer, which takes long to parse with 784 columns in many row groups.
    """

    _KEPT: ClassVar = 2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._footers: OrderedDict[_Key, _Footer] = OrderedDict()

    def get(self, key: "_Key") -> _Footer | None:
        return self._footers.get(key)

    def keep(self, key: "_Key", footer: _Footer) -> None:
        with self._lock:
            self._footers[key] = footer
            while len(self._footers) > self._KEPT:
                self._footers.popitem(last=False)


_Key = tuple[Storage, FileInfo]
_footers = _Footers()


@contextmanager
def _opened(storage: Storage, file: FileInfo) -> Iterator[OpenParquet]:
    """Open a file; what Arrow raises meanwhile becomes DataError, InputChanged or StorageError."""
    with translated_errors(file.path):
        try:
            with closing(storage.open(file.path)) as raw, closing(OpenParquet(storage, file, raw)) as table:
                yield table
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # Arrow does not validate column names
            if is_system_error(error):
                raise
            check_unchanged(storage, file)  # the cached footer may be that of another file
            problem = str(error).partition("\n")[0]
            if _DECRYPTION in problem.lower():
                raise DataError(
                    f"{file.path}: has encrypted columns, which are not read; write it again without encryption"
                ) from error
            raise DataError(f"{file.path}: cannot be read as Parquet: {problem}") from error
