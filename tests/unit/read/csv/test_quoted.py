"""Where records end in files of text, by the rules of `quoted`."""

import numpy as np
import pytest
from support.batches import passthrough_rows, read_all
from support.files import PIXEL_NAMES, csv_lines, make_digits
from support.foreign_csv import csv_of, table

from job.contract import Reason
from job.read.csv import quoted
from job.read.csv.block import Records, TextSlice
from job.read.csv.quoted import find_quoted_records, record_stop
from job.read.layout.layout import Layout

LAYOUT = Layout(2, (), None)
REACH = 64


@pytest.fixture
def short_reach(monkeypatch):
    """A reach of quotes that small texts can exceed."""
    monkeypatch.setattr(quoted, "QUOTE_REACH_BYTES", REACH)


def _records(content, delimiter=","):
    """The records of a text, found in one scan, and the lines that they begin in."""
    records = Records.allocate(100)
    layout = Layout(2, (), None, delimiter=delimiter)
    scanned = find_quoted_records(TextSlice(bytearray(content), 0, len(content), 10**9, is_final=True), layout, records)
    assert scanned.position == len(content)
    assert scanned.lines == content.count(b"\n") + (not content.endswith(b"\n"))
    assert records.needs_slow_parser[: scanned.rows].all()
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


@pytest.mark.usefixtures("short_reach")
@pytest.mark.parametrize(("content", "expected"), WHOLE)
def test_line_ends_inside_quotes(content, expected):
    """A field that is quoted from its start may hold line ends; its record belongs to the line that it begins in."""
    assert _records(content) == expected


@pytest.mark.usefixtures("short_reach")
@pytest.mark.parametrize(("content", "expected"), STRAY)
def test_stray_quotes(content, expected):
    """A quote that does not close properly within reach is ignored, and its line is a record."""
    assert _records(content) == expected


@pytest.mark.usefixtures("short_reach")
def test_quotes_open_after_the_files_own_delimiter():
    """It need not be a comma."""
    assert _records(b'1;"a\nb";2\nc', ";") == [(b'1;"a\nb";2', 0), (b"c", 2)]
    assert _records(b'1,"a\nb",2\nc', ";") == [(b'1,"a', 0), (b'b",2', 1), (b"c", 2)]


@pytest.mark.usefixtures("short_reach")
@pytest.mark.parametrize(("content", "_"), [*WHOLE, *STRAY])
def test_a_byte_at_a_time(content, _):  # the expectation is not needed
    """From less of the text, a record's end is either the same or unknown; what follows in the buffer is not read."""
    for garbage in (b"", b'"', b"\n", b",", b"\r\n"):
        for end in range(len(content)):
            found = record_stop(content[:end] + garbage, 0, end, ord(","), is_final=False)
            assert found in {None, record_stop(content, 0, len(content), ord(","), is_final=True)}
            final = record_stop(content[:end] + garbage, 0, end, ord(","), is_final=True)
            assert final == record_stop(content[:end], 0, end, ord(","), is_final=True)


@pytest.mark.usefixtures("short_reach")
@pytest.mark.parametrize("size", [REACH, 2 * REACH])
def test_ends_are_known_once_the_reach_is_read(size):
    """One byte more than a quote may reach is enough to tell whether it closes."""
    content = b'"' + b"x\n" * size
    assert record_stop(content, 0, REACH + 1, ord(","), is_final=False) == 2


def test_dead_ends_are_searched_once(monkeypatch):
    """Lines whose search leads through the same quotes to the end of their reach share what it found."""
    followed = []
    after_closing_quote = quoted._after_closing_quote
    monkeypatch.setattr(quoted, "QUOTE_REACH_BYTES", 4000)
    monkeypatch.setattr(
        quoted, "_after_closing_quote", lambda *given: followed.append(0) or after_closing_quote(*given)
    )
    content = bytearray(b'a",b,"c\n' * 1000)
    text, records = TextSlice(content, 0, len(content), len(content), is_final=True), Records.allocate(1000)
    assert quoted.find_quoted_records(text, LAYOUT, records).rows == 1000
    assert len(followed) < 5000


# Files of text


NOTES = ["", "plain", "a, b", 'say "7"', "two\nlines", "three\r\nlines\n", " padded ", "Zürich", "1", "\n"]
DIGITS = make_digits(len(NOTES), seed=5)


def _with_notes(notes=NOTES, **how):
    """The digits with a text beside each, as pandas writes them."""
    return csv_of(table(DIGITS[: len(notes)]).assign(note=notes), **how)


@pytest.mark.usefixtures("small_text_buffer")
@pytest.mark.parametrize("how", [{}, {"sep": ";"}, {"sep": "\t", "quoting": 1}, {"lineterminator": "\r\n"}])
def test_quotes_may_hold_anything(open_csv, storage, how):
    """Delimiters, quotes and line ends inside quotes are text, and are passed through as they are."""
    source = open_csv(_with_notes(**how), keep=("note",))
    assert len(source.split(1)) == 1
    for block_rows in (1, 3, 1000):
        batch = read_all(source, storage, block_rows=block_rows)
        assert batch.rejects == ()
        np.testing.assert_array_equal(batch.pixels, DIGITS.pixels)
        np.testing.assert_array_equal(batch.labels, DIGITS.labels)
        assert passthrough_rows(batch) == [(note,) for note in NOTES]


@pytest.mark.usefixtures("small_text_buffer")
def test_lines_inside_quotes_are_counted(open_csv, storage):
    """The line and byte of a reject are where its record begins."""
    content = _with_notes() + "x\n\n" + csv_lines(DIGITS[:1])[0] + ',"two\nlines"\ny\n'
    offsets = [content.encode().index(text) for text in (b"x\n\n", b"y\n")]
    lines = [content.encode()[:offset].count(b"\n") + 1 for offset in offsets]
    for block_rows in (1, 3, 1000):
        batch = read_all(open_csv(content), storage, block_rows=block_rows)
        assert [(each.row, each.line, each.byte_offset) for each in batch.rejects] == [
            (len(NOTES), lines[0], offsets[0]),
            (len(NOTES) + 2, lines[1], offsets[1]),
        ]
        assert batch.lines == content.count("\n")


@pytest.mark.usefixtures("small_text_buffer")
@pytest.mark.parametrize("stray", ['"stray', '"a" b', '"', '"a""'])
def test_a_stray_quote_costs_its_own_line(open_csv, storage, stray):
    """No other record is lost, whether or not a quote follows further down."""
    header = ",".join(["label", *PIXEL_NAMES, "note"])
    for has_other_quotes in (False, True):
        lines = [f"{line},note" for line in csv_lines(DIGITS)]
        lines[4] = lines[4].removesuffix("note") + stray
        if has_other_quotes:
            lines[7] = lines[7].removesuffix("note") + '"fine, too"'
        batch = read_all(open_csv("\n".join([header, *lines]), keep=("note",)), storage)
        assert [(each.row, each.line, each.reason) for each in batch.rejects] == [(4, 6, Reason.MALFORMED_QUOTES)]
        rest = [row for row in range(len(DIGITS)) if row != 4]
        np.testing.assert_array_equal(batch.pixels[rest], DIGITS.pixels[rest])
        assert passthrough_rows(batch)[4] == (None,)


def test_quoted_text_of_more_than_a_mebibyte(open_csv, storage):
    """A record that closes its quotes but is over-long is one reject; the next record is read."""
    notes = ["short", "long\n" * 300_000, "short"]
    batch = read_all(open_csv(_with_notes(notes), keep=("note",)), storage)
    assert [(each.row, each.line, each.reason) for each in batch.rejects] == [(1, 3, Reason.OVER_LONG_RECORD)]
    np.testing.assert_array_equal(batch.pixels[[0, 2]], DIGITS.pixels[[0, 2]])
    assert passthrough_rows(batch) == [("short",), (None,), ("short",)]
    assert batch.lines == 4 + 300_000


def test_a_file_of_numbers_has_a_record_on_each_line(open_csv, storage):
    """No number holds a line end, so an unbalanced quote costs its own line, in any part."""
    lines = csv_lines(DIGITS)
    lines[2] = '"' + lines[2]
    source = open_csv("\n".join(lines))
    assert len(source.split(10_000)) > 1
    for part_bytes in (10_000, 10**9):
        batch = read_all(source, storage, part_bytes=part_bytes)
        assert [(each.row, each.reason) for each in batch.rejects] == [(2, Reason.MALFORMED_QUOTES)]
