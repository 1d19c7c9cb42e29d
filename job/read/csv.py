"""A CSV file: what its first line says, its parts as byte ranges, and a byte range -> batches.

A part owns the records that begin in its range: it starts after the line that straddles its start, and reads
past its end to finish its last record. Parsing is `csv_block`'s; this module moves bytes.
"""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, ClassVar, Final

import numpy as np

from job.contract import NO_LABEL, PIXELS, PixelBatch, Reason
from job.errors import LayoutError
from job.read.compression import Compression, opened
from job.read.csv_block import Scanner, Text, find_records, parse_block, reject
from job.read.csv_record import MAX_RECORD_BYTES, BadRecord, split_fields
from job.read.layout import Layout, from_names, without_names
from job.settings import ReadSettings
from job.storage import FileInfo, Storage

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BUFFER_BYTES: Final = 8 * MAX_RECORD_BYTES
_REFILL_BELOW_BYTES: Final = _BUFFER_BYTES // 2


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file whose layout is known. A part of it is a range of bytes; a compressed file is one part."""

    format: ClassVar = "csv"

    file: FileInfo
    compression: Compression
    layout: Layout
    data_start: int
    header_lines: int
    is_compiled: bool

    @property
    def rows(self) -> None:
        """Not known before it is read."""
        return None

    @property
    def has_labels(self) -> bool:
        """Whether the rows carry labels."""
        return self.layout.label_field is not None

    def spans(self, part_bytes: int) -> list[tuple[int, int]]:
        """Ranges of bytes [start, stop) of the file; the first begins after the header."""
        if self.compression is not Compression.NONE:
            return [(self.data_start, sys.maxsize)]
        cuts = [self.data_start, *range(part_bytes, self.file.size, part_bytes), self.file.size]
        cuts = sorted({max(cut, self.data_start) for cut in cuts})
        return list(itertools.pairwise(cuts)) or [(self.data_start, self.data_start)]

    def read(self, storage: Storage, span: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The records that begin in a span, in order, at most `block_rows` at a time."""
        start, stop = span
        is_first = start == self.data_start
        with opened(storage, self.file) as file:
            window = _Window(file.stream, start if is_first else start - 1)
            if not is_first:
                window.skip_line()
            before = file.raw.tell()
            for batch in self._batches(window, stop, block_rows, self.header_lines * is_first):
                yield replace(batch, size_bytes=file.raw.tell() - before)
                before = file.raw.tell()

    def _batches(self, window: "_Window", stop: int, block_rows: int, lines_before: int) -> Iterator[PixelBatch]:
        """The records that begin before `stop`; `lines_before`: lines of the file above the window's."""
        scan = self._scanner()
        while True:
            if window.end - window.begin < _REFILL_BELOW_BYTES and not window.is_final:
                window.fill()
            text = Text(window.content, window.begin, window.end, stop - window.offset, window.is_final)
            batch, position = parse_block(text, window.offset, self.layout, scan, block_rows)
            if position == window.begin:
                if position >= min(text.limit, text.end):
                    break
                batch = _over_long(window, self.layout)
            else:
                window.begin = position
            rejects = tuple(each.shifted(0, lines_before) for each in batch.rejects)
            yield replace(batch, rejects=rejects, lines=batch.lines + lines_before)
            lines_before = 0

    def _scanner(self) -> Scanner:
        if not self.is_compiled:
            return find_records
        from job.read.csv_kernel import scan_records  # noqa: PLC0415  # costs more than a small input takes

        return scan_records


def csv_source(storage: Storage, file: FileInfo, settings: ReadSettings, *, is_compiled: bool) -> CsvSource:
    """Look at a CSV file's first line. Raises LayoutError where it is not the start of a file of digits.

    is_compiled: whether its records go through the compiled scanner, which the whole input must be worth.
    """
    with opened(storage, file) as content:
        compression = content.compression
        window = _Window(content.stream, 0)
        window.fill()
        head = bytes(window.content[: window.end])
    mark = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    line, line_feed, _ = head[mark:].partition(b"\n")
    if not line.strip():
        raise LayoutError(f"{file.path}: is empty, or its first line is; expected a header or 784 or 785 numbers")
    try:
        fields = [field.strip() for field in split_fields(line.removesuffix(b"\r"))]
    except BadRecord as error:
        raise LayoutError(f"{file.path} line 1: {error.detail}; this is not a CSV file of digits") from error
    if _is_data(fields):
        return CsvSource(file, compression, without_names(len(fields), settings, file.path), mark, 0, is_compiled)
    layout = from_names(fields, settings, file.path)
    return CsvSource(file, compression, layout, mark + len(line) + len(line_feed), 1, is_compiled)


def _is_data(fields: list[str]) -> bool:
    """Whether a first line holds values: numbers, but not the 0, 1, 2, .. that pandas writes as names."""
    try:
        # pandas leaves the name of its index, the first column, empty.
        numbers = [float(field or "0") for field in (fields if fields[0] else fields[1:])]
    except ValueError:
        return False
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return steps != {1.0}


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
    )


class _Window:
    """A stretch of a stream held in memory: content[begin:end] is not consumed yet; `offset` is content[0]'s place."""

    def __init__(self, stream: BinaryIO, start: int) -> None:
        self.content = bytearray(_BUFFER_BYTES)
        self.begin = self.end = 0
        self.offset = start
        self.is_final = False
        self._stream = stream
        stream.seek(start)

    def fill(self) -> None:
        """Move the rest to the front and read on until the buffer is full or the stream ends."""
        rest = self.end - self.begin
        self.content[:rest] = self.content[self.begin : self.end]
        self.offset += self.begin
        self.begin, self.end = 0, rest
        while self.end < len(self.content) and not self.is_final:
            count = self._stream.readinto(memoryview(self.content)[self.end :])  # type: ignore[attr-defined]
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
