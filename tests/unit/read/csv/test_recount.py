"""Records are counted twice, by different code, and a batch that does not add up is never passed on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.batches import read_all
from support.files import csv_text, make_digits
from support.guarded_memory import SIDES, guarded_bytes

from job.contract import PixelBatch
from job.errors import InternalError
from job.read.csv import csv_source as module
from job.read.csv.block import Records, TextSlice, find_records
from job.read.csv.csv_source import csv_source
from job.read.csv.quoted import find_quoted_records
from job.read.csv.recount import check_block
from job.read.layout.names import without_names
from job.settings import ReadSettings

LAYOUT = without_names(785, ReadSettings(), "")
PIECES = [b"1,2", b"\n", b"\r\n", b"\n\n", b"\r", b"", b'"', b'"a\nb"', b",", b"x" * 70, b"\n" * 70]


def _batch(rows, lines):
    return PixelBatch(np.zeros((rows, 784), np.uint8), None, (), lines=lines)


def _text(content, limit=10**9):
    # With other bytes before and after, as in a read buffer.
    return TextSlice(bytearray(b"\n\r" + content + b"\n\ngarbage"), 2, 2 + len(content), limit, is_final=True)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(some.lists(some.sampled_from(PIECES), max_size=12).map(b"".join), some.booleans())
def test_what_a_scanner_finds_is_confirmed(content, has_text):
    """Of any text, of lines or of quoted records, by both ways of counting."""
    text, records = _text(content), Records.allocate(400)
    scanned = (find_quoted_records if has_text else find_records)(text, LAYOUT, records)
    for is_compiled in (False, True):
        check_block(text, scanned.position, _batch(scanned.rows, scanned.lines), ",", is_compiled=is_compiled)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(some.lists(some.sampled_from(PIECES[:5] + PIECES[9:]), max_size=12).map(b"".join))
def test_no_byte_around_a_text_is_read(content):
    """Not even where counting 64 bytes at a time ends in the middle."""
    records = Records.allocate(1000)
    for side in SIDES:
        text = TextSlice(guarded_bytes(content, side), 0, len(content), 10**9, is_final=True)
        scanned = find_records(text, LAYOUT, records)
        check_block(text, scanned.position, _batch(scanned.rows, scanned.lines), ",", is_compiled=True)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    some.lists(some.sampled_from([b"1,2", b"\n", b"\r\n", b"x" * 70, b"\n" * 70, b"\r"]), min_size=1).map(b"".join),
    some.sampled_from([(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1)]),
)
def test_any_other_count_is_refused(content, change):
    """One record or line too few or too many is noticed, by both ways of counting."""
    text, records = _text(content), Records.allocate(400)
    scanned = find_records(text, LAYOUT, records)
    wrong = _batch(max(0, scanned.rows + change[0]), scanned.lines + change[1])
    for is_compiled in (False, True):
        if (len(wrong.pixels), wrong.lines) != (scanned.rows, scanned.lines):
            with pytest.raises(InternalError):
                check_block(text, scanned.position, wrong, ",", is_compiled=is_compiled)


def test_quoted_records_are_counted_as_pythons_csv_module_counts_them():
    """A record over two lines is one record; counted as two, it is refused."""
    text = _text(b'"a\nb",1\n2,3\n')
    check_block(text, text.end, _batch(2, 3), ",", is_compiled=False)
    with pytest.raises(InternalError, match="read 1 records in 3 lines, but counted 2 in 3"):
        check_block(text, text.end, _batch(1, 3), ",", is_compiled=False)


@pytest.mark.parametrize(("limit", "is_right"), [(3, False), (4, False), (5, False), (7, False), (8, True), (10, True)])
def test_a_part_ends_where_the_next_begins(limit, is_right):
    """A range that ends in the second of three lines must not include the third, which is the next part's."""
    text = TextSlice(bytearray(b"a\nbbbb\nc\n"), 0, 9, limit, is_final=True)
    lines = 3
    if is_right:
        check_block(text, 9, _batch(lines, lines), ",", is_compiled=False)
    else:
        with pytest.raises(InternalError, match="read past the end of a part"):
            check_block(text, 9, _batch(lines, lines), ",", is_compiled=False)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_reader_that_loses_a_record_is_stopped(storage, tmp_path, monkeypatch, is_compiled):
    """The run ends before anything of the block is passed on."""
    path = tmp_path / "a.csv"
    path.write_text(csv_text(make_digits(20)))
    right = module.parse_block

    def losing(*arguments):
        batch, position = right(*arguments)
        return PixelBatch(batch.pixels[1:], batch.labels[1:], (), lines=batch.lines), position

    monkeypatch.setattr(module, "parse_block", losing)
    source = csv_source(storage, storage.stat(str(path)), ReadSettings(), is_compiled=is_compiled)
    with pytest.raises(
        InternalError, match=r"a\.csv, from byte \d+: read 19 records in 20 lines, but counted 20 in 20"
    ):
        read_all(source, storage)
