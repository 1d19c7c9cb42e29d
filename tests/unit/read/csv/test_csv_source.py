import gzip
import itertools

import numpy as np
import pytest
from support.batches import assert_same, joined, read_all
from support.files import PIXEL_NAMES, csv_lines, csv_text, write_csv

from job.contract import PixelBatch, Reason
from job.errors import DataError, LayoutError
from job.read.csv import csv_source as module
from job.read.csv.csv_source import csv_source
from job.read.csv.record import MAX_RECORD_BYTES
from job.settings import ReadSettings

MARK = b"\xef\xbb\xbf"


@pytest.fixture(params=[False, True], ids=["plain", "compiled"])
def is_compiled(request):
    return request.param


@pytest.fixture
def small_window(monkeypatch):
    """A window that holds two records, so that small files are read in many steps."""
    monkeypatch.setattr(module, "_BUFFER_BYTES", 8192)
    monkeypatch.setattr(module, "_REFILL_BELOW_BYTES", 4096)


@pytest.fixture
def open_csv(storage, tmp_path, is_compiled):
    """Text, bytes or lines as a CSV source."""

    def write(content, choice=ReadSettings()):  # frozen
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return csv_source(storage, storage.stat(str(path)), choice, is_compiled=is_compiled)

    return write


def _row(label="7", pixels="0", count=784):
    return ",".join([label, *[pixels] * count])


def _places(batch):
    return [(each.row, each.line, each.byte_offset, each.reason) for each in batch.rejects]


# What a file may look like


@pytest.mark.parametrize("has_header", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("has_labels", [True, False], ids=["labels", "no labels"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", [b"", MARK], ids=["", "BOM"])
@pytest.mark.parametrize("has_final_end", [True, False], ids=["", "no final newline"])
def test_every_common_dress_of_a_file(open_csv, storage, digits, has_header, has_labels, end, mark, has_final_end):
    """Headers, labels, line ends, a byte order mark and a missing last newline change nothing in the rows."""
    few = digits[:8]
    text = csv_text(few, has_header=has_header, has_labels=has_labels).replace("\n", end)
    source = open_csv(mark + (text if has_final_end else text.removesuffix(end)).encode())
    assert source.has_labels is has_labels
    assert source.rows is None
    batch = read_all(source, storage)
    assert_same(batch, PixelBatch(few.pixels, few.labels if has_labels else None, lines=8 + has_header))
    assert batch.pixels.flags.c_contiguous


@pytest.mark.parametrize("block_rows", [1, 2, 3, 1000])
@pytest.mark.parametrize("part_bytes", [5000, 100_000, 10**9])
def test_blocks_and_parts_change_nothing(open_csv, storage, digits, part_bytes, block_rows):
    """Rows come in order, at most `block_rows` at a time, however large parts and blocks are."""
    few = digits[:30]
    source = open_csv(csv_text(few))
    spans = source.spans(part_bytes)
    batches = [batch for span in spans for batch in source.read(storage, span, block_rows)]
    assert max(len(batch.pixels) for batch in batches) <= block_rows
    assert_same(joined(batches), PixelBatch(few.pixels, few.labels, lines=31))


@pytest.mark.parametrize("place", [0, 300, 784])
def test_label_column_may_stand_anywhere(open_csv, storage, digits, place):
    """The label is found by its name: first, in the middle or last."""
    header = list(PIXEL_NAMES)
    header.insert(place, "label")
    rows = np.insert(digits.pixels.astype(int), place, digits.labels, axis=1)
    text = "\n".join([",".join(header), *[",".join(map(str, row)) for row in rows.tolist()]])
    assert_same(read_all(open_csv(text), storage), PixelBatch(digits.pixels, digits.labels, lines=101))


def test_columns_in_any_order_with_text_between(open_csv, storage, digits):
    """Pixels are put in order by name; other columns may hold any text, quoted or not."""
    order = np.random.default_rng(3).permutation(784)
    header = ",".join(["file name", *[PIXEL_NAMES[index] for index in order], "label", '"note, if any"'])
    notes = ["", "plain", '"quoted, with a comma"', '"a ""quote"""', "Zürich", "tab\there"]
    lines = [
        f"scan {row}.png,{','.join(map(str, digits.pixels[row, order]))},{digits.labels[row]},{notes[row % 6]}"
        for row in range(12)
    ]
    batch = read_all(open_csv("\n".join([header, *lines])), storage)
    assert_same(batch, PixelBatch(digits.pixels[:12], digits.labels[:12], lines=13))


@pytest.mark.parametrize(
    "names",
    [
        [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)],
        [str(number) for number in range(784)],
        [str(number) for number in range(1, 785)],
        [f'"pixel{number}"' for number in range(784)],
        [f" pixel{number} " for number in range(784)],
    ],
    ids=["grid", "numbers from 0", "numbers from 1", "quoted", "spaced"],
)
def test_headers_of_other_libraries(open_csv, storage, digits, names):
    """A first line of names, also of the bare numbers that libraries write, is a header and no record."""
    text = "\n".join([",".join(names), *csv_lines(digits, has_labels=False)])
    assert_same(read_all(open_csv(text), storage), PixelBatch(digits.pixels, lines=101))


def test_header_of_a_data_frame_with_its_index(open_csv, storage, digits):
    """What pandas' `DataFrame(pixels).to_csv(path)` writes has a header `,0,1,..783`; its index is no label."""
    rows = [f"{row},{line}" for row, line in enumerate(csv_lines(digits, has_labels=False))]
    text = "\n".join([",".join(["", *map(str, range(784))]), *rows])
    assert_same(read_all(open_csv(text), storage), PixelBatch(digits.pixels, lines=101))


def test_first_line_of_a_headerless_file_may_be_bad(open_csv, storage):
    """Without a header the first record may have empty fields or numbers out of range, and is rejected for it."""
    text = "\n".join([_row(pixels=""), _row(), _row("3", "256")])
    batch = read_all(open_csv(text), storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [(0, Reason.MISSING_VALUE), (2, Reason.OUT_OF_RANGE)]


def test_no_label_leaves_the_column_out(open_csv, storage, digits):
    """With --no-label the first of 785 columns is passed over, whatever it holds."""
    source = open_csv(csv_text(digits, has_header=False), ReadSettings(is_label_ignored=True))
    assert_same(read_all(source, storage), PixelBatch(digits.pixels, lines=100))


@pytest.mark.parametrize("header_end", ["", "\n", "\r\n", "\n\n\n"])
def test_header_and_nothing_else(open_csv, storage, header_end):
    """A file of a header alone is a file of no records, in one part."""
    source = open_csv(",".join(["label", *PIXEL_NAMES]) + header_end)
    assert len(source.spans(100)) >= 1
    batch = read_all(source, storage, part_bytes=100)
    assert batch.pixels.shape == (0, 784)
    assert batch.rejects == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": is empty, or its first line is; expected a header or 784 or 785 numbers"),
        (MARK, ": is empty, or its first line is; expected a header or 784 or 785 numbers"),
        (b"\n\r\n\n", ": is empty, or its first line is; expected a header or 784 or 785 numbers"),
        (
            "label,pixel0\n".encode("utf-16-le"),
            ": is no text, or UTF-16, for it holds zero bytes; expected CSV, saved as UTF-8",
        ),
        (b'"label","pixel0"\r"1","2"\r', ": its lines end with CR alone; save it with LF or CRLF"),
        (b"  \r\n", ": is empty, or its first line is; expected a header or 784 or 785 numbers"),
        (b"\xff\xfel\x00", ": is UTF-16; save it as UTF-8 (in Excel: `CSV UTF-8`)"),
        (b"\x89PNG\xff", " line 1: byte 1 of the record is not UTF-8; this is not a CSV file of digits"),
        (b"label,a\r1,2\r3,4\r", ": its lines end with CR alone; save it with LF or CRLF"),
        (
            b"a.png,7" + b",0" * 784,
            (
                ": its first line is neither a header nor numbers alone: it holds 785 numbers, but also 'a.png'; "
                "put a line of names above it"
            ),
        ),
        (b'"label,1\n', " line 1: quotes do not match: unexpected end of data; this is not a CSV file of digits"),
        (
            b"x" * (9 << 20),
            " line 1: more than 1048576 bytes without a line end; this is not a CSV file of digits",
        ),
        (
            b"1,5,3\n4,5,6\n",
            ": has no header and 3 values in its first line; expected 784 (pixels) or 785 (label + 784 pixels)",
        ),
        (
            b"name,age\nx,3\n",
            ": found 2 columns (name, age); expected 784 numbered pixel columns such as pixel0..pixel783 or 1x1..28x28",
        ),
    ],
    ids=[
        "empty",
        "mark only",
        "blank lines",
        "UTF-16 without a mark",
        "CR and quotes",
        "spaces",
        "UTF-16",
        "picture",
        "CR",
        "names of files",
        "quotes",
        "endless",
        "few numbers",
        "other table",
    ],
)
def test_first_lines_that_are_no_digits(open_csv, tmp_path, content, message):
    """A file whose first line cannot be the start of a file of digits is refused, with what is wrong with it."""
    with pytest.raises(LayoutError) as error:
        open_csv(content)
    assert str(error.value) == f"{tmp_path / 'a.csv'}{message}"


# What is wrong with records


BAD = {
    "too few": ("7,0,0", Reason.TOO_FEW_FIELDS, "3 values, expected 785 (label + 784 pixels)", None),
    "one too few": (_row(count=783), Reason.TOO_FEW_FIELDS, "784 values, expected 785 (label + 784 pixels)", None),
    "too many": (_row(count=785), Reason.TOO_MANY_FIELDS, "786 values, expected 785 (label + 784 pixels)", None),
    "comma behind": (_row() + ",", Reason.TOO_MANY_FIELDS, "786 values, expected 785 (label + 784 pixels)", None),
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
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_bad_record_keeps_its_row(open_csv, storage, digits, record, reason, detail, column, end):
    """A record that cannot be scored is a blank row, with its reason, place and text; its neighbours are untouched."""
    before, after = csv_text(digits[:2]).replace("\n", end), csv_lines(digits[2:3])[0] + end
    batch = read_all(open_csv(before + record + end + after), storage)
    [reject] = batch.rejects
    assert (reject.row, reject.line, reject.byte_offset) == (2, 4, len(before))
    assert (reject.reason, reject.detail, reject.column) == (reason, detail, column)
    assert reject.raw == record
    np.testing.assert_array_equal(batch.pixels[[0, 1, 3]], digits.pixels[:3])
    assert not batch.pixels[2].any()
    assert batch.labels[[0, 1, 3]].tolist() == digits.labels[:3].tolist()


def test_undecodable_record_keeps_its_row(open_csv, storage, digits):
    """Bytes that are not UTF-8 spoil their own record; its text is kept with replacement characters."""
    head = csv_text(digits[:1], has_header=False).encode()
    batch = read_all(open_csv(head + b"7,\xff\xfe\n" + head), storage)
    [reject] = batch.rejects
    assert (reject.row, reject.line, reject.byte_offset) == (1, 2, len(head))
    assert reject.reason is Reason.UNDECODABLE_TEXT
    assert reject.raw == "7,\ufffd\ufffd"


@pytest.mark.parametrize("label", ["10", "-1", "x", "1.5", "nan"])
def test_bad_label_leaves_the_pixels(open_csv, storage, digits, label):
    """A label that is none is told, and the record goes on without it."""
    record = f"{label},{csv_lines(digits[:1], has_labels=False)[0]}"
    batch = read_all(open_csv(f"{','.join(['label', *PIXEL_NAMES])}\n{record}\n"), storage)
    assert [(each.reason, each.detail, each.column) for each in batch.rejects] == [
        (Reason.BAD_LABEL, f"label is {label!r}, expected 0-9", "label")
    ]
    assert batch.labels.tolist() == [-1]
    np.testing.assert_array_equal(batch.pixels, digits.pixels[:1])


def test_bad_pixel_leaves_the_label(open_csv, storage):
    """A record with a bad pixel has no prediction, but keeps the label that it came with."""
    batch = read_all(open_csv(_row("3") + "\n" + _row("5", count=783) + ",999"), storage)
    assert batch.labels.tolist() == [3, 5]


def test_empty_label_is_no_label(open_csv, storage):
    """An empty label field is nothing wrong: the record just has none."""
    batch = read_all(open_csv(_row("3") + "\n" + _row("") + "\n" + _row(" ")), storage)
    assert batch.labels.tolist() == [3, -1, -1]
    assert batch.rejects == ()


@pytest.mark.parametrize("value", ["7.0", " 7", "7 ", "+7", '"7"', "007", "0.7e1", "7."])
def test_numbers_in_other_dress(open_csv, storage, value):
    """A pixel may be quoted, padded, signed, or written as a float, as long as it is a whole number."""
    batch = read_all(open_csv(_row() + "\n" + _row(pixels=value)), storage)
    assert batch.rejects == ()
    assert (batch.pixels[1] == 7).all()


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_blank_lines_are_no_records_but_are_counted(open_csv, storage, digits, end):
    """Blank lines anywhere below the first give no row; line numbers go on counting them."""
    lines = csv_lines(digits[:3])
    text = end.join([lines[0], "", "", lines[1], "x", "", lines[2], "", ""])
    for part_bytes in (1000, 10**9):
        batch = read_all(open_csv(text), storage, part_bytes=part_bytes, block_rows=2)
        assert _places(batch) == [(2, 5, text.encode().index(b"x"), Reason.TOO_FEW_FIELDS)]
        np.testing.assert_array_equal(batch.pixels[[0, 1, 3]], digits.pixels[:3])


def test_raw_text_is_cut(open_csv, storage):
    """Of a long bad record no more than 4,096 characters are kept."""
    batch = read_all(open_csv(_row() + "\n" + "ä" * 10_000), storage)
    assert batch.rejects[0].raw == "ä" * 4096


@pytest.mark.parametrize(
    "size", [MAX_RECORD_BYTES + 1, (8 << 20) - 3000, 8 << 20, (9 << 20) + 17], ids=["1 MiB", "7.99", "8", "9"]
)
@pytest.mark.parametrize("has_final_end", [True, False], ids=["", "no final newline"])
def test_over_long_record_is_one_reject(open_csv, storage, digits, size, has_final_end):
    """A line of more than a mebibyte, even of more than is held in memory, is one rejected record."""
    first, last = (line + "\n" for line in csv_lines(digits[:2]))
    content = first + last + "\n" + "9" * size + ("\nx\n" + last if has_final_end else "")
    source = open_csv(content)
    for part_bytes in (3 << 20, 10**9):
        batch = read_all(source, storage, part_bytes=part_bytes)
        offset = len(first + last) + 1
        expected = [(2, 4, offset, Reason.OVER_LONG_RECORD)]
        expected += [(3, 5, offset + size + 1, Reason.TOO_FEW_FIELDS)] if has_final_end else []
        assert _places(batch) == expected
        assert batch.rejects[0].detail == "more than 1048576 bytes without a line end"
        assert batch.rejects[0].raw == "9" * 4096
        assert len(batch.pixels) == 2 + len(expected) + has_final_end
        np.testing.assert_array_equal(batch.pixels[:2], digits.pixels[:2])
        np.testing.assert_array_equal(batch.pixels[-1], digits.pixels[1] if has_final_end else 0)


def test_long_text_columns_do_not_matter(open_csv, storage):
    """A record of just a mebibyte, nearly all of it in a column that nobody needs, is scored."""
    header = ",".join(["note", *PIXEL_NAMES]) + "\n"
    pixels = ",".join(["0"] * 783 + ["7"])
    note = "x" * (MAX_RECORD_BYTES - len(pixels) - 1)
    batch = read_all(open_csv(header + f"{note},{pixels}\n" * 10), storage)
    assert batch.rejects == ()
    assert batch.pixels[:, 783].tolist() == [7] * 10


# Parts


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


def _mixed_places():
    offsets = [MIXED.index(text) for text in (b"1,2\n", "ä,".encode(), b"10,8", b"x")]
    reasons = [Reason.TOO_FEW_FIELDS, Reason.TOO_FEW_FIELDS, Reason.BAD_LABEL, Reason.TOO_FEW_FIELDS]
    return list(zip([1, 2, 3, 4], [3, 5, 7, 8], offsets, reasons, strict=True))


def test_mixed_file_as_one(open_csv, storage):
    """Good, blank and bad lines in one part: each row, line number and byte offset is where it should be."""
    batch = read_all(open_csv(MIXED), storage)
    assert _places(batch) == _mixed_places()
    assert batch.labels.tolist() == [3, -1, -1, -1, -1]
    assert batch.pixels[:, 0].tolist() == [9, 0, 0, 8, 0]
    assert batch.lines == 8


@pytest.mark.usefixtures("small_window")
def test_file_may_be_cut_anywhere(open_csv, storage):
    """Two parts give what one gives, wherever the cut falls: within a record, a line end, or a character."""
    source = open_csv(MIXED)
    expected = read_all(source, storage)
    for cut in range(1, len(MIXED)):
        parts = [*source.read(storage, (0, cut), 10), *source.read(storage, (cut, len(MIXED)), 10)]
        assert_same(joined(parts), expected)


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("part_bytes", [7, 1571, 4096])
@pytest.mark.parametrize("block_rows", [1, 2, 3, 1000])
def test_part_and_block_sizes_change_nothing(open_csv, storage, part_bytes, block_rows):
    """Rows, labels and the places of rejects are the same for all sizes of parts and blocks."""
    source = open_csv(MIXED)
    expected = read_all(source, storage)
    assert_same(read_all(source, storage, part_bytes=part_bytes, block_rows=block_rows), expected)


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("part_bytes", [97, 1000, 10_000])
def test_parts_behind_a_header(open_csv, storage, digits, part_bytes):
    """A header longer than a part, a byte order mark and CRLF do not shift places in the parts that follow."""
    text = csv_text(digits[:5]).replace("\n", "\r\n") + "x\r\n"
    content = MARK + text.encode()
    batch = read_all(open_csv(content), storage, part_bytes=part_bytes)
    assert _places(batch) == [(5, 7, len(content) - 3, Reason.TOO_FEW_FIELDS)]
    np.testing.assert_array_equal(batch.pixels[:5], digits.pixels[:5])


@pytest.mark.parametrize("part_bytes", [1, 100, 1571, 4096, 10**9])
def test_spans_cover_the_file_without_gap(open_csv, part_bytes):
    """Parts begin after the header, follow one another, and end with the file; none is longer than its size."""
    header = ",".join(["label", *PIXEL_NAMES]) + "\n"
    spans = open_csv(header + _row() + "\n" + _row() + "\n").spans(part_bytes)
    assert spans[0][0] == len(header)
    assert spans[-1][1] == len(header) + 2 * len(_row() + "\n")
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(spans))
    assert all(0 < stop - start <= part_bytes for start, stop in spans)


@pytest.mark.parametrize("part_bytes", [10**9, 5000])
def test_progress_adds_up_to_the_file(open_csv, storage, part_bytes):
    """The bytes that the batches of a file say they took are the file's, whatever its parts read beyond their ends."""
    source = open_csv(MIXED * 20)
    batches = [batch for span in source.spans(part_bytes) for batch in source.read(storage, span, 3)]
    assert sum(batch.size_bytes for batch in batches) == source.file.size - source.data_start


def test_progress_of_a_packed_file_is_by_its_packed_bytes(open_csv, storage):
    """Those are what there is to read."""
    source = open_csv(gzip.compress(MIXED * 20))
    batches = list(source.read(storage, *source.spans(1), 3))
    assert sum(batch.size_bytes for batch in batches) == pytest.approx(source.file.size, rel=0.01)


# gzip


def test_gzip_is_read_as_its_content(open_csv, storage):
    """A packed file is one part, and its rejects count bytes in the unpacked text."""
    source = open_csv(gzip.compress(MIXED))
    assert len(source.spans(1)) == 1
    assert_same(read_all(source, storage, block_rows=2), read_all(open_csv(MIXED), storage))


@pytest.mark.parametrize("has_header", [True, False], ids=["header", "no header"])
def test_gzip_with_header_and_mark(open_csv, storage, digits, has_header):
    """What stands before the data in the unpacked text is passed over there."""
    content = gzip.compress(MARK + csv_text(digits, has_header=has_header).encode())
    assert_same(read_all(open_csv(content), storage), PixelBatch(digits.pixels, digits.labels, lines=100 + has_header))


def test_gzip_cut_off(open_csv, storage, tmp_path, digits):
    """A packed file that ends early is a data error that names it; it never looks like a shorter file."""
    content = gzip.compress(csv_text(digits).encode())
    with pytest.raises(DataError, match="the gzip data is damaged or cut off") as error:
        read_all(open_csv(content[:-4]), storage)
    assert str(error.value).startswith(f"{tmp_path / 'a.csv'}: ")


@pytest.mark.usefixtures("small_window")
def test_gzip_damaged_behind_what_was_looked_at(open_csv, storage, digits, monkeypatch):
    """Damage far behind the first line is found while reading, after the good rows before it."""
    monkeypatch.setattr("job.read.packed.unpackers.PIECE_BYTES", 4096)
    packed = bytearray(gzip.compress(csv_text(digits).encode()))
    packed[-6] ^= 0xFF
    source = open_csv(bytes(packed))
    rows = 0
    with pytest.raises(DataError, match="damaged or cut off"):  # noqa: PT012  # rows are counted on the way
        for batch in source.read(storage, *source.spans(1), 5):
            rows += len(batch.pixels)
    assert rows > 0


def test_small_inputs_do_without_compiled_code(storage, tmp_path, digits, monkeypatch):
    """The compiled scanner is loaded only where it was asked for."""
    asked = []
    monkeypatch.setattr(module, "prepare", lambda: asked.append(True))
    path = str(write_csv(tmp_path / "a.csv", digits[:2]))
    for is_compiled in (False, True):
        source = csv_source(storage, storage.stat(path), ReadSettings(), is_compiled=is_compiled)
        assert len(read_all(source, storage).pixels) == 2
        assert bool(asked) == is_compiled
