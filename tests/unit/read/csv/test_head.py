"""The head of a CSV file: delimiter, header, columns, pixel scale, and files that are refused."""

import gzip
import logging

import numpy as np
import pytest
from support.batches import assert_same, read_all
from support.files import PIXEL_NAMES, csv_lines, csv_text, make_digits
from support.foreign_csv import (
    DIGITS,
    FILES,
    FIRST,
    FRACTIONS,
    GRID,
    LAST,
    MARK,
    ROWS,
    UNLABELLED,
    beside,
    csv_of,
    frame,
    numbers,
    table,
)

from job.contract import PixelBatch, Reason
from job.errors import LayoutError
from job.read.csv import first_records
from job.read.csv.record import split_fields

TRANSPOSED = DIGITS.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)


def assert_reads(batch, pixels=DIGITS.pixels, labels=DIGITS.labels, what=""):
    """Fail unless a batch holds these images and labels, and nothing was rejected."""
    assert batch.rejects == (), what
    np.testing.assert_array_equal(batch.pixels, pixels, str(what))
    np.testing.assert_equal(batch.labels, labels, str(what))


# Files as other programs write them


@pytest.mark.parametrize("name", [*FILES, *UNLABELLED])
def test_files_of_other_programs(write_csv_source, storage, name, caplog):
    """The same digits are read from all of them, with either scanner, whole or in parts, and without a warning."""
    content = {**FILES, **UNLABELLED}[name]()
    labels = None if name in UNLABELLED else DIGITS.labels
    for is_compiled in (False, True):
        with caplog.at_level(logging.WARNING):
            source = write_csv_source(content, is_compiled=is_compiled)
        assert caplog.records == []
        for part_bytes in (10_000, 10**9):
            batch = read_all(source, storage, part_bytes=part_bytes, block_rows=7)
            assert_reads(batch, labels=labels, what=(is_compiled, part_bytes))


@pytest.mark.parametrize("name", ["semicolons", "OpenML", "fractions, headerless", "R's write.csv"])
def test_compressed_files_of_other_programs(open_csv, storage, name):
    """A compressed file is recognised like its content."""
    assert_reads(read_all(open_csv(gzip.compress(FILES[name]().encode())), storage))


def test_every_common_form_of_a_file(open_csv, storage, digits):
    """Header, labels, line ends, a byte order mark and a missing last newline make no difference to the rows."""
    few = digits[:8]
    for has_header in (True, False):
        for has_labels in (True, False):
            for end in ("\n", "\r\n"):
                text = csv_text(few, has_header=has_header, has_labels=has_labels).replace("\n", end)
                expected = PixelBatch(few.pixels, few.labels if has_labels else None, lines=8 + has_header)
                for content in (text, text.removesuffix(end)):
                    for mark in (b"", MARK):
                        source = open_csv(mark + content.encode())
                        assert (source.has_labels, source.rows) == (has_labels, None)
                        batch = read_all(source, storage)
                        assert_same(batch, expected, what=(has_header, has_labels, end, mark))
                        assert batch.pixels.flags.c_contiguous


@pytest.mark.parametrize(
    "names",
    [
        GRID,
        [str(number) for number in range(784)],
        [str(number) for number in range(1, 785)],
        [f'"pixel{number}"' for number in range(784)],
        [f" pixel{number} " for number in range(784)],
    ],
    ids=["grid", "numbers from 0", "numbers from 1", "quoted", "spaced"],
)
def test_headers_of_other_programs(open_csv, storage, digits, names):
    """A first line of names, or of the bare numbers that some libraries write, is a header and not a record."""
    text = "\n".join([",".join(names), *csv_lines(digits, has_labels=False)])
    assert_same(read_all(open_csv(text), storage), PixelBatch(digits.pixels, lines=101))


def test_header_of_a_data_frame_with_its_index(open_csv, storage, digits):
    """Pandas' `DataFrame(pixels).to_csv(path)` writes a header `,0,1,..783`; its index is not the label."""
    rows = [f"{row},{line}" for row, line in enumerate(csv_lines(digits, has_labels=False))]
    text = "\n".join([",".join(["", *map(str, range(784))]), *rows])
    assert_same(read_all(open_csv(text), storage), PixelBatch(digits.pixels, lines=101))


@pytest.mark.parametrize("place", [0, 300, 784])
def test_the_label_column_may_be_anywhere(open_csv, storage, digits, place):
    """It is found by its name: first, in the middle or last."""
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


def test_no_label_skips_the_column(open_csv, storage, digits):
    """With --no-label, the first of 785 columns is skipped, whatever it holds."""
    source = open_csv(csv_text(digits, has_header=False), is_label_ignored=True)
    assert_same(read_all(source, storage), PixelBatch(digits.pixels, lines=100))


@pytest.mark.parametrize("header_end", ["", "\n", "\r\n", "\n\n\n"])
def test_a_header_alone(open_csv, storage, header_end):
    """It is a file of no records, in at least one part."""
    source = open_csv(",".join(["label", *PIXEL_NAMES]) + header_end)
    assert len(source.split(100)) >= 1
    batch = read_all(source, storage, part_bytes=100)
    assert batch.pixels.shape == (0, 784)
    assert batch.rejects == ()


def test_a_bad_first_record_without_a_header(open_csv, storage):
    """It may have empty fields or numbers out of range, and is rejected like any other."""
    lines = [f"7{',' * 784}", f"7{',0' * 784}", f"3{',256' * 784}"]
    batch = read_all(open_csv("\n".join(lines)), storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [(0, Reason.MISSING_VALUE), (2, Reason.OUT_OF_RANGE)]


@pytest.mark.parametrize(
    "content",
    [
        lambda: csv_text(make_digits(0)) + numbers(beside(DIGITS.labels, TRANSPOSED)),
        lambda: numbers(beside(DIGITS.labels, TRANSPOSED)),
        lambda: numbers(beside(TRANSPOSED, DIGITS.labels)),
        lambda: numbers(beside(DIGITS.labels, TRANSPOSED / 255)),
    ],
    ids=["header", "label first", "label last", "fractions"],
)
def test_transposed_images(open_csv, storage, content):
    """With --transpose, images stored column by column, as in EMNIST, are read row by row."""
    assert_reads(read_all(open_csv(content(), is_transposed=True), storage))


# The pixel scale


def test_a_detected_scale_is_logged(open_csv, caplog):
    """The log says that pixels are fractions, and with which flag to say so; the source knows its scale."""
    with caplog.at_level(logging.INFO):
        assert open_csv(FILES["fractions"]()).pixel_scale == "1"
        assert open_csv(FILES["floats"]()).pixel_scale == "255"
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "using the scale 0-1 (--scale 1)" in record.getMessage()


@pytest.mark.parametrize("change", [lambda text: text, lambda text: text.replace("1", "1.0")], ids=["1", "1.0"])
def test_zeros_and_ones_need_the_users_word(open_csv, storage, change):
    """Binary images and fractions cut to whole numbers look alike: a guess is never scored."""
    content = change(numbers(beside(np.zeros(10, int), DIGITS.pixels[:10] > 0).astype(int)))
    with pytest.raises(
        LayoutError, match=r"are 0 or 1, so their scale is in doubt; add --scale 1 if .* or --scale 255"
    ):
        open_csv(content)
    content = numbers(beside(DIGITS.labels, DIGITS.pixels > 0).astype(int))
    assert_reads(read_all(open_csv(content, scale="255"), storage), pixels=DIGITS.pixels > 0)
    assert_reads(read_all(open_csv(content, scale="1"), storage), pixels=(DIGITS.pixels > 0) * 255)


def test_the_users_scale_is_not_overruled(open_csv, storage):
    """Even if the first records show another."""
    batch = read_all(open_csv(FILES["fractions"](), scale="255"), storage)
    assert {reject.reason for reject in batch.rejects} == {Reason.NOT_AN_INTEGER}
    batch = read_all(open_csv(FILES["Kaggle's train.csv"](), scale="1"), storage)
    assert {reject.reason for reject in batch.rejects} == {Reason.OUT_OF_RANGE}
    assert batch.rejects[0].detail.endswith(", expected 0-1")


def test_a_fraction_above_1_is_rejected(open_csv, storage):
    """Wherever it is in a file of fractions."""
    lines = numbers(beside(np.tile(DIGITS.labels, 3), np.tile(FRACTIONS, (3, 1)))).splitlines()
    lines[110] = lines[110].rpartition(",")[0] + ",1.5"
    batch = read_all(open_csv("\n".join(lines)), storage)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (110, Reason.OUT_OF_RANGE, "column 785 is 1.5, expected 0-1")
    ]


def test_a_huge_fraction_is_rejected(open_csv, storage):
    """A value that overflows when multiplied by 255 gives no NumPy warning."""
    lines = numbers(beside(DIGITS.labels, FRACTIONS)).splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",1e308"
    batch = read_all(open_csv("\n".join(lines), scale="1"), storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [(3, Reason.OUT_OF_RANGE)]


def test_a_point_in_a_file_of_decimal_commas(open_csv, storage):
    """It may separate thousands, and is not taken for a decimal mark."""
    lines = FILES["floats with a decimal comma"]().splitlines()
    lines[3] = lines[3].rpartition(";")[0] + ";1.000"
    batch = read_all(open_csv("\n".join(lines)), storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [(2, Reason.NOT_A_NUMBER)]


# Where the label is


@pytest.mark.parametrize(
    ("labels", "corner", "side"),
    [
        ([0, 1, 2], [0, 0, 0], "first"),
        ([0, 0, 5], [0, 0, 0], "first"),
        ([3], [0], "first"),
        ([3, 0, 0, 0], [0, 0, 200, 0], "first"),
        ([0, 0, 0, 0], [0, 0, 200, 0], "first"),
        ([12, 3, 4], [0, 0, 0], "first"),
        (["", "", ""], [0, 0, 0], "first"),
        ([3, 1, 2], [0, 0, 0], "last"),
        ([9], [0], "last"),
        ([9, 12, 3], [0, 0, 0], "last"),
        ([1, 2, 3], [77, 88, 99], "last"),
        (["", "", ""], [0, 0, 0], "last"),
    ],
)
def test_label_by_value(open_csv, caplog, labels, corner, side):
    """Labels are digits, most of them not 0; the corner of an image is nearly always background."""
    middle = [",".join(["0"] * 783)] * len(labels)
    columns = (labels, middle, corner) if side == "first" else (corner, middle, labels)
    with caplog.at_level(logging.WARNING):
        source = open_csv("\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True)))
    assert source.layout.label_field == (0 if side == "first" else 784)
    assert caplog.records == []


@pytest.mark.parametrize(("first", "last"), [([3, 4], [5, 6]), ([0, 0], [0, 0]), ([0, 0, 0], [0, 0, 2])])
def test_a_label_that_could_be_on_either_side(open_csv, caplog, first, last):
    """The first column is taken, as is usual, with a warning; --label-column or --no-label settles it."""
    content = "\n".join(f"{left}{',0' * 783},{right}" for left, right in zip(first, last, strict=True))
    with caplog.at_level(logging.WARNING):
        assert open_csv(content).layout.label_field == 0
    assert "do not tell whether the label is column 1 or 785" in caplog.text
    caplog.clear()
    assert open_csv(content, label_column="785").layout.label_field == 784
    assert open_csv(content, is_label_ignored=True).layout.label_field is None
    assert caplog.records == []


def test_ten_digits_in_order_are_labels(open_csv):
    """A sample of one digit of each class has labels 0 to 9; eleven rows have row numbers."""
    rows = [f"{row}{',0' * 400},9{',0' * 383}" for row in range(11)]
    assert open_csv("\n".join(rows[:10])).layout.label_field == 0
    assert open_csv("\n".join(rows)).layout.label_field is None


def test_no_label_skips_the_last_column(open_csv, storage):
    """With --no-label, the label's column is skipped on whichever side it is."""
    for name in ("headerless, label last", "pandas' names from 0 with the label last"):
        assert_reads(read_all(open_csv(FILES[name](), is_label_ignored=True), storage), labels=None)


@pytest.mark.parametrize(("column", "content"), [("785", LAST), ("1", FIRST), ("786", beside(ROWS, LAST))])
def test_label_by_number(open_csv, storage, column, content):
    """Without a header, the label may be given by its number from 1."""
    assert_reads(read_all(open_csv(numbers(content), label_column=column), storage))


@pytest.mark.parametrize("label", ["0", "784"])
def test_the_flag_in_the_message_settles_it(open_csv, label):
    """If 785 numbered columns are all zero, following the advice of the error gives a layout."""
    content = csv_of(frame(np.zeros((3, 785), int)))
    assert open_csv(content, label_column=label).layout.label_field == int(label)


# Files that are refused


NO_TEXT = ": is empty, or its first line is; expected a header or 784 or 785 numbers"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", NO_TEXT),
        (MARK, NO_TEXT),
        (b"\n\r\n\n", NO_TEXT),
        (b"  \r\n", NO_TEXT),
        (
            "label,pixel0\n".encode("utf-16-le"),
            ": contains zero bytes, so it is not text, or UTF-16; expected CSV, saved as UTF-8",
        ),
        ("\ufefflabel".encode("utf-32-le"), ": is UTF-32; save it as UTF-8"),
        (b'"label","pixel0"\r"1","2"\r', ": its lines end with CR alone; save it with LF or CRLF"),
        (b"label,a\r1,2\r3,4\r", ": its lines end with CR alone; save it with LF or CRLF"),
        (b"\x89PNG\xff", " line 1: byte 1 of the record is not UTF-8; this is not a CSV file of digits"),
        (
            b"a.png,7" + b",0" * 784,
            (
                ": its first line is neither a header nor all numbers: it has 785 numbers, but also 'a.png'; "
                "put a line of column names above it"
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
        *("empty", "mark alone", "blank lines", "spaces", "UTF-16 without a mark", "UTF-32", "CR and quotes", "CR"),
        *("picture", "names of files", "quotes", "endless", "few numbers", "other table"),
    ],
)
def test_first_lines_that_are_not_of_digits(open_csv, tmp_path, content, message):
    """The error says what is wrong with the first line."""
    with pytest.raises(LayoutError) as error:
        open_csv(content)
    assert str(error.value) == f"{tmp_path / 'a.csv'}{message}"


@pytest.mark.parametrize(
    ("content", "choices", "message"),
    [
        (
            lambda: csv_of(table()), {"label_column": "lable"},
            ": has no column 'lable'; found 785 columns (label, pixel0, pixel1, .. pixel783); did you mean 'label'?",
        ),
        (
            lambda: csv_of(table().assign(id=ROWS)), {"keep": ("idd",)},
            ": has no column 'idd'; found 786 columns (label, pixel0, pixel1, .. id); did you mean 'id'?",
        ),
        (
            lambda: csv_of(table()), {"keep": ("file",)},
            ": has no column 'file'; found 785 columns (label, pixel0, pixel1, .. pixel783)",
        ),
        (
            lambda: numbers(FIRST), {"keep": ("id",)},
            ": has no header, so there is no column 'id'; leave --keep out",
        ),
        (
            lambda: numbers(FIRST), {"label_column": "label"},
            (": has no header, so there is no column 'label'; give the label's number, --label-column 1 to 785, "
            "or leave it out"),
        ),
        (
            lambda: csv_of(frame(np.zeros((3, 785), int))), {},
            (": found 785 numbered columns (0 .. 784), of which one must be the label; "
            "say which: --label-column 0 or --label-column 784"),
        ),
        (
            lambda: numbers(beside(ROWS + 5000, DIGITS.pixels)), {},
            (": has no header and 785 values in a record, but neither column 1 nor 785 holds labels (0-9); name the "
            "label's column with --label-column N, or skip column 1 with --no-label"),
        ),
        (
            lambda: numbers(beside(ROWS + 5000, FIRST)), {},
            (": has no header and 786 values in its first line; expected 784 (pixels) or 785 (label + 784 pixels), "
            "or these after a column of row numbers 0, 1, 2, .. or 1, 2, 3, .."),
        ),
        (
            lambda: "name;age\nx;3\n", {},
            ": found 2 columns (name, age); expected 784 numbered pixel columns such as pixel0..pixel783 or 1x1..28x28",
        ),
    ],
    ids=["label misspelt", "keep misspelt", "nothing close", "keep without names", "name without names",
         "numbered, all zero", "no label on either side", "row numbers from 5000", "other table"],
)  # fmt: skip
def test_layouts_that_are_refused(open_csv, tmp_path, content, choices, message):
    """The error says what was found, and which flag settles it."""
    with pytest.raises(LayoutError) as error:
        open_csv(content(), **choices)
    assert str(error.value) == f"{tmp_path / 'a.csv'}{message}"


# Limits


@pytest.mark.parametrize(
    "name",
    ["1" * 5000, "pixel" + "1" * 5000, "1" * 5000 + "x1", "1" * 100_000 + "x"],
    ids=["number", "pixel", "cell", "number and letter"],
)
def test_names_with_long_numbers(open_csv, storage, name):
    """A column named with thousands of digits is skipped, and takes no longer than any other."""
    assert_reads(read_all(open_csv(csv_of(table().assign(**{name: 1}))), storage))


def test_a_head_of_bad_records(open_csv, monkeypatch):
    """No more records that cannot be split into fields are tried than good ones."""
    tried = []
    monkeypatch.setattr(
        first_records,
        "split_fields",
        lambda record, *rest, **how: tried.append(0) or split_fields(record, *rest, **how),
    )
    open_csv(csv_of(table(DIGITS[:3])) + '"a" b\n' * 1000)
    assert len(tried) <= 200
