import pytest

from job.read.layout.values import counts_rows, label_side


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
def test_row_numbers_count_from_0_or_1(values, expected):
    """A column of row numbers goes up by one from the first record on."""
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
    """Labels are digits that are mostly not 0; the corner of an image is background; a doubt is called a doubt."""
    assert label_side(first, last) == expected
