"""Labels from text, from numbers and from categories mean the same."""

import pyarrow as pa
import pytest

from job.contract import Reason
from job.read.labels import BadRecord, parse_label, read_labels


@pytest.mark.parametrize(
    ("text", "label"),
    [
        *(("0", 0), ("9", 9), ("7.0", 7), (" 3 ", 3), ("09", 9), ("-0", 0), ("", -1), (" ", -1)),
        *(("'5'", 5), (" '5' ", 5)),
    ],
)
def test_a_whole_number_from_0_to_9_is_a_label(text, label):
    """An empty field is no label; OpenML's files, which come from ARFF, have apostrophes around theirs."""
    assert parse_label(text, "digit") == label


@pytest.mark.parametrize("text", ["10", "-1", "1.5", "seven", "nan", "inf", "1_0", "1e400", "A" * 50])
def test_any_other_text_is_a_bad_label(text):
    """The error names the column, and does not cost the record its prediction."""
    with pytest.raises(BadRecord) as error:
        parse_label(text, "digit")
    assert error.value.reason is Reason.BAD_LABEL
    assert not error.value.reason.is_fatal
    assert error.value.detail == f"digit is {text[:40]!r}, expected 0-9"
    assert error.value.column == "digit"


def test_a_label_with_a_decimal_comma():
    """It is written with the mark of its file."""
    assert parse_label("7,0", "digit", ",") == 7
    with pytest.raises(BadRecord):
        parse_label("7.0", "digit", ",")


@pytest.mark.parametrize(
    ("labels", "expected", "details"),
    [
        (pa.array(["5", " 7 ", "5.0"]), [5, 7, 5], []),
        (pa.array(["5", None, ""], pa.large_string()), [5, -1, -1], []),
        (
            pa.array(["5", "seven", "10"]),
            [5, -1, -1],
            ["label is 'seven', expected 0-9", "label is '10', expected 0-9"],
        ),
        (pa.array(["5", "9", "5"], pa.string_view()), [5, 9, 5], []),
        (pa.array(["5", None, "0"]).dictionary_encode(), [5, -1, 0], []),
        (pa.array([5, None, 77]).dictionary_encode(), [5, -1, -1], ["label is 77, expected 0-9"]),
        (pa.array([5, 2**64 - 1, 0], pa.uint64()), [5, -1, 0], [f"label is {2**64 - 1}, expected 0-9"]),
        (pa.array([0, 9, None]), [0, 9, -1], []),
        (pa.array([1.0, float("nan"), 3]), [1, -1, 3], []),
        (pa.array([10, 3, -1]), [-1, 3, -1], ["label is 10, expected 0-9", "label is -1, expected 0-9"]),
        (pa.array([1.5, 2, 3]), [-1, 2, 3], ["label is 1.5, expected 0-9"]),
        (pa.array([2**40, 2, 3]), [-1, 2, 3], [f"label is {2**40}, expected 0-9"]),
        (pa.array([float("inf"), 2, 3]), [-1, 2, 3], ["label is inf, expected 0-9"]),
        (pa.array([None, None, None], pa.int8()), [-1, -1, -1], []),
    ],
    ids=[
        *("text", "no text", "other words", "views", "categories", "categories of numbers", "huge", "null", "NaN"),
        *("out of range", "fraction", "large", "infinite", "all null"),
    ],
)
def test_a_column_of_labels(labels, expected, details):
    """A missing label is none; any other than 0-9 is a bad label, with its row and column."""
    found, rejects = read_labels(labels, "label")
    assert found.tolist() == expected
    assert [(each.detail, each.reason, each.column) for each in rejects.values()] == [
        (detail, Reason.BAD_LABEL, "label") for detail in details
    ]
    assert all(expected[row] == -1 and reject.row == row for row, reject in rejects.items())
