"""CSV files read in parts and blocks: bad records, over-long lines, compressed files, and progress."""

import gzip
import itertools
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from support.batches import assert_same, joined, read_all
from support.files import PIXEL_NAMES, csv_lines, csv_text, make_digits, write_csv
from support.foreign_csv import MARK

from job.contract import PixelBatch, Reason
from job.errors import DataError
from job.read.csv import csv_source as module
from job.read.csv.csv_source import csv_source
from job.read.csv.head import parse_head
from job.read.csv.record import MAX_RECORD_BYTES
from job.settings import ReadSettings


def _row(label="7", pixels="0", count=784):
    return ",".join([label, *[pixels] * count])


def _positions(batch):
    return [(each.row, each.line, each.byte_offset, each.reason) for each in batch.rejects]


# Bad records


BAD = {
    "too few": ("7,0,0", Reason.TOO_FEW_FIELDS, "3 values, expected 785 (label + 784 pixels)", None),
    "one too few": (_row(count=783), Reason.TOO_FEW_FIELDS, "784 values, expected 785 (label + 784 pixels)", None),
    "too many": (_row(count=785), Reason.TOO_MANY_FIELDS, "786 values, expected 785 (label + 784 pixels)", None),
    "zero at the end": (_row() + ",0", Reason.TOO_MANY_FIELDS, "786 values, expected 785 (label + 784 pixels)", None),
    "spaces only": ("   ", Reason.TOO_FEW_FIELDS, "1 values, expected 785 (label + 784 pixels)", None),
    "empty": (_row(count=783) + ",", Reason.MISSING_VALUE, "pixel783 is empty, expected 0-255", "pixel783"),
    "word": (_row(count=783) + ",x", Reason.NOT_A_NUMBER, "pixel783 is 'x', expected 0-255", "pixel783"),
    "NaN": (_row(count=783) + ",nan", Reason.NOT_A_NUMBER, "pixel783 is 'nan', expected 0-255", "pixel783"),
    "256": (_row(count=783) + ",256", Reason.OUT_OF_RANGE, "pixel783 is 256, expected 0-255", "pixel783"),
    "1000": (_row(count=783) + ",1000", Reason.OUT_OF_RANGE, "pixel783 is 1000, expected 0-255", "pixel783"),
    "negative": (_row(count=783) + ",-1", Reason.OUT_OF_RANGE, "pixel783 is -1, expected 0-255", "pixel783"),
    "half": (
        _row(count=783) + ",0.5",
        Reason.NOT_AN_INTEGER,
        "pixel783 is 0.5, expected a whole number 0-255",
        "pixel783",
    ),
    "quote": (_row(count=783) + ',"0', Reason.MALFORMED_QUOTES, "quotes do not match: unexpected end of data", None),
    "NUL": (_row(count=783) + ",\0", Reason.NOT_A_NUMBER, "pixel783 is '\\x00', expected 0-255", "pixel783"),
}


@pytest.mark.parametrize(("record", "reason", "detail", "column"), BAD.values(), ids=BAD)
def test_a_bad_record_keeps_its_row(open_csv, storage, digits, record, reason, detail, column):
    """It is a row of zeros with a reason, a position and its text; other rows are not affected."""
    for end in ("\n", "\r\n"):
        before, after = csv_text(digits[:2]).replace("\n", end), csv_lines(digits[2:3])[0] + end
        batch = read_all(open_csv(before + record + end + after), storage)
        [reject] = batch.rejects
        assert (reject.row, reject.line, reject.byte_offset) == (2, 4, len(before))
        assert (reject.reason, reject.detail, reject.column) == (reason, detail, column)
        assert reject.raw == record
        np.testing.assert_array_equal(batch.pixels[[0, 1, 3]], digits.pixels[:3])
        assert not batch.pixels[2].any()
        assert batch.labels[[0, 1, 3]].tolist() == digits.labels[:3].tolist()


def test_an_undecodable_record_keeps_its_row(open_csv, storage):
    """Bytes that are not UTF-8, in a file that is, make their own record bad and replacement characters of its text."""
    good, bad = f"é.png,{_row()}\n".encode(), f"é.png,{_row()}\n".encode("cp1252")
    head = ",".join(["file", "label", *PIXEL_NAMES]).encode() + b"\n" + good
    batch = read_all(open_csv(head + bad + good), storage)
    [reject] = batch.rejects
    assert (reject.row, reject.line, reject.byte_offset) == (1, 3, len(head))
    assert reject.reason is Reason.UNDECODABLE_TEXT
    assert reject.raw.startswith("\ufffd.png,7,0")


@pytest.mark.parametrize("label", ["10", "-1", "x", "1.5", "nan"])
def test_a_bad_label_leaves_the_pixels(open_csv, storage, digits, label):
    """It is rejected, and the record goes on without it."""
    record = f"{label},{csv_lines(digits[:1], has_labels=False)[0]}"
    batch = read_all(open_csv(f"{','.join(['label', *PIXEL_NAMES])}\n{record}\n"), storage)
    assert [(each.reason, each.detail, each.column) for each in batch.rejects] == [
        (Reason.BAD_LABEL, f"label is {label!r}, expected 0-9", "label")
    ]
    assert batch.labels.tolist() == [-1]
    np.testing.assert_array_equal(batch.pixels, digits.pixels[:1])


def test_a_bad_pixel_leaves_the_label(open_csv, storage):
    """The record has no prediction, but keeps its label."""
    batch = read_all(open_csv(_row("3") + "\n" + _row("5", count=783) + ",999"), storage)
    assert batch.labels.tolist() == [3, 5]


def test_an_empty_label(open_csv, storage):
    """It is not an error; the record has no label."""
    batch = read_all(open_csv(_row("3") + "\n" + _row("") + "\n" + _row(" ")), storage)
    assert batch.labels.tolist() == [3, -1, -1]
    assert batch.rejects == ()


@pytest.mark.parametrize("value", ["7.0", " 7", "7 ", "+7", '"7"', "007", "0.7e1", "7.", "7.0001", "6.9999"])
def test_numbers_in_other_forms(open_csv, storage, value):
    """A pixel may be quoted, padded, signed or written as a float, as long as it is a whole number."""
    batch = read_all(open_csv(_row() + "\n" + _row(pixels=value)), storage)
    assert batch.rejects == ()
    assert (batch.pixels[1] == 7).all()


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_blank_lines_are_not_records_but_are_counted(open_csv, storage, digits, end):
    """Below the first line they give no row, but count as lines."""
    lines = csv_lines(digits[:3])
    text = end.join([lines[0], "", "", lines[1], "x", "", lines[2], "", ""])
    for part_bytes in (1000, 10**9):
        batch = read_all(open_csv(text), storage, part_bytes=part_bytes, block_rows=2)
        assert _positions(batch) == [(2, 5, text.encode().index(b"x"), Reason.TOO_FEW_FIELDS)]
        np.testing.assert_array_equal(batch.pixels[[0, 1, 3]], digits.pixels[:3])


def test_long_raw_text_is_cut(open_csv, storage):
    """A reject has at most 4,096 characters of its record."""
    batch = read_all(open_csv(_row() + "\n" + "ä" * 10_000), storage)
    assert batch.rejects[0].raw == "ä" * 4096


@pytest.mark.parametrize(
    "size", [MAX_RECORD_BYTES + 1, (8 << 20) - 3000, 8 << 20, (9 << 20) + 17], ids=["1 MiB", "7.99", "8", "9"]
)
def test_an_over_long_record_is_one_reject(open_csv, storage, digits, size):
    """A line of more than a mebibyte, or even of more than the read buffer, is one rejected record."""
    first, last = (line + "\n" for line in csv_lines(digits[:2]))
    offset = len(first + last) + 1
    for rest in ("\nx\n" + last, ""):
        source = open_csv(first + last + "\n" + "9" * size + rest)
        expected = [(2, 4, offset, Reason.OVER_LONG_RECORD)]
        expected += [(3, 5, offset + size + 1, Reason.TOO_FEW_FIELDS)] if rest else []
        for part_bytes in (3 << 20, 10**9):
            batch = read_all(source, storage, part_bytes=part_bytes)
            assert _positions(batch) == expected
            assert batch.rejects[0].detail == "more than 1048576 bytes without a line end"
            assert batch.rejects[0].raw == "9" * 4096
            assert len(batch.pixels) == 2 + len(expected) + bool(rest)
            np.testing.assert_array_equal(batch.pixels[:2], digits.pixels[:2])
            np.testing.assert_array_equal(batch.pixels[-1], digits.pixels[1] if rest else 0)


def test_long_text_columns_do_not_matter(open_csv, storage):
    """A record of exactly a mebibyte, nearly all of it in a skipped column, is scored."""
    header = ",".join(["note", *PIXEL_NAMES]) + "\n"
    pixels = ",".join(["0"] * 783 + ["7"])
    note = "x" * (MAX_RECORD_BYTES - len(pixels) - 1)
    batch = read_all(open_csv(header + f"{note},{pixels}\n" * 10), storage)
    assert batch.rejects == ()
    assert batch.pixels[:, 783].tolist() == [7] * 10


# Parts and blocks


MIXED = "".join(
    [
        _row("3", "9") + "\r\n",
        "\n",
        "1,2\n",
        "\r\n",
        "ä,\n",
        "\n",
        _row("10", "8") + "\n",
        "x",
    ]
).encode()


def _mixed_positions():
    offsets = [MIXED.index(text) for text in (b"1,2\n", "ä,".encode(), b"10,8", b"x")]
    reasons = [Reason.TOO_FEW_FIELDS, Reason.TOO_FEW_FIELDS, Reason.BAD_LABEL, Reason.TOO_FEW_FIELDS]
    return list(zip([1, 2, 3, 4], [3, 5, 7, 8], offsets, reasons, strict=True))


def test_mixed_file_as_one(open_csv, storage):
    """Good, blank and bad lines in one part have the right rows, line numbers and byte offsets."""
    batch = read_all(open_csv(MIXED), storage)
    assert _positions(batch) == _mixed_positions()
    assert batch.labels.tolist() == [3, -1, -1, -1, -1]
    assert batch.pixels[:, 0].tolist() == [9, 0, 0, 8, 0]
    assert batch.lines == 8


@pytest.mark.slow
@pytest.mark.usefixtures("small_buffer")
def test_a_file_may_be_cut_anywhere(open_csv, storage):
    """Two parts give what one gives, wherever the cut is: within a record, a line end, or a character."""
    source = open_csv(MIXED)
    expected = read_all(source, storage)
    # Inside the long records, one cut is like another: every seventh, and each one near a line end.
    ends = [position for position, byte in enumerate(MIXED) if byte == ord("\n")]
    near = {end + distance for end in [0, *ends, len(MIXED)] for distance in range(-12, 13)}
    for cut in sorted({*range(1, len(MIXED), 7), *near} & {*range(1, len(MIXED))}):
        parts = [*source.read(storage, (0, cut), 10), *source.read(storage, (cut, len(MIXED)), 10)]
        assert_same(joined(parts), expected, what=cut)


@pytest.mark.usefixtures("small_buffer")
def test_sizes_of_parts_and_blocks(open_csv, storage):
    """Rows, labels and rejects are the same for all of them."""
    source = open_csv(MIXED)
    expected = read_all(source, storage)
    for part_bytes in (7, 1571, 4096):
        for block_rows in (1, 2, 3, 1000):
            found = read_all(source, storage, part_bytes=part_bytes, block_rows=block_rows)
            assert_same(found, expected, what=(part_bytes, block_rows))


def test_blocks_are_no_longer_than_asked_for(open_csv, storage, digits):
    """Rows come in order, at most `block_rows` at a time."""
    few = digits[:30]
    source = open_csv(csv_text(few))
    for part_bytes in (5000, 100_000, 10**9):
        for block_rows in (1, 2, 3, 1000):
            ranges = source.split(part_bytes)
            batches = [batch for each in ranges for batch in source.read(storage, each, block_rows)]
            assert max(len(batch.pixels) for batch in batches) <= block_rows
            assert_same(joined(batches), PixelBatch(few.pixels, few.labels, lines=31))


@pytest.mark.usefixtures("small_buffer")
@pytest.mark.parametrize("part_bytes", [97, 1000, 10_000])
def test_parts_after_a_header(open_csv, storage, digits, part_bytes):
    """A header longer than a part, a byte order mark and CRLF do not shift the positions in later parts."""
    text = csv_text(digits[:5]).replace("\n", "\r\n") + "x\r\n"
    content = MARK + text.encode()
    batch = read_all(open_csv(content), storage, part_bytes=part_bytes)
    assert _positions(batch) == [(5, 7, len(content) - 3, Reason.TOO_FEW_FIELDS)]
    np.testing.assert_array_equal(batch.pixels[:5], digits.pixels[:5])


@pytest.mark.parametrize("part_bytes", [1, 100, 1571, 4096, 10**9])
def test_ranges_cover_the_file_without_gaps(open_csv, part_bytes):
    """They begin after the header, follow one another, and end with the file; none is longer than a part."""
    header = ",".join(["label", *PIXEL_NAMES]) + "\n"
    ranges = open_csv(header + _row() + "\n" + _row() + "\n").split(part_bytes)
    assert ranges[0][0] == len(header)
    assert ranges[-1][1] == len(header) + 2 * len(_row() + "\n")
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(ranges))
    assert all(0 < stop - start <= part_bytes for start, stop in ranges)


@pytest.mark.parametrize("part_bytes", [10**9, 5000])
def test_progress_adds_up_to_the_file(open_csv, storage, part_bytes):
    """The bytes of the batches add up to the file's, although parts read beyond their ends."""
    source = open_csv(MIXED * 20, scale="255")
    batches = [batch for each in source.split(part_bytes) for batch in source.read(storage, each, 3)]
    assert sum(batch.size_bytes for batch in batches) == source.file.size - source.data_start


def test_progress_of_a_compressed_file(open_csv, storage):
    """It is counted in compressed bytes."""
    source = open_csv(gzip.compress(MIXED * 20), scale="255")
    batches = list(source.read(storage, *source.split(1), 3))
    assert sum(batch.size_bytes for batch in batches) == pytest.approx(source.file.size, rel=0.01)


# Compressed files


def test_gzip_is_read_as_its_content(open_csv, storage):
    """A compressed file is one part, and its rejects count bytes of plain text."""
    source = open_csv(gzip.compress(MIXED))
    assert len(source.split(1)) == 1
    assert_same(read_all(source, storage, block_rows=2), read_all(open_csv(MIXED), storage))


@pytest.mark.parametrize("has_header", [True, False], ids=["header", "no header"])
def test_gzip_with_header_and_mark(open_csv, storage, digits, has_header):
    """The records begin after both, in the plain text."""
    content = gzip.compress(MARK + csv_text(digits, has_header=has_header).encode())
    assert_same(read_all(open_csv(content), storage), PixelBatch(digits.pixels, digits.labels, lines=100 + has_header))


def test_truncated_gzip(open_csv, storage, tmp_path, digits):
    """It is a data error that names the file, and never looks like a shorter file."""
    content = gzip.compress(csv_text(digits).encode())
    with pytest.raises(DataError, match="the gzip data is damaged or truncated") as error:
        read_all(open_csv(content[:-4]), storage)
    assert str(error.value).startswith(f"{tmp_path / 'a.csv'}: ")


@pytest.mark.usefixtures("small_buffer")
def test_gzip_damaged_after_the_head(open_csv, storage, digits, monkeypatch):
    """Damage far after the first line is found while reading, after the good rows before it."""
    monkeypatch.setattr("job.read.packed.unpackers.PIECE_BYTES", 4096)
    packed = bytearray(gzip.compress(csv_text(digits).encode()))
    packed[-6] ^= 0xFF
    source = open_csv(bytes(packed))
    rows = 0
    with pytest.raises(DataError, match="damaged or truncated"):  # noqa: PT012  # rows are counted meanwhile
        for batch in source.read(storage, *source.split(1), 5):
            rows += len(batch.pixels)
    assert rows > 0


def test_small_inputs_do_without_compiled_code(storage, tmp_path, digits, monkeypatch):
    """The compiled scanner is loaded only if asked for."""
    loaded = []
    monkeypatch.setattr(module, "prepare", lambda: loaded.append(True))
    path = str(write_csv(tmp_path / "a.csv", digits[:2]))
    for is_compiled in (False, True):
        source = csv_source(storage, storage.stat(path), ReadSettings(), is_compiled=is_compiled)
        assert len(read_all(source, storage).pixels) == 2
        assert bool(loaded) == is_compiled


# The head


@pytest.fixture
def heads(monkeypatch):
    """The sizes of the heads that are parsed."""
    sizes = []

    def parse(head, *arguments, **options):
        sizes.append(len(head))
        return parse_head(head, *arguments, **options)

    monkeypatch.setattr(module, "parse_head", parse)
    return sizes


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_head_is_read_no_further_than_it_takes(write_csv_source, heads, pack):
    """A hundred records, not the megabytes that a part is read in."""
    content = csv_text(make_digits(800)).encode()
    write_csv_source(pack(content), is_compiled=False)
    assert len(content) > 3 << 18
    assert heads == [1 << 18]


def test_long_records_make_a_long_head(write_csv_source, heads):
    """Fractions of eighteen digits take eight times as much, and are parsed once."""
    line = _row(pixels="0.123456789012345678")
    write_csv_source("\n".join([line] * 300), is_compiled=False)
    assert heads == [1 << 21]


def test_the_head_of_a_file_that_is_refused_is_read_as_far_as_any(write_csv_source, heads):
    """What looks wrong from its first lines alone may be right in the light of more."""
    with pytest.raises(DataError):
        write_csv_source("<p>\n" * 10**6, is_compiled=False)
    assert heads == [1 << 18, 4 * 10**6]


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=some.lists(
        some.sampled_from(["1", "a", '"b"', '"c\n"', '"d', 'e"f,"g', "\n", '"""\n\n"', "\n\n"]), min_size=1
    ),
    pixel=some.sampled_from(["1", "0.5", "0", '"7"']),
    first=some.sampled_from(["", "\n\n", "sep=,\n"]),
)
def test_a_head_means_the_same_as_the_whole_file(write_csv_source, notes, pixel, first):
    """However much of it is read: its layout, its scale, and whether it holds text; or why it is refused."""
    lines = [f"{notes[row % len(notes)]},{_row(pixels='0')}" for row in range(140)]
    lines[99] = f"1,{_row(pixels=pixel)}"
    content = first + ",".join(["note", "label", *PIXEL_NAMES]) + "\n" + "\n".join(lines)
    found = []
    for size in (1, 5000, 1 << 23):
        with patch.object(module, "_HEAD_BYTES", size):
            try:
                found.append(replace(write_csv_source(content, is_compiled=False), file=None))
            except DataError as error:
                found.append(str(error))
    assert found == [found[-1]] * 3
