"""What a number is in text, and what the values of a column say about it."""

import pytest

from job.read.layout.values import counts_rows, label_side, parse_number, unquoted


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0"], True),
        (["1"], True),
        (["0", "1", "2"], True),
        ([" 1", "2.0", "3"], True),
        (["2", "3"], False),
        (["0", "1", "3"], False),
        (["0", "1", "x"], False),
        (["0", "0"], False),
        ([], False),
    ],
)
def test_row_numbers(values, expected):
    """A column of row numbers counts by one, from 0 or 1 in the first record."""
    assert counts_rows(values) is expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("5041", "0000", "first"),
        ("5041", "0900", "first"),
        ("0001", "0000", "first"),
        ("0000", "0080", "either"),
        ("0000", "5041", "last"),
        ("0000", "5555", "last"),
        ("0900", "5041", "either"),
        ("5041", "5041", "either"),
        ("0000", "0000", "either"),
        (["5000", "5001"], "00", "neither"),
        (["30", "40"], "57", "last"),
        (["0", "0", "0", "0"], ["0", "0", "0", "37"], "first"),
        (["x", "5", "4", "1"], "0000", "first"),
        ("0000", ["5", "'4'", " 1 ", "oops"], "last"),
        (["", ""], "00", "first"),
        ("00", ["", ""], "last"),
    ],
)
def test_side_of_the_label(first, last, expected):
    """Labels are digits, mostly not 0, and the corner of an image is background; doubt is reported as such."""
    assert label_side(first, last) == expected


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        *(("7", ".", 7), (" 7.5 ", ".", 7.5), ("-1e2", ".", -100), ("7,5", ",", 7.5), ("7", ",", 7)),
        *(("7,5", ".", None), ("1.000", ",", None), ("nan", ".", None), ("inf", ".", None), ("1e400", ".", None)),
        *(("1_0", ".", None), ("٣", ".", None), ("", ".", None), ("x", ".", None)),
    ],
)
def test_numbers_in_text(text, decimal, value):
    """A number is finite, in ASCII digits, and has the decimal mark of its file."""
    assert parse_number(text, decimal) == value


@pytest.mark.parametrize(("text", "plain"), [(" 'a' ", "a"), ("'", "'"), ("''", ""), ("'a", "'a"), ("a", "a")])
def test_single_quotes(text, plain):
    """Those around a field are removed, if there is one on each side."""
    assert unquoted(text) == plain
