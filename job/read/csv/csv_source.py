"""A CSV file: its parts as byte ranges, and a byte range -> batches.

A part owns the records that begin in its range: it starts after the line that straddles its start, and reads
past its end to finish its last record. A file of text is one part, because only reading it from its beginning tells
which line ends are inside quotes. What the file's head says is `head`'s, parsing is `block`'s; this module
moves bytes.
"""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, ClassVar, Final

import numpy as np
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, PixelBatch, Reason
from job.errors import InternalError
from job.read.csv import account
from job.read.csv.block import Scanner, Text, find_records, kept_batch, kept_schema, parse_block, reject
from job.read.csv.head import understand
from job.read.csv.quoted import find_quoted_records
from job.read.csv.record import MAX_RECORD_BYTES
from job.read.csv.scan import can_scan, prepare, scan_records
from job.read.labels import BadRecord
from job.read.layout.names import Layout, in_words
from job.read.packed.compression import Compression
from job.read.packed.stream import opened
from job.settings import ReadSettings
from job.storage import FileInfo, Storage

_BUFFER_BYTES: Final = 8 * MAX_RECORD_BYTES

# Always more than the longest record that is read whole, and enough for a usual block.
_REFILL_BELOW_BYTES: Final = _BUFFER_BYTES // 2


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file whose layout is known. A part of it is a range of bytes; a compressed file is one part.

    data_start, header_lines: bytes and lines before the first record. is_compiled: whether the compiled scanner is
    worth its start. has_text: whether quotes may hold line ends; such a file, too, is one part.
    """

    format: ClassVar = "csv"

    file: FileInfo
    compression: Compression
    layout: Layout
    data_start: int
    header_lines: int
    is_compiled: bool
    has_text: bool = False

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """The file alone."""
        return (self.file,)

    @property
    def rows(self) -> None:
        """Not known before it is read."""
        return None

    @property
    def has_labels(self) -> bool:
        """Whether the rows carry labels."""
        return self.layout.label_field is not None

    @property
    def scale(self) -> str:
        """What full ink is written as: `255` or `1`."""
        return self.layout.scale

    @property
    def columns_in_words(self) -> str:
        """Which columns are which."""
        layout = self.layout
        pixels = [layout.column_name(field) for field in layout.pixel_fields]
        label = None if layout.label_field is None else layout.column_name(layout.label_field)
        return in_words(pixels, label, [layout.column_name(field) for field in layout.other_fields])

    @property
    def kept_schema(self) -> pa.Schema:
        """The columns that are carried through, as strings."""
        return kept_schema(self.layout.kept_names)

    def spans(self, part_bytes: int) -> list[tuple[int, int]]:
        """Ranges of bytes [start, stop) of the file; the first begins after the header."""
        if self.compression is not Compression.NONE:
            return [(self.data_start, sys.maxsize)]
        if self.has_text:
            return [(self.data_start, max(self.data_start, self.file.size))]
        cuts = [self.data_start, *range(part_bytes, self.file.size, part_bytes), self.file.size]
        cuts = sorted({max(cut, self.data_start) for cut in cuts})
        return list(itertools.pairwise(cuts)) or [(self.data_start, self.data_start)]

    def read(self, storage: Storage, span: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The records that begin in a span, in order, at most `block_rows` at a time."""
        start, stop = span
        is_first = start == self.data_start
        if self.is_compiled:
            # Before the file is opened: trouble with the compiler is no trouble with the file.
            prepare()
            account.prepare()
        with opened(storage, self.file) as file:
            window = _Window(file.stream, start if is_first else start - 1, _most_bytes(self.file, self.compression))
            if not is_first:
                window.skip_line()
            # More is read ahead than a span holds: what of a file is done, its records tell, if it is not packed.
            place = window.place if self.compression is Compression.NONE else file.raw.tell
            before = place()
            for batch in self._batches(window, stop, block_rows, self.header_lines * is_first):
                yield replace(batch, size_bytes=place() - before)
                before = place()

    def _batches(self, window: "_Window", stop: int, block_rows: int, lines_before: int) -> Iterator[PixelBatch]:
        """The records that begin before `stop`; `lines_before`: lines of the file above the window's."""
        while True:
            if window.end - window.begin < _REFILL_BELOW_BYTES and not window.is_final:
                window.fill()
            text = Text(window.content, window.begin, window.end, stop - window.offset, window.is_final)
            batch, position = parse_block(text, window.offset, self.layout, self._scanner(text), block_rows)
            try:
                account.check_block(text, position, batch, self.layout.delimiter, is_compiled=self.is_compiled)
            except InternalError as error:
                raise InternalError(f"{self.file.path}, from byte {window.offset + window.begin}: {error}") from error
            if position == window.begin:
                if position >= min(text.limit, text.end):
                    break
                batch = _over_long(window, self.layout)
            else:
                window.begin = position
            rejects = tuple(each.shifted(0, lines_before) for each in batch.rejects)
            yield replace(batch, rejects=rejects, lines=batch.lines + lines_before)
            lines_before = 0

    def _scanner(self, text: Text) -> Scanner:
        """The quickest scanner that finds the records of a text; the choice never changes what is found."""
        if self.has_text and text.content.find(b'"', text.begin, text.end) >= 0:
            return find_quoted_records
        return scan_records if self.is_compiled and can_scan(self.layout) else find_records


def csv_source(storage: Storage, file: FileInfo, settings: ReadSettings, *, is_compiled: bool) -> CsvSource:
    """Look at a CSV file's head. Raises LayoutError where it is not the start of a file of digits.

    is_compiled: whether its records go through the compiled scanner, which the whole input must be worth.
    """
    with opened(storage, file) as content:
        window = _Window(content.stream, 0, _most_bytes(file, content.compression))
        window.fill()
    head = understand(bytes(window.content[: window.end]), settings, file.path, is_whole=window.is_final)
    return CsvSource(
        file, content.compression, head.layout, head.data_start, head.header_lines, is_compiled, head.has_text
    )


def _most_bytes(file: FileInfo, compression: Compression) -> int:
    """A bound of a file's plain content, and one byte more, so that its end is met; small files get small buffers."""
    return file.size + 1 if compression is Compression.NONE else sys.maxsize


def _over_long(window: "_Window", layout: Layout) -> PixelBatch:
    """Pass over a line that does not fit into the window: one rejected record, however long it is."""
    start = window.offset + window.begin
    head = bytes(window.content[window.begin : window.begin + MAX_RECORD_BYTES])
    window.skip_line()
    problem = BadRecord(Reason.OVER_LONG_RECORD, f"more than {MAX_RECORD_BYTES} bytes without a line end")
    return PixelBatch(
        np.zeros((1, PIXELS), np.uint8),
        None if layout.label_field is None else np.full(1, NO_LABEL, np.int8),
        (reject(problem, 0, head, start, 1),),
        lines=1,
        kept=kept_batch(layout.kept_names, [[None]] * len(layout.kept_fields)) if layout.kept_fields else None,
    )


class _Window:
    """A stretch of a stream held in memory: content[begin:end] is not consumed yet; `offset` is content[0]'s place."""

    def __init__(self, stream: BinaryIO, start: int, most_bytes: int) -> None:
        """most_bytes: no more will be read from the stream."""
        self.content = bytearray(min(_BUFFER_BYTES, most_bytes))
        self.begin = self.end = 0
        self.offset = start
        self.is_final = False
        self._stream = stream
        stream.seek(start)

    def place(self) -> int:
        """How far into the stream everything is consumed."""
        return self.offset + self.begin

    def fill(self) -> None:
        """Move the rest to the front and read on until the buffer is full or the stream ends."""
        rest = self.end - self.begin
        view = memoryview(self.content)
        view[:rest] = view[self.begin : self.end]
        self.offset += self.begin
        self.begin, self.end = 0, rest
        while self.end < len(self.content) and not self.is_final:
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
