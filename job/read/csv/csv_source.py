"""A CSV file as a `Source`: its parts are byte ranges, and a byte range -> batches.

A part holds the records that begin in its range: it starts after the line that straddles its start, and reads past its
end to finish its last record. A file of text is one part, because only reading from its start tells which line ends are
inside quotes. This module reads bytes; `head` understands the file, `block` parses, `recount` counts again.
"""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, ClassVar, Final

import numpy as np
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, PixelBatch, Reason
from job.errors import DataError, InternalError, LayoutError
from job.read.csv import recount
from job.read.csv.block import (
    SPARE_BYTES,
    Scanner,
    TextSlice,
    find_records,
    parse_block,
    passthrough_batch,
    passthrough_schema,
    record_reject,
)
from job.read.csv.head import CsvHead, parse_head
from job.read.csv.quoted import find_quoted_records
from job.read.csv.record import MAX_RECORD_BYTES
from job.read.csv.scan import can_scan, prepare, scan_records
from job.read.csv.stray_lines import OtherColumns
from job.read.csv.transcoding import as_utf8, utf16_of
from job.read.labels import BadRecord
from job.read.layout.layout import Layout
from job.read.layout.names import describe_columns
from job.read.packed.compression import Compression
from job.read.packed.stream import opened
from job.read.pixels import inverted
from job.settings import PixelScale, ReadSettings
from job.storage import FileInfo, Storage

_BUFFER_BYTES: Final = 8 * MAX_RECORD_BYTES

# What is first read of a file's head: a hundred records of MNIST. It is parsed once it has this many lines.
_HEAD_BYTES: Final = 1 << 18
_HEAD_LINES: Final = 100

# Always more than the longest record that is read whole, and enough for a typical block.
_REFILL_BELOW_BYTES: Final = _BUFFER_BYTES // 2


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file whose layout is known. A range is [first byte, last byte + 1); a compressed file has only one.

    data_start, header_lines: bytes and lines before the first record. is_compiled: whether to use the compiled scanner.
    has_text: whether quotes may hold line ends; such a file has only one range, too. utf16: the name of the encoding if
    the file is UTF-16, and then has only one range, too; all positions are then those of its UTF-8.
    """

    format: ClassVar = "csv"

    file: FileInfo
    compression: Compression
    layout: Layout
    data_start: int
    header_lines: int
    is_compiled: bool
    has_text: bool = False
    utf16: str | None = None

    @property
    def files(self) -> tuple[FileInfo, ...]:
        return (self.file,)

    @property
    def rows(self) -> None:
        return None

    @property
    def has_labels(self) -> bool:
        return self.layout.label_field is not None

    @property
    def pixel_scale(self) -> PixelScale:
        return self.layout.pixel_scale

    @property
    def passthrough_schema(self) -> pa.Schema:
        """String columns."""
        return passthrough_schema(self.layout.passthrough_names)

    def describe_columns(self) -> str:
        layout = self.layout
        pixels = [layout.column_name(field) for field in layout.pixel_fields]
        label = None if layout.label_field is None else layout.column_name(layout.label_field)
        return describe_columns(pixels, label, [layout.column_name(field) for field in layout.other_fields])

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """The first range begins after the header."""
        if not self._is_plain:
            return [(self.data_start, sys.maxsize)]
        if self.has_text:
            return [(self.data_start, max(self.data_start, self.file.size))]
        cuts = [self.data_start, *range(part_bytes, self.file.size, part_bytes), self.file.size]
        cuts = sorted({max(cut, self.data_start) for cut in cuts})
        return list(itertools.pairwise(cuts)) or [(self.data_start, self.data_start)]

    def rows_in(self, _part_range: tuple[int, int]) -> None:
        return None

    @property
    def _is_plain(self) -> bool:
        """Whether a position in the text is a position in the file."""
        return self.compression is Compression.NONE and self.utf16 is None

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The records that begin in a range. Raises InternalError if they cannot all be accounted for.

        Raises DataError at a header inside the data whose columns are in another order than the file's.
        """
        start, stop = part_range
        is_first = start == self.data_start
        if self.is_compiled:
            # Before the file is opened, because the compiler's errors are not the file's.
            prepare()
            recount.prepare()
        with opened(storage, self.file) as file, as_utf8(file.stream, self.utf16, self.file.path) as stream:
            buffer = _ReadBuffer(stream, start if is_first else start - 1, _max_bytes(self.file, self._is_plain))
            if not is_first:
                buffer.skip_line()
            # Plain files are read ahead, past the range; so progress is told by the records, and not by what was read.
            position = buffer.position if self._is_plain else file.raw.tell
            before = position()
            try:
                batches = self._batches(buffer, stop, block_rows, self.header_lines * is_first)
                for batch in map(inverted, batches) if self.layout.settings.is_inverted else batches:
                    yield replace(batch, size_bytes=position() - before)
                    before = position()
            except OtherColumns as error:
                line = _count_lines(stream, error.byte_offset) + 1
                raise DataError(f"{self.file.path} line {line}: {error}") from error

    def _batches(self, buffer: "_ReadBuffer", stop: int, block_rows: int, lines_before: int) -> Iterator[PixelBatch]:
        """The records that begin before `stop`; lines_before: lines of the file before the buffer."""
        while True:
            if buffer.end - buffer.begin < _REFILL_BELOW_BYTES and not buffer.is_final:
                buffer.fill()
            text = TextSlice(buffer.content, buffer.begin, buffer.end, stop - buffer.offset, buffer.is_final)
            batch, position = parse_block(text, buffer.offset, self.layout, self._scanner(text), block_rows)
            try:
                recount.check_block(text, position, batch, self.layout.delimiter, is_compiled=self.is_compiled)
            except InternalError as error:
                raise InternalError(f"{self.file.path}, from byte {buffer.offset + buffer.begin}: {error}") from error
            if position == buffer.begin:
                if position >= min(text.limit, text.end):
                    break
                batch = _over_long(buffer, self.layout)
            else:
                buffer.begin = position
            rejects = tuple(each.shifted(0, lines_before) for each in batch.rejects)
            yield replace(batch, rejects=rejects, lines=batch.lines + lines_before)
            lines_before = 0

    def _scanner(self, text: TextSlice) -> Scanner:
        """The fastest scanner for a text; the choice never changes what is found."""
        if self.has_text and text.content.find(b'"', text.begin, text.end) >= 0:
            return find_quoted_records
        return scan_records if self.is_compiled and can_scan(self.layout) else find_records


def csv_source(storage: Storage, file: FileInfo, settings: ReadSettings, *, is_compiled: bool) -> CsvSource:
    """Read a CSV file's head and settle its layout. Raises LayoutError, DataError, StorageError.

    is_compiled: whether to read it with the compiled scanner, which takes a moment to load.
    """
    with opened(storage, file) as content:
        utf16 = utf16_of(content.stream)
        with as_utf8(content.stream, utf16, file.path) as stream:
            head = _read_head(stream, settings, file.path)
    return CsvSource(
        file,
        content.compression,
        head.layout,
        head.data_start,
        head.header_lines,
        is_compiled,
        head.has_text,
        utf16,
    )


def _max_bytes(file: FileInfo, is_plain: bool) -> int:  # noqa: FBT001  # private, and named at its calls
    """A bound of a text's size, plus one byte so that its end is met; it keeps buffers of small files small."""
    return file.size + 1 if is_plain else sys.maxsize


def _count_lines(stream: BinaryIO, stop: int) -> int:
    """The line feeds before a position."""
    stream.seek(0)
    lines = position = 0
    while position < stop and (piece := stream.read(min(_BUFFER_BYTES, stop - position))):
        lines += piece.count(b"\n")
        position += len(piece)
    return lines


def _read_head(stream: BinaryIO, settings: ReadSettings, where: str) -> CsvHead:
    """Read no more of a file than its head takes, in steps of twice the size."""
    head, size, is_whole = b"", min(_HEAD_BYTES, _BUFFER_BYTES), False
    while True:
        while len(head) < size and not is_whole:
            piece = stream.read(size - len(head))
            head, is_whole = head + piece, not piece
        is_last = is_whole or size >= _BUFFER_BYTES
        if is_last or head.count(b"\n") > _HEAD_LINES:
            try:
                found = parse_head(head, settings, where, is_whole=is_whole)
            except LayoutError:
                if is_last:
                    raise
                size = _BUFFER_BYTES // 2
            else:
                if is_last or found.is_settled:
                    return found
        size = min(2 * size, _BUFFER_BYTES)


def _over_long(buffer: "_ReadBuffer", layout: Layout) -> PixelBatch:
    """Skip a line that is longer than the buffer: one rejected record, however long it is."""
    start = buffer.offset + buffer.begin
    head = bytes(buffer.content[buffer.begin : buffer.begin + MAX_RECORD_BYTES])
    buffer.skip_line()
    problem = BadRecord(Reason.OVER_LONG_RECORD, f"more than {MAX_RECORD_BYTES} bytes without a line end")
    names = layout.passthrough_names
    return PixelBatch(
        np.zeros((1, PIXELS), np.uint8),
        None if layout.label_field is None else np.full(1, NO_LABEL, np.int8),
        (record_reject(problem, 0, head, start, 1),),
        lines=1,
        passthrough=passthrough_batch(names, [[None]] * len(names)) if names else None,
    )


class _ReadBuffer:
    """A piece of a stream: content[begin:end] is not consumed yet; `offset` is the position of content[0].

    SPARE_BYTES follow the last byte that is ever read into `content`.
    """

    def __init__(self, stream: BinaryIO, start: int, max_bytes: int) -> None:
        """max_bytes: no more will be read from the stream."""
        self._size = min(_BUFFER_BYTES, max_bytes)
        self.content = bytearray(self._size + SPARE_BYTES)
        self.begin = self.end = 0
        self.offset = start
        self.is_final = False
        self._stream = stream
        stream.seek(start)

    def position(self) -> int:
        """The position in the stream up to which everything is consumed."""
        return self.offset + self.begin

    def fill(self) -> None:
        """Move the rest to the front and read until the buffer is full or the stream ends."""
        rest = self.end - self.begin
        view = memoryview(self.content)[: self._size]
        view[:rest] = view[self.begin : self.end]
        self.offset += self.begin
        self.begin, self.end = 0, rest
        while self.end < self._size and not self.is_final:
            count = self._stream.readinto(view[self.end :])  # type: ignore[attr-defined]
            self.is_final = not count
            self.end += count

    def skip_line(self) -> None:
        """Consume everything up to and including the next line feed."""
        while True:
            found = self.content.find(b"\n", self.begin, self.end)
            if found >= 0:
                self.begin = found + 1
                return
            self.begin = self.end
            if self.is_final:
                return
            self.fill()
