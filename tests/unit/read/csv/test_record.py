"""The slow parser: what every field and record means."""

from dataclasses import replace

import numpy as np
import pytest

from job.contract import Reason
from job.read.csv.record import MAX_RECORD_BYTES, _parse_together, _pixel, check_count, parse_pixels, split_fields
from job.read.labels import BadRecord
from job.read.layout.names import from_names, without_names
from job.settings import ReadSettings

LAYOUT = without_names(785, ReadSettings(), "a.csv")


def _fields(**changes):
    """A label and 784 zeros, with some fields replaced by number: f12="x"."""
    fields = ["7"] + ["0"] * 784
    for name, text in changes.items():
        fields[int(name[1:])] = text
    return fields


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (b"1,2,3", ["1", "2", "3"]),
        (b"1", ["1"]),
        (b",,", ["", "", ""]),
        (b" 1 , 2", [" 1 ", " 2"]),
        (b'"1","2"', ["1", "2"]),
        (b'1,"a,b",2', ["1", "a,b", "2"]),
        (b'"say ""7""",2', ['say "7"', "2"]),
        (b'"",2', ["", "2"]),
        ("Zürich,数".encode(), ["Zürich", "数"]),
        (b"a\x00b,1", ["a\x00b", "1"]),
        (b'a\x00b,"1"', ["a\x00b", "1"]),
    ],
)
def test_fields_of_a_record(record, fields):
    """Commas separate fields; inside quotes are commas and doubled quotes (RFC 4180)."""
    assert split_fields(record) == fields


@pytest.mark.parametrize("record", [b'1,"2', b'"1,2', b'1,"2"3', b'"1" ,2', b'"', b'1,2\r,"3"'])
def test_quotes_that_do_not_match(record):
    """A quote that is not closed, or is closed before its field ends, makes the record bad."""
    with pytest.raises(BadRecord) as error:
        split_fields(record)
    assert error.value.reason is Reason.MALFORMED_QUOTES
    assert error.value.detail.startswith("quotes do not match: ")


@pytest.mark.parametrize(("record", "position"), [(b"\xff,1", 1), (b"1,\xe9", 3), ("1,é".encode()[:-1], 3)])
def test_bytes_that_are_not_text(record, position):
    """In a file of UTF-8, the error has the position of the byte that is not UTF-8, counted from 1."""
    with pytest.raises(BadRecord) as error:
        split_fields(record, encoding="utf-8")
    assert error.value.reason is Reason.UNDECODABLE_TEXT
    assert error.value.detail == f"byte {position} of the record is not UTF-8"


def test_a_record_of_windows_1252():
    """In a file that is not known to be UTF-8, only bytes without a character make a record bad."""
    assert split_fields("Größe,€".encode("cp1252")) == ["Größe", "€"]
    assert split_fields("Größe,€".encode()) == ["Größe", "€"]
    with pytest.raises(BadRecord, match="byte 3 of the record is not UTF-8 or Windows-1252"):
        split_fields(b"a,\x81")


@pytest.mark.parametrize("quote", [b"", b'"'], ids=["plain", "quoted"])
def test_longest_record(quote):
    """A record of a mebibyte is read, quoted or not; one byte more is over-long."""
    record = quote + b"x" * (MAX_RECORD_BYTES - 2 - 2 * len(quote)) + quote + b",1"
    assert len(record) == MAX_RECORD_BYTES
    assert split_fields(record)[1] == "1"
    with pytest.raises(BadRecord) as error:
        split_fields(record + b"0")
    assert error.value.reason is Reason.OVER_LONG_RECORD
    assert error.value.detail == "more than 1048576 bytes without a line end"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("255", 255),
        ("7.0", 7),
        ("7.", 7),
        ("1e2", 100),
        ("2.5e1", 25),
        ("+5", 5),
        ("-0", 0),
        ("-0.0", 0),
        ("007", 7),
        (" 7 ", 7),
        ("\t7", 7),
        ("255.0", 255),
    ],
)
def test_pixel_values(text, value):
    """A whole number from 0 to 255 is a pixel, however it is written."""
    pixels = parse_pixels(_fields(f5=text), LAYOUT)
    assert pixels[4] == value
    assert pixels.dtype == np.uint8
    assert pixels.sum() == value


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("", Reason.MISSING_VALUE, "column 6 is empty, expected 0-255"),
        ("  ", Reason.MISSING_VALUE, "column 6 is empty, expected 0-255"),
        ("x", Reason.NOT_A_NUMBER, "column 6 is 'x', expected 0-255"),
        ("0x1F", Reason.NOT_A_NUMBER, "column 6 is '0x1F', expected 0-255"),
        ("1_000", Reason.NOT_A_NUMBER, "column 6 is '1_000', expected 0-255"),
        ("1_0", Reason.NOT_A_NUMBER, "column 6 is '1_0', expected 0-255"),
        ("NaN", Reason.NOT_A_NUMBER, "column 6 is 'NaN', expected 0-255"),
        ("inf", Reason.NOT_A_NUMBER, "column 6 is 'inf', expected 0-255"),
        ("-Infinity", Reason.NOT_A_NUMBER, "column 6 is '-Infinity', expected 0-255"),
        ("1 2", Reason.NOT_A_NUMBER, "column 6 is '1 2', expected 0-255"),
        ("\x00", Reason.NOT_A_NUMBER, "column 6 is '\\x00', expected 0-255"),
        ("256", Reason.OUT_OF_RANGE, "column 6 is 256, expected 0-255"),
        ("-1", Reason.OUT_OF_RANGE, "column 6 is -1, expected 0-255"),
        ("1e300", Reason.OUT_OF_RANGE, "column 6 is 1e300, expected 0-255"),
        ("-0.5", Reason.OUT_OF_RANGE, "column 6 is -0.5, expected 0-255"),
        ("0.5", Reason.NOT_AN_INTEGER, "column 6 is 0.5, expected a whole number 0-255"),
        ("x" * 1000, Reason.NOT_A_NUMBER, f"column 6 is '{'x' * 40}', expected 0-255"),
        ("9" * 300, Reason.OUT_OF_RANGE, f"column 6 is {'9' * 40}, expected 0-255"),
    ],
)
def test_values_that_are_not_pixels(text, reason, detail):
    """They are rejected with the column, the value shortened to a readable length, and what was expected."""
    with pytest.raises(BadRecord) as error:
        parse_pixels(_fields(f5=text), LAYOUT)
    assert (error.value.reason, error.value.detail, error.value.column) == (reason, detail, "column 6")


@pytest.mark.parametrize(
    ("count", "reason"), [(1, Reason.TOO_FEW_FIELDS), (784, Reason.TOO_FEW_FIELDS), (786, Reason.TOO_MANY_FIELDS)]
)
def test_ragged_records(count, reason):
    """A record with another number of fields than the layout is rejected with both numbers."""
    with pytest.raises(BadRecord) as error:
        check_count(["0"] * count, LAYOUT)
    assert error.value.reason is reason
    assert error.value.detail == f"{count} values, expected 785 (label + 784 pixels)"
    assert error.value.column is None


def test_the_leftmost_bad_field_is_named():
    """Whatever the order of the pixels."""
    names = [f"pixel{number}" for number in reversed(range(784))]
    layout = from_names(names, ReadSettings(), "a.csv")
    fields = ["0"] * 784
    fields[3], fields[700] = "x", "y"
    with pytest.raises(BadRecord) as error:
        parse_pixels(fields, layout)
    assert error.value.column == "pixel780"


def test_columns_in_any_order():
    """Pixels come out row-major, also if fields are parsed one by one."""
    names = [f"pixel{number}" for number in reversed(range(784))]
    layout = from_names(names, ReadSettings(), "a.csv")
    values = [number % 256 for number in reversed(range(784))]
    expected = np.arange(784) % 256
    np.testing.assert_array_equal(parse_pixels([str(value) for value in values], layout), expected)
    np.testing.assert_array_equal(parse_pixels([f"{value}.0" for value in values], layout), expected)


FRACTIONS = replace(LAYOUT, pixel_scale="1")
COMMAS = replace(LAYOUT, delimiter=";", decimal=",")
TEXTS = [
    "0", "1", "0.0", "1.0", "0.5", "1e-3", "0.001953125", "0.00196", "1.0000001", "-0", "-0.0", "-1e-9", "nan", "inf",
    "1_0", "", " ", " 1 ", "255", "255.0", "256", "7,0", "0,5", "1.000", "x", "\u0661", "\n1\n", "1e400",
]  # fmt: skip


def _outcome(function, *arguments):
    """What a function returns, or the error that it raises."""
    try:
        return function(*arguments)
    except BadRecord as error:
        return error.reason, error.detail, error.column


@pytest.mark.parametrize("layout", [LAYOUT, FRACTIONS, COMMAS, replace(COMMAS, pixel_scale="1")])
def test_fields_parsed_together_or_one_by_one(layout):
    """Whether a record's fields are parsed together changes neither values nor errors."""
    for text in TEXTS:
        together, alone = _outcome(parse_pixels, _fields(f5=text), layout), _outcome(_pixel, text, layout, "column 6")
        if isinstance(alone, int):
            assert together.dtype == np.uint8, text
            assert together[4] == alone, text
        else:
            assert together == alone, text
            assert _parse_together([text] * 3, layout) is None, text


@pytest.mark.parametrize("form", ["{}", "{:.6g}", "{:.4f}", "{:.8e}"])
def test_fractions_become_the_pixels_they_came_from(form):
    """A pixel divided by 255 and written with at least four digits is read as the same pixel."""
    fields = ["7"] + [form.format(field % 256 / 255) for field in range(784)]
    np.testing.assert_array_equal(parse_pixels(fields, FRACTIONS), np.arange(784) % 256)


def test_fields_of_other_delimiters():
    """Inside quotes is any delimiter, as a comma is."""
    assert split_fields(b'1;2,5;"a;b"', ";") == ["1", "2,5", "a;b"]
    assert split_fields(b"1\t2,5", "\t") == ["1", "2,5"]


def test_fields_with_line_ends_in_quotes():
    """A record may hold line ends inside its quotes."""
    assert split_fields(b'1,"a\r\nb\n",2') == ["1", "a\r\nb\n", "2"]
