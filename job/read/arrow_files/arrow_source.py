"""An Arrow file as a `TableSource`, whose groups are its record batches: the IPC file and stream formats.

Feather 2 is the file format; Hugging Face's `save_to_disk` writes streams. `messages` tells where the batches are, and
how large; a batch that would take much memory is read a few columns at a time.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa

from job.errors import DataError, LayoutError
from job.read.arrow import BYTES_FIELD
from job.read.arrow_files.messages import (
    DICTIONARY,
    FILE_MAGIC,
    RECORDS,
    DamagedMessage,
    Message,
    file_batches,
    stream_messages,
)
from job.read.table.announced_rows import check_announced_rows
from job.read.table.table_source import TableSource, settle
from job.settings import MIB, ReadSettings
from job.storage import CheckStop, FileInfo, Storage, check_unchanged, is_system_error, translated_errors

# A batch of at most this size is read whole, and kept while it is cut into blocks.
_WHOLE_BYTES: Final = 64 * MIB
# A batch of a stream, and a column of a batch in a file, can only be read whole. A stream is read by two readers, and
# each of them holds a batch.
_MAX_BYTES: Final = 512 * MIB
_MAX_STREAM_BYTES: Final = _MAX_BYTES // 2


@dataclass(frozen=True, slots=True)
class ArrowSource(TableSource):
    """An Arrow file whose columns are known. A range is [first record batch, last record batch + 1).

    is_sequential: the record batches can be read only from the first on, so that there is only one range.
    """

    format: ClassVar = "arrow"
    group_name: ClassVar = "record batch"

    is_sequential: bool = False

    @contextmanager
    def opened(self, storage: Storage) -> Iterator["OpenArrow"]:
        with _opened(storage, self.file) as table:
            yield table

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """As of any table, if batches can be read in any order."""
        return [(0, len(self.group_rows))] if self.is_sequential else TableSource.split(self, part_bytes)


class OpenArrow:
    """An open Arrow file or stream. messages: its record batches."""

    def __init__(self, storage: Storage, file: FileInfo, raw: pa.NativeFile) -> None:
        self._storage = storage
        self._where = file.path
        self._raw = raw
        self._is_stream = raw.read_at(len(FILE_MAGIC), 0) != FILE_MAGIC
        if self._is_stream:
            found = stream_messages(raw)
            self.messages: list[Message] = [message for message in found if message.kind == RECORDS]
            dictionaries = [message for message in found if message.kind == DICTIONARY]
        else:
            self.messages, dictionaries = file_batches(raw)
        self._has_dictionaries = bool(dictionaries)
        for message in dictionaries:
            self._check_size(message.decoded_bytes, "a dictionary")
        for group, message in enumerate(self.messages):
            # A file is read by columns where a batch is large.
            size, what = (message.decoded_bytes, "") if self._is_stream else (message.largest_bytes, "a column of ")
            self._check_size(size, f"{what}record batch {group}")
        self._last: tuple[int, pa.RecordBatch] | None = None
        self._position = 0

    @property
    def group_count(self) -> int:
        return len(self.messages)

    @property
    def check_stop(self) -> CheckStop:
        return self._storage.check_stop

    @property
    def is_sequential(self) -> bool:
        """Whether batches can be read only in order: a dictionary of a stream may be changed by a later one."""
        return self._is_stream and self._has_dictionaries

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._reader.schema

    def rows(self, group: int) -> int:
        return self.messages[group].rows

    def decoder(self, group: int) -> None:
        """Arrow stores columns as they are in memory, so there is nothing to decode."""

    def batches(self, group: int, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Of a struct, `name.bytes` asks for the whole."""
        known = set(self.schema.names)
        columns = [name if name in known else name.removesuffix(f".{BYTES_FIELD}") for name in names]
        records = self._columns(group, columns)
        for start in range(0, len(records), rows):
            self.check_stop()
            yield records.slice(start, rows)

    def _columns(self, group: int, names: list[str]) -> pa.RecordBatch:
        """Some columns of a batch, checked: a damaged one may point outside its memory."""
        if self._last is not None and self._last[0] == group:
            return self._last[1].select(names)
        message = self.messages[group]
        if self._is_stream:
            records = self._from_stream(group)
        elif message.decoded_bytes > _WHOLE_BYTES and names:
            # Arrow reserves memory for the whole batch, fills what it reads of it, and would keep that for later calls.
            pa.default_memory_pool().release_unused()
            return _checked(self._reader_of(names).get_batch(group)).select(names)
        elif message.decoded_bytes > _WHOLE_BYTES:
            return pa.RecordBatch.from_arrays([pa.nulls(message.rows)], ["rows"]).select([])
        else:
            records = self._reader.get_batch(group)
        self._last = (group, _checked(records))
        return self._last[1].select(names)

    def _from_stream(self, group: int) -> pa.RecordBatch:
        if not self._has_dictionaries:
            self._raw.seek(self.messages[group].offset)
            return pa.ipc.read_record_batch(pa.ipc.read_message(self._raw), self.schema)
        while True:
            records = self._reader.read_next_batch()
            self._position += 1
            if self._position > group:
                return records

    @functools.cached_property
    def _reader(self) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
        self._raw.seek(0)
        return pa.ipc.open_stream(self._raw) if self._is_stream else pa.ipc.open_file(self._raw)

    def _reader_of(self, names: list[str]) -> pa.ipc.RecordBatchFileReader:
        fields = sorted(self.schema.get_field_index(name) for name in names)
        return pa.ipc.open_file(self._raw, options=pa.ipc.IpcReadOptions(included_fields=fields))

    def _check_size(self, size: int, what: str) -> None:
        most = _MAX_STREAM_BYTES if self._is_stream else _MAX_BYTES
        if size > most:
            raise LayoutError(
                f"{self._where}: {what} takes {size // MIB} MiB of memory, more than {most // MIB}; write record "
                "batches of fewer rows, or Parquet"
            )


def arrow_source(storage: Storage, file: FileInfo, settings: ReadSettings) -> ArrowSource:
    """Read an Arrow file's schema and settle its columns. Raises LayoutError, DataError, StorageError."""
    with _opened(storage, file) as table:
        rows = tuple(message.rows for message in table.messages)
        check_announced_rows(file, rows)
        columns, scale = settle(table, table.schema, settings, file.path)
        sizes = tuple(message.decoded_bytes for message in table.messages)
        return ArrowSource(file, columns, scale, sizes, rows, settings.label_map, table.is_sequential)


def _checked(records: pa.RecordBatch) -> pa.RecordBatch:
    """A batch whose offsets and text are valid. Raises ArrowInvalid."""
    records.validate(full=True)
    return records


@contextmanager
def _opened(storage: Storage, file: FileInfo) -> Iterator[OpenArrow]:
    """Open a file; what Arrow raises meanwhile becomes DataError, InputChanged or StorageError."""
    with translated_errors(file.path):
        try:
            with closing(storage.open(file.path)) as raw:
                yield OpenArrow(storage, file, raw)
        except (pa.ArrowException, OSError, UnicodeDecodeError, DamagedMessage) as error:
            if is_system_error(error):
                raise
            check_unchanged(storage, file)
            problem = str(error).partition("\n")[0]
            raise DataError(f"{file.path}: cannot be read as Arrow: {problem}") from error
