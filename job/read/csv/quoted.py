"""Where a record ends in a file of text: quotes may hold line ends there (RFC 4180).

A quote opens only at the beginning of a field and must close before a delimiter or a line end, within
QUOTE_REACH_BYTES of the record's beginning. Where it does not, the line stands alone, so that a stray quote costs
its own line and no other. A record that closes in time but exceeds MAX_RECORD_BYTES is one, and will be rejected.
"""

from typing import Final

from job.read.csv.block import Records, Scanned, Text
from job.read.csv.record import MAX_RECORD_BYTES
from job.read.layout.names import Layout

# Less than what is always in memory of a file, so that where a record ends never depends on how it was read.
QUOTE_REACH_BYTES: Final = 2 * MAX_RECORD_BYTES

# From where a quote opens to the last one that was reached from it in vain. Without it, a file whose every line leads
# through megabytes of quotes that never end a record would be read once for each of its lines.
Futile = dict[int, int]

_LINE_FEED: Final = b"\n"
_QUOTE: Final = b'"'
_CARRIAGE_RETURN: Final = ord("\r")


def find_quoted_records(text: Text, layout: Layout, records: Records) -> Scanned:
    """The scanner for files of text: finds records and leaves all parsing to `record`."""
    rows = lines = 0
    position, content = text.begin, text.content
    futile: Futile = {}
    while rows < len(records.starts) and position < min(text.limit, text.end):
        stop = record_stop(content, position, text.end, ord(layout.delimiter), is_final=text.is_final, futile=futile)
        if stop is None:
            break
        next_position = min(stop + 1, text.end)
        line = lines
        lines += 1 + content.count(_LINE_FEED, position, stop)
        if stop > position and content[stop - 1] == _CARRIAGE_RETURN:
            stop -= 1
        if stop > position:
            records.starts[rows], records.stops[rows], records.lines[rows] = position, stop, line
            records.needs_patience[rows] = True
            rows += 1
        position = next_position
    return Scanned(rows, position, lines)


def record_stop(  # noqa: PLR0913  # a place in a text, and all that says how to read on from there
    content: bytes | bytearray, start: int, end: int, delimiter: int, *, is_final: bool, futile: Futile | None = None
) -> int | None:
    """The place of the line feed that ends the record at `start`, or `end` where the file does.

    None where content[:end] does not tell and is not all of the file. futile: what records further up have learnt; it
    changes how long this takes, and nothing else.
    """
    futile = {} if futile is None else futile
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
        while futile.get(quote, quote) != quote:
            quote = futile[quote]
            followed.append(quote)
        position = _behind_quotes(content, quote + 1, min(end, start + QUOTE_REACH_BYTES), end)
        if position < 0:
            futile.update(dict.fromkeys(followed, quote))
            return first_line_stop if is_final or end >= start + QUOTE_REACH_BYTES else None
        position += _is_line_end_of_two(content, position, end)
        if position == end:
            return at_end
        if content[position] == ord(_LINE_FEED):
            return position
        if content[position] != delimiter:
            futile.update(dict.fromkeys(followed, quote))
            return first_line_stop
        if position > line_stop >= 0:
            line_stop = content.find(_LINE_FEED, position, end)


def _is_line_end_of_two(content: bytes | bytearray, position: int, end: int) -> bool:
    """Whether CR stands here before LF, or before what is not known yet."""
    rest = content[position : min(position + 2, end)]
    return rest in (b"\r\n", b"\r")


def _behind_quotes(content: bytes | bytearray, position: int, stop: int, end: int) -> int:
    """The place behind the quote that closes a field whose text begins at `position`; -1 if it is not before `stop`."""
    while True:
        quote = content.find(_QUOTE, position, stop)
        if quote < 0:
            return -1
        position = quote + 1
        if position == end or content[position] != ord(_QUOTE):
            return position
        position += 1
