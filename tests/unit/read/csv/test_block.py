"""Blocks of text to batches: where records are, and what becomes of those that cannot be scored."""

from dataclasses import replace

import numpy as np
import pytest
from support.batches import assert_same, passthrough_rows, read_all
from support.files import PIXEL_NAMES, csv_lines
from support.foreign_csv import csv_of, table

from job.contract import MAX_RAW, Reason
from job.read.csv.block import (
    SPARE_BYTES,
    Records,
    TextSlice,
    find_records,
    parse_block,
    record_reject,
)
from job.read.csv.scan import scan_records
from job.read.labels import BadRecord
from job.read.layout.names import without_names
from job.settings import ReadSettings

LAYOUT = without_names(785, ReadSettings(), "")


@pytest.fixture(params=[find_records, scan_records], ids=["plain", "compiled"])
def scan(request):
    return request.param


def _text(content, *, begin=0, limit=10**9, is_final=True):
    return TextSlice(bytearray(content) + bytes(SPARE_BYTES), begin, len(content), limit, is_final)


def _lines(content):
    """The records of a text, found in one scan."""
    records = Records.allocate(100)
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
    """LF or CRLF ends a record, even inside quotes; blank lines are not records; the last line may have no end."""
    assert _lines(content) == expected


def test_positions_of_records(scan):
    """A record is found with its bytes, without the line end, and its line from 0, blank lines counted."""
    records = Records.allocate(10)
    scanned = scan(_text(b"??ab\r\n\nc\n", begin=2), LAYOUT, records)
    assert (scanned.rows, scanned.position, scanned.lines) == (2, 9, 3)
    assert records.starts[:2].tolist() == [2, 7]
    assert records.stops[:2].tolist() == [4, 8]
    assert records.lines[:2].tolist() == [0, 2]
    assert records.needs_slow_parser[:2].all()


def test_records_after_the_limit_are_left(scan):
    """Records that begin before the limit are taken whole, and no others."""
    for limit, rows in ((0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (10**9, 3)):
        scanned = scan(_text(b"a\nb\nc\n", limit=limit), LAYOUT, Records.allocate(10))
        assert (scanned.rows, scanned.position, scanned.lines) == (rows, 2 * rows, rows), limit


@pytest.mark.parametrize(("room", "position", "lines"), [(1, 2, 1), (2, 5, 3), (3, 8, 5)])
def test_no_more_records_than_rows(scan, room, position, lines):
    """A scan ends with the last record that it has a row for; blank lines after it are left to the next."""
    scanned = scan(_text(b"a\n\nb\n\nc\n"), LAYOUT, Records.allocate(room))
    assert (scanned.rows, scanned.position, scanned.lines) == (room, position, lines)


def test_a_byte_at_a_time(scan, digits):
    """However much of a text is read, only complete records are taken, each as from the whole text."""
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


def test_bytes_around_the_slice_are_ignored(scan, digits):
    """What is in the buffer before and after the text does not matter."""
    [line] = csv_lines(digits[:1])
    content = b"1,2\n" + line.encode() + b"5,5"
    text = TextSlice(bytearray(content), 4, len(content) - 3, 10**9, is_final=True)
    batch, position = parse_block(text, 0, LAYOUT, scan, 10)
    assert position == len(content) - 3
    assert batch.rejects == ()
    np.testing.assert_array_equal(batch.pixels, digits.pixels[:1])


def test_positions_of_rejects(scan):
    """They are counted in the file, not in the buffer."""
    batch, _ = parse_block(_text(b"xx\n\nyy\n"), 1000, LAYOUT, scan, 10)
    assert [(each.row, each.byte_offset, each.line) for each in batch.rejects] == [(0, 1000, 1), (1, 1004, 3)]


def test_without_a_label_column(scan, digits):
    """A batch has no labels, rather than empty ones."""
    text = _text("\n".join(csv_lines(digits[:2], has_labels=False)).encode())
    assert parse_block(text, 0, without_names(784, ReadSettings(), ""), scan, 10)[0].labels is None


@pytest.mark.parametrize(
    "record",
    [b"x" * 100_000, "数".encode() * 50_000, "😀".encode() * 50_000, b"\xff" * 50_000],
    ids=["ASCII", "three bytes", "four bytes", "undecodable"],
)
def test_raw_text_of_a_reject_is_cut_between_characters(record):
    """It has at most 4,096 characters, none of them cut."""
    raw = record_reject(BadRecord(Reason.TOO_FEW_FIELDS, ""), 0, record, 0, 1).raw
    assert raw == record.decode(errors="replace")[:MAX_RAW]
    assert len(raw) == 4096


def test_passthrough_fields_of_parsed_records(digits):
    """A scanner that parses a record tells where its passthrough fields are; others come from the slow parser."""
    layout = replace(LAYOUT, passthrough_fields=(784, 0))
    [first, second] = csv_lines(digits[:2])
    content = f"{first}\n{second}\n1,2\n".encode()

    def scan(text, layout, records):
        scanned = find_records(text, layout, records)
        records.needs_slow_parser[0] = False
        records.pixels[0], records.labels[0] = digits.pixels[0], digits.labels[0]
        records.passthrough[0] = [[first.rindex(",") + 1, len(first)], [0, 1]]
        return scanned

    batch, _ = parse_block(_text(content), 0, layout, scan, 10)
    plain, _ = parse_block(_text(content), 0, layout, find_records, 10)
    assert_same(batch, plain)
    assert passthrough_rows(batch) == [
        (first.rpartition(",")[2], first[0]),
        (second.rpartition(",")[2], second[0]),
        (None, None),
    ]


def test_without_passthrough_columns(scan, digits):
    """A batch has none, rather than an empty one."""
    assert parse_block(_text(csv_lines(digits[:1])[0].encode()), 0, LAYOUT, scan, 10)[0].passthrough is None


# Passthrough columns of files


def test_passthrough_columns_are_in_the_users_order(open_csv, storage, digits):
    """Any column may be one, also a pixel, and is passed through as it is written."""
    frame = table(digits[:3]).assign(id=[7, 8, 9], file=["a.png", "b, c.png", "d.png"])
    source = open_csv(csv_of(frame), keep=("file", "pixel5", "id"))
    assert source.passthrough_schema.names == ["file", "pixel5", "id"]
    batch = read_all(source, storage)
    expected = zip(frame["file"], frame["pixel5"].astype(str), frame["id"].astype(str), strict=True)
    assert passthrough_rows(batch) == list(expected)


def test_passthrough_columns_of_rejected_records(open_csv, storage, digits):
    """A rejected record has its own, unless its fields cannot be told apart."""
    lines = [f"{line},{row:03}" for row, line in enumerate(csv_lines(digits[:40]))]
    lines[1] = "7" + ",x" * 784 + ",bad pixel"
    lines[2] = "12" + ",0" * 784 + ",bad label"
    lines[3] = "too,few"
    lines[4] = lines[4] + ",many"
    lines[5] = lines[5] + '"'
    content = "\n".join([",".join(["label", *PIXEL_NAMES, "id"]), *lines])
    batch = read_all(open_csv(content, keep=("id",)), storage, block_rows=3)
    texts = [each for (each,) in passthrough_rows(batch)]
    assert texts[:7] == ["000", "bad pixel", "bad label", None, None, '005"', "006"]
    assert [each.row for each in batch.rejects] == [1, 2, 3, 4]


def test_a_source_without_passthrough_columns(open_csv, storage, digits):
    """Its schema of them is empty, and its batches have none."""
    source = open_csv(csv_of(table(digits[:3])))
    assert source.passthrough_schema.names == []
    assert read_all(source, storage).passthrough is None
