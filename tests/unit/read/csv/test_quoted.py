import pytest

from job.read.csv import quoted
from job.read.csv.block import Records, Text
from job.read.csv.quoted import find_quoted_records, record_stop
from job.read.layout.names import Layout

LAYOUT = Layout(2, (), None)
REACH = 64


@pytest.fixture(autouse=True)
def short_reach(monkeypatch):
    """A reach that small texts can exceed."""
    monkeypatch.setattr(quoted, "QUOTE_REACH_BYTES", REACH)


def _records(content, delimiter=","):
    """The records of a text, by scanning it whole, and the lines they begin in."""
    records = Records.room_for(100)
    layout = Layout(2, (), None, delimiter=delimiter)
    scanned = find_quoted_records(Text(bytearray(content), 0, len(content), 10**9, is_final=True), layout, records)
    assert scanned.position == len(content)
    assert scanned.lines == content.count(b"\n") + (not content.endswith(b"\n"))
    assert records.needs_patience[: scanned.rows].all()
    return [
        (content[start:stop], line)
        for start, stop, line in zip(
            records.starts.tolist(), records.stops.tolist(), records.lines.tolist(), strict=True
        )
    ][: scanned.rows]


WHOLE = [
    (b"a", [(b"a", 0)]),
    (b"a,b\nc\n", [(b"a,b", 0), (b"c", 1)]),
    (b"a\r\n\r\n\nb\r\n", [(b"a", 0), (b"b", 3)]),
    (b'"a\nb"\nc\n', [(b'"a\nb"', 0), (b"c", 2)]),
    (b'1,"a\r\nb"\r\nc\r\n', [(b'1,"a\r\nb"', 0), (b"c", 2)]),
    (b'"a\n\n\nb","\n",c\nd', [(b'"a\n\n\nb","\n",c', 0), (b"d", 5)]),
    (b'"a""\n""b"\nc', [(b'"a""\n""b"', 0), (b"c", 2)]),
    (b'"",""\nc', [(b'"",""', 0), (b"c", 1)]),
    (b'"""\n"\nc', [(b'"""\n"', 0), (b"c", 2)]),
    (b'"a\n"', [(b'"a\n"', 0)]),
    (b'"a\n"\r', [(b'"a\n"', 0)]),
    (b'5" screen\nc', [(b'5" screen', 0), (b"c", 1)]),
    (b'a, "b\nc"', [(b'a, "b', 0), (b'c"', 1)]),
]
STRAY = [
    (b'"a\nb\nc', [(b'"a', 0), (b"b", 1), (b"c", 2)]),
    (b'1,"a\n2,"b"\n3', [(b'1,"a', 0), (b'2,"b"', 1), (b"3", 2)]),
    (b'"a"b\nc', [(b'"a"b', 0), (b"c", 1)]),
    (b'"a\nb"c\nd', [(b'"a', 0), (b'b"c', 1), (b"d", 2)]),
    (b'"a\rb"\rc\nd', [(b'"a\rb"\rc', 0), (b"d", 1)]),
    (b'"a"\n"b\nc', [(b'"a"', 0), (b'"b', 1), (b"c", 2)]),
    (b'"a\n' + b"b" * REACH + b'"\nc', [(b'"a', 0), (b"b" * REACH + b'"', 1), (b"c", 2)]),
]


@pytest.mark.parametrize(("content", "expected"), WHOLE)
def test_line_ends_inside_quotes_end_no_record(content, expected):
    """A quoted field, opened at a field's beginning, may hold line ends; its record's line is where it begins."""
    assert _records(content) == expected


@pytest.mark.parametrize(("content", "expected"), STRAY)
def test_quotes_that_do_not_close_leave_lines_alone(content, expected):
    """Without a proper end within reach the quote is a stray one, and lines are records."""
    assert _records(content) == expected


def test_quotes_open_behind_the_files_own_delimiter():
    """What separates fields is the layout's delimiter, not a comma."""
    assert _records(b'1;"a\nb";2\nc', ";") == [(b'1;"a\nb";2', 0), (b"c", 2)]
    assert _records(b'1,"a\nb",2\nc', ";") == [(b'1,"a', 0), (b'b",2', 1), (b"c", 2)]


@pytest.mark.parametrize(("content", "_"), [*WHOLE, *STRAY])
def test_a_byte_at_a_time(content, _):  # the expectation is not needed
    """With less of the text a record's end is either the same or not known yet; what stands behind is not read."""
    for rubbish in (b"", b'"', b"\n", b",", b"\r\n"):
        for end in range(len(content)):
            found = record_stop(content[:end] + rubbish, 0, end, ord(","), is_final=False)
            assert found in {None, record_stop(content, 0, len(content), ord(","), is_final=True)}
            final = record_stop(content[:end] + rubbish, 0, end, ord(","), is_final=True)
            assert final == record_stop(content[:end], 0, end, ord(","), is_final=True)


@pytest.mark.parametrize("size", [REACH, 2 * REACH])
def test_within_reach_every_end_is_known(size):
    """Once as many bytes are there as a quote may reach and one more, whether it closes is settled."""
    content = b'"' + b"x\n" * size
    assert record_stop(content, 0, REACH + 1, ord(","), is_final=False) == 2


def test_quotes_that_end_no_record_are_followed_once(monkeypatch):
    """Lines that lead one another through the same quotes to the end of their reach share the way."""
    followed = []
    behind_quotes = quoted._behind_quotes
    monkeypatch.setattr(quoted, "QUOTE_REACH_BYTES", 4000)
    monkeypatch.setattr(quoted, "_behind_quotes", lambda *places: followed.append(0) or behind_quotes(*places))
    content = bytearray(b'a",b,"c\n' * 1000)
    text, records = Text(content, 0, len(content), len(content), is_final=True), Records.room_for(1000)
    assert quoted.find_quoted_records(text, LAYOUT, records).rows == 1000
    assert len(followed) < 5000
