import gzip
import io
import logging

import numpy as np
import pandas as pd
import pytest
from support.batches import kept_rows, read_all
from support.files import PIXEL_NAMES, csv_lines, csv_text, make_digits

from job.contract import Reason
from job.errors import LayoutError
from job.read.csv import head, quoted
from job.read.csv.csv_source import csv_source
from job.read.csv.record import split_fields
from job.settings import ReadSettings

MARK = b"\xef\xbb\xbf"
GRID = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]
# As in MNIST, the corners are background.
DIGITS = make_digits(40, seed=5)
DIGITS.pixels[:, [0, 27, 756, 783]] = 0
TURNED = DIGITS.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
FEW = DIGITS[:3]


def table(digits=DIGITS, names=PIXEL_NAMES, label="label", *, is_last=False):
    """Pixels and labels as a data frame; without label if that is None."""
    frame = pd.DataFrame(digits.pixels, columns=list(names))
    if label is not None:
        frame.insert(784 if is_last else 0, label, digits.labels)
    return frame


def csv_of(frame, **how):
    """What pandas writes."""
    buffer = io.StringIO()
    frame.to_csv(buffer, **{"index": False, "lineterminator": "\n", **how})
    return buffer.getvalue()


def r_csv(digits=DIGITS, *, delimiter=",", decimal=".", quote='"', names=None, has_corner=True, scale=1):
    """What R's write.csv, write.csv2 and write.table write: quoted names, row names from "1"; numbers as they are."""
    names = names or ["label", *PIXEL_NAMES]
    corner = [""] if has_corner else []
    lines = [delimiter.join(f"{quote}{name}{quote}" for name in corner + list(names))]
    for row, (label, pixels) in enumerate(zip(digits.labels, digits.pixels, strict=True)):
        values = [f"{value / scale:.15g}".replace(".", decimal) for value in pixels.tolist()]
        lines.append(delimiter.join([f"{quote}{row + 1}{quote}", str(label), *values]))
    return "\n".join(lines) + "\n"


def numbers(array, form=str, delimiter=","):
    """Rows of numbers without a header."""
    return "".join(delimiter.join(form(value) for value in row) + "\n" for row in array.tolist())


def decimal_commas(array):
    """Rows of numbers without a header, as a spreadsheet of many European languages writes them."""
    return numbers(array, lambda value: str(value).replace(".", ","), ";")


def savetxt(array, **how):
    """What numpy.savetxt writes."""
    buffer = io.StringIO()
    np.savetxt(buffer, array, **how)
    return buffer.getvalue()


def beside(*columns):
    """Columns side by side."""
    return np.column_stack(columns)


ROWS = np.arange(len(DIGITS))
FIRST = beside(DIGITS.labels, DIGITS.pixels)
LAST = beside(DIGITS.pixels, DIGITS.labels)
FRACTIONS = DIGITS.pixels / 255

WILD = {
    # Kaggle
    "Kaggle's train.csv": csv_of(table()),
    "Kaggle's test.csv": (csv_of(table(label=None)), None),
    # OpenML
    "OpenML": csv_of(table(names=[f"pixel{n}" for n in range(1, 785)], label="class", is_last=True)),
    "OpenML, labels in double quotes": csv_of(table(label="class", is_last=True).astype({"class": str}), quoting=2),
    "OpenML, labels in single quotes": csv_of(
        table(label="class", is_last=True).assign(**{"class": [f"'{label}'" for label in DIGITS.labels]})
    ),
    "OpenML, names in single quotes": csv_of(table().rename(columns=lambda name: f"'{name}'")),
    # MNIST in CSV
    "MNIST in CSV": csv_of(table(names=GRID)),
    # Headerless
    "headerless, label first": numbers(FIRST),
    "headerless, label last": numbers(LAST),
    "headerless, no label": (numbers(DIGITS.pixels), None),
    "headerless, row numbers from 0 and label first": numbers(beside(ROWS, FIRST)),
    "headerless, row numbers from 1 and label last": numbers(beside(ROWS + 1, LAST)),
    "headerless, row numbers and no label": (numbers(beside(ROWS, DIGITS.pixels)), None),
    "headerless, quoted row numbers": csv_of(
        pd.DataFrame(FIRST, index=[str(row) for row in ROWS + 1]), header=False, index=True, quoting=2
    ),
    # Numbers and V1.. as names
    "pandas' names from 0 with the label first": csv_of(pd.DataFrame(FIRST)),
    "pandas' names from 0 with the label last": csv_of(pd.DataFrame(LAST)),
    "pandas' names from 0 with the label first and an index": csv_of(pd.DataFrame(FIRST), index=True),
    "R's names from V1 with the label first": csv_of(pd.DataFrame(FIRST, columns=[f"V{n}" for n in range(1, 786)])),
    "R's names from V1 with the label last": csv_of(pd.DataFrame(LAST, columns=[f"V{n}" for n in range(1, 786)])),
    # Spreadsheets and R
    "semicolons": csv_of(table(), sep=";"),
    "tabs": csv_of(table(), sep="\t"),
    "bars": csv_of(table(), sep="|"),
    "semicolons, headerless": csv_of(table(), sep=";", header=False),
    "tabs, headerless, label last": numbers(LAST, delimiter="\t"),
    "Excel's declaration of the delimiter": "sep=;\r\n" + csv_of(table(), sep=";", lineterminator="\r\n"),
    "CRLF": csv_of(table(), lineterminator="\r\n"),
    "byte order mark": MARK + csv_of(table(), sep=";").encode(),
    "everything quoted": csv_of(table(), quoting=1),
    "everything quoted, semicolons and CRLF": csv_of(table(), sep=";", quoting=1, lineterminator="\r\n"),
    "spaces around names and numbers": csv_of(table()).replace(",", " , "),
    "no newline at the end": csv_of(table()).rstrip("\n"),
    "blank lines": csv_of(table()).replace("\n", "\n\n"),
    "blank lines above": "\n\r\n" + csv_of(table()),
    "blank lines above, headerless": MARK + b"\n\n" + numbers(FIRST).encode(),
    "empty columns behind": csv_of(table()).replace("\n", ",,,\n"),
    "pandas' index": csv_of(table(), index=True),
    "pandas' index, saved twice": csv_of(pd.read_csv(io.StringIO(csv_of(table(), index=True))), index=True),
    "R's write.csv": r_csv(),
    "R's write.csv2": r_csv(delimiter=";"),
    "R's write.table": r_csv(delimiter=" ", has_corner=False),
    "R's write.table with a blank line at the end": r_csv(delimiter=" ", has_corner=False) + "\n",
    "R's write.table with tabs and without quotes": r_csv(delimiter="\t", has_corner=False, quote=""),
    "floats": csv_of(table().astype(float)),
    "floats with a decimal comma": csv_of(table().astype(float), sep=";", decimal=","),
    "floats, headerless": numbers(FIRST.astype(float)),
    "floats with a decimal comma, headerless, label last": decimal_commas(LAST.astype(float)),
    "floats with a decimal comma, headerless, row numbers": decimal_commas(beside(ROWS, FIRST).astype(float)),
    "floats with a decimal comma, names from 0 with the label last": csv_of(
        pd.DataFrame(LAST.astype(float)), sep=";", decimal=","
    ),
    "numpy's savetxt of integers": savetxt(FIRST, fmt="%d", delimiter=","),
    "numpy's savetxt as it comes": savetxt(FIRST),
    # Normalised
    "fractions": csv_of(table().astype(dict.fromkeys(PIXEL_NAMES, float)).assign(
        **dict(zip(PIXEL_NAMES, FRACTIONS.T, strict=True)))
    ),
    "fractions of single precision": (csv_of(pd.DataFrame(FRACTIONS.astype(np.float32), columns=PIXEL_NAMES)), None),
    "fractions of four decimals": (numbers(FRACTIONS, "{:.4f}".format), None),
    "fractions, headerless": numbers(beside(DIGITS.labels, FRACTIONS)),
    "fractions, headerless, label last": numbers(beside(FRACTIONS, DIGITS.labels)),
    "fractions by numpy's savetxt": savetxt(beside(DIGITS.labels, FRACTIONS)),
    "fractions by R's write.csv": r_csv(scale=255),
    "fractions by R's write.csv2, with a decimal comma": r_csv(delimiter=";", decimal=",", scale=255),
    "fractions with a decimal comma, headerless": numbers(
        beside(DIGITS.labels, FRACTIONS), lambda value: f"{value:g}".replace(".", ","), ";"
    ).replace("e-", "E-"),
}  # fmt: skip


@pytest.fixture(params=[False, True], ids=["plain", "compiled"])
def open_csv(request, storage, tmp_path):
    """Text or bytes as a CSV source."""

    def write(content, **choices):
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return csv_source(storage, storage.stat(str(path)), ReadSettings(**choices), is_compiled=request.param)

    return write


def assert_reads(batch, pixels=DIGITS.pixels, labels=DIGITS.labels):
    """Fail unless a batch holds these images, and nothing was rejected."""
    assert batch.rejects == ()
    np.testing.assert_array_equal(batch.pixels, pixels)
    np.testing.assert_equal(batch.labels, labels)


@pytest.mark.parametrize("found", WILD.values(), ids=WILD)
def test_every_dress_gives_the_same_images(open_csv, storage, found, caplog):
    """Whatever wrote the file, and however it is cut, its images and labels are the same uint8."""
    content, labels = found if isinstance(found, tuple) else (found, DIGITS.labels)
    with caplog.at_level(logging.WARNING):
        source = open_csv(content)
    assert caplog.records == []
    for part_bytes in (10_000, 10**9):
        assert_reads(read_all(source, storage, part_bytes=part_bytes, block_rows=7), labels=labels)


@pytest.mark.parametrize("name", ["semicolons", "OpenML", "fractions, headerless", "R's write.csv"])
def test_compression_changes_nothing(open_csv, storage, name):
    """A packed file is recognised like its content."""
    assert_reads(read_all(open_csv(gzip.compress(WILD[name].encode())), storage))


@pytest.mark.parametrize(
    "content",
    [
        csv_text(make_digits(0)) + "".join(f"{line}\n" for line in numbers(beside(DIGITS.labels, TURNED)).splitlines()),
        numbers(beside(DIGITS.labels, TURNED)),
        numbers(beside(TURNED, DIGITS.labels)),
        numbers(beside(DIGITS.labels, TURNED / 255)),
    ],
    ids=["header", "label first", "label last", "fractions"],
)
def test_transposed_images_are_turned(open_csv, storage, content):
    """With --transpose images stored column by column, as in EMNIST, come out row by row."""
    assert_reads(read_all(open_csv(content, is_transposed=True), storage))


# Scale


def test_scale_is_told_and_recorded(open_csv, caplog):
    """That pixels were taken for fractions stands in the log; the source knows its scale."""
    with caplog.at_level(logging.INFO):
        assert open_csv(WILD["fractions"]).scale == "1"
        assert open_csv(WILD["floats"]).scale == "255"
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "taken as 0-1 (--scale 1)" in record.getMessage()


def test_only_noughts_and_ones_are_no_fractions(open_csv, storage):
    """Black and white images of 0 and 1 stay what they are, unless the user says that 1 is full ink."""
    content = numbers(beside(DIGITS.labels, DIGITS.pixels > 0).astype(int))
    assert open_csv(content).scale == "255"
    assert_reads(read_all(open_csv(content), storage), pixels=DIGITS.pixels > 0)
    assert_reads(read_all(open_csv(content, scale="1"), storage), pixels=(DIGITS.pixels > 0) * 255)


def test_scale_of_the_users_word(open_csv, storage):
    """A scale that was said holds against what the first records show."""
    batch = read_all(open_csv(WILD["fractions"], scale="255"), storage)
    assert {reject.reason for reject in batch.rejects} == {Reason.NOT_AN_INTEGER}
    batch = read_all(open_csv(WILD["Kaggle's train.csv"], scale="1"), storage)
    assert {reject.reason for reject in batch.rejects} == {Reason.OUT_OF_RANGE}
    assert batch.rejects[0].detail.endswith(", expected 0-1")


def test_value_above_full_ink_is_rejected(open_csv, storage):
    """In a file of fractions a value above 1 costs its record, wherever it stands."""
    lines = numbers(beside(np.tile(DIGITS.labels, 3), np.tile(FRACTIONS, (3, 1)))).splitlines()
    lines[110] = lines[110].rpartition(",")[0] + ",1.5"
    batch = read_all(open_csv("\n".join(lines)), storage)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (110, Reason.OUT_OF_RANGE, "column 785 is 1.5, expected 0-1")
    ]


def test_value_far_above_full_ink_is_rejected_quietly(open_csv, storage):
    """A value that overflows where it is taken times 255 costs its record and no warning of NumPy's."""
    lines = numbers(beside(DIGITS.labels, FRACTIONS)).splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",1e308"
    batch = read_all(open_csv("\n".join(lines), scale="1"), storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [(3, Reason.OUT_OF_RANGE)]


def test_a_point_is_no_decimal_comma(open_csv, storage):
    """Where fractions have a comma, a point may separate thousands, and is not taken for anything else."""
    lines = WILD["floats with a decimal comma"].splitlines()
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
def test_label_is_where_the_values_say(open_csv, caplog, labels, corner, side):
    """Labels are digits, most of them not 0; the corner of an image is nearly always background."""
    middle = [",".join(["0"] * 783)] * len(labels)
    columns = (labels, middle, corner) if side == "first" else (corner, middle, labels)
    with caplog.at_level(logging.WARNING):
        source = open_csv("\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True)))
    assert source.layout.label_field == (0 if side == "first" else 784)
    assert caplog.records == []


@pytest.mark.parametrize(("first", "last"), [([3, 4], [5, 6]), ([0, 0], [0, 0]), ([0, 0, 0], [0, 0, 1])])
def test_label_that_could_be_on_either_side(open_csv, caplog, first, last):
    """Where the values leave it open the label is the first column, as is usual, and a warning says so."""
    content = "\n".join(f"{left}{',0' * 783},{right}" for left, right in zip(first, last, strict=True))
    with caplog.at_level(logging.WARNING):
        assert open_csv(content).layout.label_field == 0
    assert "do not tell whether the label is column 1 or 785" in caplog.text
    caplog.clear()
    assert open_csv(content, label_column="785").layout.label_field == 784
    assert open_csv(content, is_label_ignored=True).layout.label_field is None
    assert caplog.records == []


def test_ten_digits_in_order_are_labels(open_csv):
    """A headerless sample of one digit of each class has labels 0 to 9, not row numbers; eleven rows count rows."""
    rows = [f"{row}{',0' * 400},9{',0' * 383}" for row in range(11)]
    assert open_csv("\n".join(rows[:10])).layout.label_field == 0
    assert open_csv("\n".join(rows)).layout.label_field is None


def test_no_label_passes_over_the_label_on_its_side(open_csv, storage):
    """--no-label leaves the label's column out, also where that is the last."""
    assert_reads(read_all(open_csv(WILD["headerless, label last"], is_label_ignored=True), storage), labels=None)
    content = WILD["pandas' names from 0 with the label last"]
    assert_reads(read_all(open_csv(content, is_label_ignored=True), storage), labels=None)


@pytest.mark.parametrize(("column", "content"), [("785", LAST), ("1", FIRST), ("786", beside(ROWS, LAST))])
def test_label_by_number(open_csv, storage, column, content):
    """Without a header the label may be given by its number from 1."""
    assert_reads(read_all(open_csv(numbers(content), label_column=column), storage))


# What is refused


@pytest.mark.parametrize(
    ("content", "choices", "message"),
    [
        (
            csv_of(table()), {"label_column": "lable"},
            ": has no column 'lable'; found 785 columns (label, pixel0, pixel1, .. pixel783); did you mean 'label'?",
        ),
        (
            csv_of(table().assign(id=ROWS)), {"keep": ("idd",)},
            ": has no column 'idd'; found 786 columns (label, pixel0, pixel1, .. id); did you mean 'id'?",
        ),
        (
            csv_of(table()), {"keep": ("file",)},
            ": has no column 'file'; found 785 columns (label, pixel0, pixel1, .. pixel783)",
        ),
        (
            numbers(FIRST), {"keep": ("id",)},
            ": has no header, so there is no column 'id'; leave --keep out",
        ),
        (
            numbers(FIRST), {"label_column": "label"},
            (": has no header, so there is no column 'label'; give the label's number, --label-column 1 to 785, "
            "or leave it out"),
        ),
        (
            csv_of(pd.DataFrame(np.zeros((3, 785), int))), {},
            (": found 785 numbered columns (0 .. 784), of which one must be the label; "
            "say which: --label-column 0 or --label-column 784"),
        ),
        (
            numbers(beside(ROWS + 5000, DIGITS.pixels)), {},
            (": has no header and 785 values in a record, but labels (0-9) are neither in column 1 nor in column 785; "
            "say where with --label-column N, or pass over column 1 with --no-label"),
        ),
        (
            numbers(beside(ROWS + 5000, FIRST)), {},
            (": has no header and 786 values in its first line; expected 784 (pixels) or 785 (label + 784 pixels), "
            "or in front of these the row numbers 0, 1, 2, .. or 1, 2, 3, .."),
        ),
        (
            "name;age\nx;3\n", {},
            ": found 2 columns (name, age); expected 784 numbered pixel columns such as pixel0..pixel783 or 1x1..28x28",
        ),
    ],
    ids=["label misspelt", "keep misspelt", "nothing close", "keep without names", "name without names",
         "numbered, all zero", "no label on either side", "row numbers from 5000", "other table"],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(open_csv, tmp_path, content, choices, message):
    """The message says what was found, and which flag settles it."""
    with pytest.raises(LayoutError) as error:
        open_csv(content, **choices)
    assert str(error.value) == f"{tmp_path / 'a.csv'}{message}"


@pytest.mark.parametrize("label", ["0", "784"])
def test_the_flag_that_was_named_settles_it(open_csv, label):
    """Following the advice of the message gives a layout."""
    content = csv_of(pd.DataFrame(np.zeros((3, 785), int)))
    assert open_csv(content, label_column=label).layout.label_field == int(label)


@pytest.mark.parametrize("name", ["1" * 5000, "pixel" + "1" * 5000, "1" * 5000 + "x1", "1" * 100_000 + "x"])
def test_name_with_a_long_number_is_only_a_name(open_csv, storage, name):
    """A column called by thousands of digits is passed over, and takes no longer than any other."""
    assert_reads(read_all(open_csv(csv_of(table().assign(**{name: 1}))), storage))


def test_head_of_bad_records_is_looked_at_no_longer_than_another(open_csv, monkeypatch):
    """However many records cannot be split into fields, no more of them are looked at than of good ones."""
    looks = []
    monkeypatch.setattr(
        head, "split_fields", lambda record, delimiter: looks.append(0) or split_fields(record, delimiter)
    )
    open_csv(csv_of(table(FEW)) + '"a" b\n' * 1000)
    assert len(looks) <= 200


# Text


NOTES = ["", "plain", "a, b", 'say "7"', "two\nlines", "three\r\nlines\n", " padded ", "Zürich", "1", "\n"]
TEXT = DIGITS[: len(NOTES)]


@pytest.fixture
def small_window(monkeypatch):
    """A window of few records, so that small files are read in many steps."""
    monkeypatch.setattr("job.read.csv.csv_source._BUFFER_BYTES", 32768)
    monkeypatch.setattr("job.read.csv.csv_source._REFILL_BELOW_BYTES", 16384)
    monkeypatch.setattr(quoted, "QUOTE_REACH_BYTES", 8192)


def with_notes(notes=NOTES, **how):
    """A file of text beside the digits, as pandas writes it."""
    return csv_of(table(TEXT[: len(notes)]).assign(note=notes), **how)


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("how", [{}, {"sep": ";"}, {"sep": "\t", "quoting": 1}, {"lineterminator": "\r\n"}])
@pytest.mark.parametrize("block_rows", [1, 3, 1000])
def test_quotes_in_a_file_of_text_hold_anything(open_csv, storage, how, block_rows):
    """Delimiters, quotes and line ends within quotes are text, and come through as they were."""
    source = open_csv(with_notes(**how), keep=("note",))
    assert len(source.spans(1)) == 1
    batch = read_all(source, storage, block_rows=block_rows)
    assert_reads(batch, TEXT.pixels, TEXT.labels)
    assert kept_rows(batch) == [(note,) for note in NOTES]


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("block_rows", [1, 3, 1000])
def test_lines_are_counted_through_quotes(open_csv, storage, block_rows):
    """A reject's line and byte are where its record begins, counting the lines inside quoted fields."""
    content = with_notes() + "x\n\n" + csv_lines(TEXT[:1])[0] + ',"two\nlines"\ny\n'
    batch = read_all(open_csv(content), storage, block_rows=block_rows)
    places = [content.encode().index(text) for text in (b"x\n\n", b"y\n")]
    lines = [content.encode()[:place].count(b"\n") + 1 for place in places]
    assert [(each.row, each.line, each.byte_offset) for each in batch.rejects] == [
        (len(NOTES), lines[0], places[0]),
        (len(NOTES) + 2, lines[1], places[1]),
    ]
    assert batch.lines == content.count("\n")


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("stray", ['"stray', '"a" b', '"', '"a""'])
@pytest.mark.parametrize("is_last", [True, False])
def test_a_stray_quote_costs_its_own_line(open_csv, storage, stray, is_last):
    """A quote that does not close properly takes no other record with it."""
    lines = [f"{line},note" for line in csv_lines(TEXT)]
    lines[4] = lines[4].removesuffix("note") + stray
    if not is_last:
        lines[7] = lines[7].removesuffix("note") + '"fine, too"'
    content = "\n".join([",".join(["label", *PIXEL_NAMES, "note"]), *lines])
    batch = read_all(open_csv(content, keep=("note",)), storage)
    assert [(each.row, each.line, each.reason) for each in batch.rejects] == [(4, 6, Reason.MALFORMED_QUOTES)]
    rest = [row for row in range(len(TEXT)) if row != 4]
    np.testing.assert_array_equal(batch.pixels[rest], TEXT.pixels[rest])
    assert kept_rows(batch)[4] == (None,)


def test_quoted_text_of_more_than_a_mebibyte(open_csv, storage):
    """A record that ends properly but is over-long is one reject, and the next record follows it."""
    notes = ["short", "long\n" * 300_000, "short"]
    batch = read_all(open_csv(with_notes(notes), keep=("note",)), storage)
    assert [(each.row, each.line, each.reason) for each in batch.rejects] == [(1, 3, Reason.OVER_LONG_RECORD)]
    np.testing.assert_array_equal(batch.pixels[[0, 2]], TEXT.pixels[[0, 2]])
    assert kept_rows(batch) == [("short",), (None,), ("short",)]
    assert batch.lines == 4 + 300_000


def test_a_file_of_numbers_has_a_record_on_each_line(open_csv, storage):
    """Beside numbers there is nothing that could hold a line end: an unbalanced quote costs its line, in any part."""
    lines = csv_lines(DIGITS)
    lines[2] = '"' + lines[2]
    source = open_csv("\n".join(lines))
    assert len(source.spans(10_000)) > 1
    for part_bytes in (10_000, 10**9):
        batch = read_all(source, storage, part_bytes=part_bytes)
        assert [(each.row, each.reason) for each in batch.rejects] == [(2, Reason.MALFORMED_QUOTES)]


# Kept columns


def test_kept_columns_come_in_the_users_order(open_csv, storage):
    """Any columns may be kept, also pixels and the label, in the order asked for, as they are written."""
    frame = table(FEW).assign(id=[7, 8, 9], file=["a.png", "b, c.png", "d.png"])
    source = open_csv(csv_of(frame), keep=("file", "pixel5", "id"))
    assert source.kept_schema.names == ["file", "pixel5", "id"]
    batch = read_all(source, storage)
    expected = zip(frame["file"], frame["pixel5"].astype(str), frame["id"].astype(str), strict=True)
    assert kept_rows(batch) == list(expected)


def test_kept_columns_of_rejected_records(open_csv, storage):
    """A rejected record keeps its columns, unless its fields cannot be told apart."""
    lines = [f"{line},{row:03}" for row, line in enumerate(csv_lines(DIGITS))]
    lines[1] = "7" + ",x" * 784 + ",bad pixel"
    lines[2] = "12" + ",0" * 784 + ",bad label"
    lines[3] = "too,few"
    lines[4] = lines[4] + ",many"
    lines[5] = lines[5] + '"'
    content = "\n".join([",".join(["label", *PIXEL_NAMES, "id"]), *lines])
    batch = read_all(open_csv(content, keep=("id",)), storage, block_rows=3)
    kept = [each for (each,) in kept_rows(batch)]
    assert kept[:7] == ["000", "bad pixel", "bad label", None, None, '005"', "006"]
    assert [each.row for each in batch.rejects] == [1, 2, 3, 4]


def test_without_keep_nothing_is_kept(open_csv, storage):
    """A source that keeps nothing has no kept columns."""
    source = open_csv(csv_of(table(FEW)))
    assert source.kept_schema.names == []
    assert read_all(source, storage).kept is None
