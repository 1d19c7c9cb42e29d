"""The CSV reader gives the same as every other way to read a file, in any dialect, part and block, and with damage."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import assert_same, joined, passthrough_rows, read_all
from support.files import PIXEL_NAMES, make_digits

from job.errors import DataError
from job.read.csv import csv_source as module
from job.read.csv import quoted
from job.read.csv.csv_source import csv_source
from job.settings import ReadSettings
from job.storage import LocalStorage

STORAGE = LocalStorage()
DIGITS = make_digits(12, seed=2)
HEADER = ["note", "label", *PIXEL_NAMES]
# Characters with and without a meaning in CSV.
TEXTS = st.text(st.sampled_from("ab 7é\",;\t|\r\n'."), max_size=8)


@pytest.fixture(autouse=True, scope="module")
def small_buffer():
    """A read buffer of a few records, so that small files are read in many steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BUFFER_BYTES", 32768)
        patch.setattr(module, "_REFILL_BELOW_BYTES", 16384)
        patch.setattr(quoted, "QUOTE_REACH_BYTES", 8192)
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file that is overwritten by each example."""
    return tmp_path_factory.mktemp("csv") / "a.csv"


def source_of(path, content, *, is_compiled=False, **choices):
    """The source of a file with these bytes."""
    path.write_bytes(content)
    return csv_source(STORAGE, STORAGE.stat(str(path)), ReadSettings(**choices), is_compiled=is_compiled)


def written(rows, **dialect):
    """Rows as Python's csv module writes them."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **dialect).writerows(rows)
    return buffer.getvalue().encode()


def rows_with(notes):
    """A header and a record for each note."""
    records = zip(notes, DIGITS.labels.tolist(), DIGITS.pixels.tolist(), strict=False)
    return [HEADER, *([note, label, *pixels] for note, label, pixels in records)]


@settings(max_examples=100, deadline=None)
@given(
    notes=st.lists(TEXTS, min_size=1, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    has_mark=st.booleans(),
    is_compiled=st.booleans(),
    block_rows=st.integers(1, 13),
)
def test_well_formed_records_are_read_as_by_pythons_csv_module(
    path, notes, delimiter, line_end, quoting, has_mark, is_compiled, block_rows
):
    """In any dialect, with the same fields, and no record is rejected."""
    # A column of numbers alone would make it a file of numbers, where each line is a record.
    notes = ["text", *notes][:12]
    if quoting == csv.QUOTE_MINIMAL:
        # Python does not quote a lone carriage return, but takes it for a line end when reading.
        notes = [note.replace("\r", "") for note in notes]
    content = written(rows_with(notes), delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    source = source_of(path, b"\xef\xbb\xbf" * has_mark + content, is_compiled=is_compiled, keep=("note",))
    expected = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))[1:]
    batch = read_all(source, STORAGE, block_rows=block_rows)
    assert batch.rejects == ()
    assert passthrough_rows(batch) == [(row[0],) for row in expected]
    np.testing.assert_array_equal(batch.pixels, np.array([row[2:] for row in expected]).astype(int))
    assert batch.labels.tolist() == [int(row[1]) for row in expected]
    assert batch.lines == content.count(b"\n")


def grid(lines):
    """Lines below a header."""
    return b"\n".join([",".join(HEADER[1:]).encode(), *lines])


GOOD = [
    ",".join(map(str, [label, *pixels])).encode()
    for label, pixels in zip(DIGITS.labels.tolist(), DIGITS.pixels.tolist(), strict=True)
]
GARBAGE = st.binary(min_size=1, max_size=60).filter(lambda text: text.strip(b"\r") and b"\n" not in text)
ALIKE = st.text(st.sampled_from("0123456789,,,,,\"'.- e;\t\rx"), min_size=1, max_size=60).map(str.encode)


@settings(max_examples=150, deadline=None)
@given(
    garbage=st.lists(st.one_of(GARBAGE, ALIKE.filter(lambda text: text.strip(b"\r"))), min_size=1, max_size=6),
    places=st.lists(st.integers(0, 6), min_size=6, max_size=6),
    part_bytes=st.sampled_from([500, 3000, 10**9]),
    is_compiled=st.booleans(),
)
def test_garbage_lines_never_shift_a_row(path, garbage, places, part_bytes, is_compiled):
    """Whatever bytes are on a line of a file of numbers, they are one reject, and other rows are not affected."""
    lines, is_good = list(GOOD[:6]), [True] * 6
    for text, place in zip(garbage, places, strict=False):
        lines.insert(place, text)
        is_good.insert(place, False)
    batch = read_all(source_of(path, grid(lines), is_compiled=is_compiled), STORAGE, part_bytes=part_bytes)
    assert [each.row for each in batch.rejects] == [row for row, good in enumerate(is_good) if not good]
    np.testing.assert_array_equal(batch.pixels[is_good], DIGITS.pixels[:6])
    assert batch.labels[is_good].tolist() == DIGITS.labels[:6].tolist()


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=400),
    is_after_good_rows=st.booleans(),
    has_text=st.booleans(),
    block_rows=st.integers(1, 5),
)
def test_random_bytes_never_crash_the_reader(path, content, is_after_good_rows, has_text, block_rows):
    """Any bytes are refused as a file, or give rows that are each good or rejected."""
    if is_after_good_rows:
        start = written(rows_with(["text", "two\nlines"])) if has_text else grid(GOOD[:2]) + b"\n"
        content = start + content
    try:
        source = source_of(path, content)
    except DataError:
        assert not is_after_good_rows
        return
    batch = read_all(source, STORAGE, block_rows=block_rows)
    if is_after_good_rows:
        np.testing.assert_array_equal(batch.pixels[:2], DIGITS.pixels[:2])
    assert len({each.row for each in batch.rejects}) == len(batch.rejects)
    for each in batch.rejects:
        assert 0 <= each.row < len(batch.pixels)
        raw = each.raw.encode(errors="replace")[:1]
        assert content[each.byte_offset : each.byte_offset + 1] == raw or raw >= b"\x80" or raw == b"?"
        assert each.line == content[: each.byte_offset].count(b"\n") + 1


@settings(max_examples=100, deadline=None)
@given(
    notes=st.lists(st.one_of(TEXTS, st.just('stray"'), st.just("7")), min_size=2, max_size=12),
    broken=st.lists(st.integers(0, 60_000), max_size=4),
    data=st.data(),
)
def test_parts_and_blocks_change_nothing(path, notes, broken, data):
    """Those of any size give the rows, rejects and passthrough columns of the whole, even of damaged files."""
    content = bytearray(written(rows_with(notes), lineterminator="\n"))
    head = content.index(b"\n") + 1
    for place in broken:
        content[head + place % (len(content) - head)] = data.draw(st.sampled_from(b'",\n\rx\xff'))
    source = source_of(path, bytes(content), keep=("note",))
    whole = read_all(source, STORAGE)
    part_bytes, block_rows = data.draw(st.integers(100, 60_000)), data.draw(st.integers(1, 13))
    assert_same(read_all(source, STORAGE, part_bytes=part_bytes, block_rows=block_rows), whole)
    compiled = source_of(path, bytes(content), keep=("note",), is_compiled=True)
    assert_same(read_all(compiled, STORAGE, part_bytes=part_bytes, block_rows=block_rows), whole)
    if not source.has_text:
        start, stop = source.split(10**9)[0]
        cut = data.draw(st.integers(start, stop))
        ranges = [each for each in ((start, cut), (cut, stop)) if each[0] < each[1]]
        assert_same(joined(batch for each in ranges for batch in source.read(STORAGE, each, 5)), whole)
