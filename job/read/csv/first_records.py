"""The first bytes of a CSV file as records, whose fields are not understood yet.

`preamble` finds where they start, `dialect` how they are written; `head` decides what they mean.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from job.errors import LayoutError
from job.read.csv.dialect import detect_delimiter, detect_encoding, is_aligned
from job.read.csv.preamble import Preamble, find_table
from job.read.csv.quoted import DeadEnds, record_stop
from job.read.csv.record import split_fields
from job.read.labels import BadRecord
from job.read.layout.layout import Encoding

# UTF-32 begins like UTF-16, which `encoding` has already made UTF-8.
_UTF_32_MARKS: Final = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_HEAD_RECORDS: Final = 100
_ALIGNED_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class FirstRecords:
    """The first bytes of a file, where its table starts in them, and how its records are split into fields.

    names: see `Preamble`. is_whole: the bytes are the whole file. where: names the file in errors.
    """

    head: bytes
    where: str
    is_whole: bool
    start: int
    names: tuple[str, ...] | None
    delimiter: str
    is_aligned: bool
    encoding: Encoding

    @classmethod
    def find(cls, head: bytes, where: str, *, is_whole: bool) -> "FirstRecords":
        """Raises LayoutError for what is no text, or no table."""
        if head.startswith(_UTF_32_MARKS):
            raise LayoutError(f"{where}: is UTF-32; save it as UTF-8")
        preamble: Preamble = find_table(head, where)
        lines = head[preamble.start :].split(b"\n", _ALIGNED_LINES)[:_ALIGNED_LINES]
        line = lines[0].removesuffix(b"\r")
        _check_text(line, where)
        delimiter = preamble.delimiter or detect_delimiter(line)
        return cls(
            head,
            where,
            is_whole,
            preamble.start,
            preamble.names,
            delimiter,
            is_aligned(lines, delimiter),
            detect_encoding(head),
        )

    def first_record(self, start: int) -> tuple[list[str], int]:
        """The fields of the record at `start`, without surrounding space, and the position of the next record."""
        found = record_stop(self.head, start, len(self.head), ord(self.delimiter), is_final=self.is_whole)
        stop = len(self.head) if found is None else found
        try:
            record = self.head[start:stop].removesuffix(b"\r")
            fields = self._split(record)
            if len(fields) == 1:
                # No table, and perhaps no text: any bytes are Windows-1252.
                fields = split_fields(record, self.delimiter, encoding="utf-8")
        except BadRecord as error:
            line = self.head.count(b"\n", 0, start) + 1
            raise LayoutError(f"{self.where} line {line}: {error.detail}; this is not a CSV file of digits") from error
        return [field.strip() for field in fields], min(stop + 1, len(self.head))

    def records(self, start: int) -> list[list[str]]:
        """Up to 100 records from `start` on, without blank lines and records that cannot be split into fields."""
        records: list[list[str]] = []
        dead_ends: DeadEnds = {}
        for _ in range(_HEAD_RECORDS):
            stop = record_stop(
                self.head,
                start,
                len(self.head),
                ord(self.delimiter),
                is_final=self.is_whole,
                dead_ends=dead_ends,
            )
            if stop is None or start >= len(self.head):
                break
            record = self.head[start:stop].removesuffix(b"\r")
            with suppress(BadRecord):  # it will be rejected in its turn
                records += [self._split(record)] if record else []
            start = stop + 1
        return records

    def holds_records(self, start: int) -> bool:
        """Whether a head that is not the whole file holds as many records as are looked at, and a header."""
        dead_ends: DeadEnds = {}
        for _ in range(1 + _HEAD_RECORDS):
            stop = record_stop(
                self.head, start, len(self.head), ord(self.delimiter), is_final=False, dead_ends=dead_ends
            )
            if stop is None:
                return False
            start = stop + 1
        return True

    def _split(self, record: bytes) -> list[str]:
        return split_fields(record, self.delimiter, is_aligned=self.is_aligned, encoding=self.encoding)


def _check_text(line: bytes, where: str) -> None:
    """Raise LayoutError for a first line that is not the text of a table."""
    if not line.strip():
        raise LayoutError(f"{where}: is empty, or its first line is; expected a header or 784 or 785 numbers")
    if b"\0" in line:
        raise LayoutError(f"{where}: contains zero bytes, so it is not text, or UTF-16; expected CSV, saved as UTF-8")
    if b"\r" in line and line.partition(b"\r")[0].count(b'"') % 2 == 0:
        raise LayoutError(f"{where}: its lines end with CR alone; save it with LF or CRLF")
