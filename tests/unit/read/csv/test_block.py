from dataclasses import replace

import numpy as np
import pytest
from support.batches import assert_same, kept_rows
from support.files import csv_lines

from job.contract import Reason
from job.read.csv.block import MAX_RAW_CHARACTERS, Records, Text, find_records, parse_block, reject
from job.read.csv.scan import scan_records
from job.read.labels import BadRecord
from job.read.layout.names import without_names
from job.settings import ReadSettings

LAYOUT = without_names(785, ReadSettings(), "")


@pytest.fixture(params=[find_records, scan_records], ids=["plain", "compiled"])
def scan(request):
    return request.param


def _text(content, *, begin=0, limit=10**9, is_final=True):
    return Text(bytearray(content), begin, len(content), limit, is_final)


def _lines(content):
    """The records of a text, by scanning it whole."""
    records = Records.room_for(100)
    scanned = find_records(_text(content), LAYOUT, records)
    return [content[records.starts[row] : records.stops[row]] for row in range(scanned.rows)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\r\n\n", []),
        (b"\r", []),
        (b"a", [b"a"]),
        (b"a\r", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\r\n", [b"a\r"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"\n\na\n\n", [b"a"]),
        (b" \n", [b" "]),
        (b'"a\nb"\n', [b'"a', b'b"']),
    ],
)
def test_lines_are_records(content, expected):
    """LF or CRLF ends a record, also within quotes; empty lines are none; the last may lack its end."""
    assert _lines(content) == expected


def test_places_of_records(scan):
    """A record's place is its bytes without the line end, and its line counted from 0 with blank ones."""
    records = Records.room_for(10)
    scanned = scan(_text(b"??ab\r\n\nc\n", begin=2), LAYOUT, records)
    assert (scanned.rows, scanned.position, scanned.lines) == (2, 9, 3)
    assert records.starts[:2].tolist() == [2, 7]
    assert records.stops[:2].tolist() == [4, 8]
    assert records.lines[:2].tolist() == [0, 2]
    assert records.needs_patience[:2].all()


@pytest.mark.parametrize(("limit", "rows"), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (10**9, 3)])
def test_records_that_begin_behind_the_limit_are_left(scan, limit, rows):
    """Only records that begin before the limit are taken, to their end beyond it."""
    scanned = scan(_text(b"a\nb\nc\n", limit=limit), LAYOUT, Records.room_for(10))
    assert (scanned.rows, scanned.position, scanned.lines) == (rows, 2 * rows, rows)


@pytest.mark.parametrize(("room", "position", "lines"), [(1, 2, 1), (2, 5, 3), (3, 8, 5)])
def test_no_more_records_than_there_is_room_for(scan, room, position, lines):
    """A scan ends with its last record; blank lines behind it wait for the next."""
    scanned = scan(_text(b"a\n\nb\n\nc\n"), LAYOUT, Records.room_for(room))
    assert (scanned.rows, scanned.position, scanned.lines) == (room, position, lines)


def test_a_byte_at_a_time(scan, digits):
    """However little of a text is there, only whole records are taken, each as if all of it were there."""
    content = b"\r\n".join([line.encode() for line in csv_lines(digits[:2])] + [b"", b"7,x", b""])
    whole, _ = parse_block(_text(content), 0, LAYOUT, scan, 10)
    ends = [position + 1 for position, byte in enumerate(content) if byte == ord("\n")]
    for end in range(len(content)):
        batch, position = parse_block(_text(content[:end], is_final=False), 0, LAYOUT, scan, 10)
        assert position == max([0, *[each for each in ends if each <= end]])
        count = len(batch.pixels)
        np.testing.assert_array_equal(batch.pixels, whole.pixels[:count])
        np.testing.assert_array_equal(batch.labels, whole.labels[:count])
        assert batch.rejects == whole.rejects[: max(0, count - 2)]


def test_rubbish_outside_the_text_is_not_read(scan, digits):
    """Bytes before the beginning and behind the end of a text do not matter."""
    [line] = csv_lines(digits[:1])
    content = b"1,2\n" + line.encode() + b"5,5"
    text = Text(bytearray(content), 4, len(content) - 3, 10**9, is_final=True)
    batch, position = parse_block(text, 0, LAYOUT, scan, 10)
    assert position == len(content) - 3
    assert batch.rejects == ()
    np.testing.assert_array_equal(batch.pixels, digits.pixels[:1])


def test_offset_is_added_to_the_places_of_rejects(scan):
    """A reject tells its place in the file, not in the piece of it that was at hand."""
    batch, _ = parse_block(_text(b"xx\n\nyy\n"), 1000, LAYOUT, scan, 10)
    assert [(each.row, each.byte_offset, each.line) for each in batch.rejects] == [(0, 1000, 1), (1, 1004, 3)]


def test_batch_has_labels_only_where_the_layout_has(scan, digits):
    """Without a label column there are no labels, rather than empty ones."""
    text = _text("\n".join(csv_lines(digits[:2], has_labels=False)).encode())
    assert parse_block(text, 0, without_names(784, ReadSettings(), ""), scan, 10)[0].labels is None


@pytest.mark.parametrize("record", [b"x" * 100_000, "数".encode() * 50_000, "😀".encode() * 50_000, b"\xff" * 50_000])
def test_raw_text_of_a_reject_is_cut_between_characters(record):
    """The text kept of a record has at most 4,096 characters, none of them cut."""
    raw = reject(BadRecord(Reason.TOO_FEW_FIELDS, ""), 0, record, 0, 1).raw
    assert raw == record.decode(errors="replace")[:MAX_RAW_CHARACTERS]
    assert len(raw) == 4096


def test_kept_fields_are_where_the_scanner_says(digits):
    """A scanner that parses a record also says where its kept fields stand; the others are found with patience."""
    layout = replace(LAYOUT, kept_fields=(784, 0))
    [first, second] = csv_lines(digits[:2])
    content = f"{first}\n{second}\n1,2\n".encode()

    def scan(text, layout, records):
        scanned = find_records(text, layout, records)
        records.needs_patience[0] = False
        records.pixels[0], records.labels[0] = digits.pixels[0], digits.labels[0]
        records.kept[0] = [[first.rindex(",") + 1, len(first)], [0, 1]]
        return scanned

    batch, _ = parse_block(_text(content), 0, layout, scan, 10)
    plain, _ = parse_block(_text(content), 0, layout, find_records, 10)
    assert_same(batch, plain)
    assert kept_rows(batch) == [
        (first.rpartition(",")[2], first[0]),
        (second.rpartition(",")[2], second[0]),
        (None, None),
    ]


def test_nothing_is_kept_unless_asked_for(scan, digits):
    """Without kept fields a batch has none, rather than an empty one."""
    assert parse_block(_text(csv_lines(digits[:1])[0].encode()), 0, LAYOUT, scan, 10)[0].kept is None
