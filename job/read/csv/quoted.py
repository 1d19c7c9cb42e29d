"""Where a record ends in a file of text, whose quotes may hold line ends (RFC 4180). Has the scanner for such files.

1. A quote opens only at the start of a field.
2. It must close before a delimiter or a line end, within QUOTE_REACH_BYTES of the start of the record.
3. If it does not, the line alone is a record, so that a stray quote costs its own line and no other.
4. A record that closes in time but exceeds MAX_RECORD_BYTES is one record, and is rejected later.
"""

from typing import Final

from job.read.csv.block import Records, ScanResult, TextSlice
from job.read.csv.record import MAX_RECORD_BYTES
from job.read.layout.layout import Layout

# Less than the read buffer always holds, so that where a record ends never depends on how the file was read.
QUOTE_REACH_BYTES: Final = 2 * MAX_RECORD_BYTES

# From the position of a quote to that of the last quote which the search from it reached, without finding a record end.
# Without it, a file whose every line leads through megabytes of such quotes would be searched once per line.
DeadEnds = dict[int, int]

_LINE_FEED: Final = b"\n"
_QUOTE: Final = b'"'
_CARRIAGE_RETURN: Final = ord("\r")


def find_quoted_records(text: TextSlice, layout: Layout, records: Records) -> ScanResult:
    """The scanner for files of text: finds records and leaves all parsing to `record`."""
    rows = lines = 0
    position, content = text.begin, text.content
    dead_ends: DeadEnds = {}
    while rows < len(records.starts) and position < min(text.limit, text.end):
        stop = record_stop(
            content, position, text.end, ord(layout.delimiter), is_final=text.is_final, dead_ends=dead_ends
        )
        if stop is None:
            break
        next_position = min(stop + 1, text.end)
        line = lines
        lines += 1 + content.count(_LINE_FEED, position, stop)
        if stop > position and content[stop - 1] == _CARRIAGE_RETURN:
            stop -= 1
        if stop > position:
            records.starts[rows], records.stops[rows], records.lines[rows] = position, stop, line
            records.needs_slow_parser[rows] = True
            rows += 1
        position = next_position
    return ScanResult(rows, position, lines)


def record_stop(  # noqa: PLR0913  # a position in a text, and everything that says how to read on from there
    content: bytes | bytearray,
    start: int,
    end: int,
    delimiter: int,
    *,
    is_final: bool,
    dead_ends: DeadEnds | None = None,
) -> int | None:
    """The position of the line feed that ends the record at `start`, or `end` if the file ends first.

    None if content[:end] does not tell, and is not the whole file. dead_ends: what the search for earlier records has
    found, updated here; it only saves time.
    """
    dead_ends = {} if dead_ends is None else dead_ends
    followed: list[int] = []
    at_end = end if is_final else None
    line_stop = content.find(_LINE_FEED, start, end)
    first_line_stop = at_end if line_stop < 0 else line_stop
    position = start
    while True:
        quote = content.find(_QUOTE, position, end if line_stop < 0 else line_stop)
        if quote < 0:
            return at_end if line_stop < 0 else line_stop
        position = quote + 1
        if quote > start and content[quote - 1] != delimiter:
            continue
        followed.append(quote)
        while dead_ends.get(quote, quote) != quote:
            quote = dead_ends[quote]
            followed.append(quote)
        position = _after_closing_quote(content, quote + 1, min(end, start + QUOTE_REACH_BYTES), end)
        if position < 0:
            dead_ends.update(dict.fromkeys(followed, quote))
            return first_line_stop if is_final or end >= start + QUOTE_REACH_BYTES else None
        position += _is_carriage_return(content, position, end)
        if position == end:
            return at_end
        if content[position] == ord(_LINE_FEED):
            return position
        if content[position] != delimiter:
            dead_ends.update(dict.fromkeys(followed, quote))
            return first_line_stop
        if position > line_stop >= 0:
            line_stop = content.find(_LINE_FEED, position, end)


def _is_carriage_return(content: bytes | bytearray, position: int, end: int) -> bool:
    """Whether CR is here, before LF or before bytes that are not read yet."""
    rest = content[position : min(position + 2, end)]
    return rest in (b"\r\n", b"\r")


def _after_closing_quote(content: bytes | bytearray, position: int, stop: int, end: int) -> int:
    """The position after the quote that closes the field starting at `position`; -1 if none is before `stop`."""
    while True:
        quote = content.find(_QUOTE, position, stop)
        if quote < 0:
            return -1
        position = quote + 1
        if position == end or content[position] != ord(_QUOTE):
            return position
        position += 1
