"""Labels from text, from numbers and from categories mean the same."""

import pyarrow as pa
import pytest

from job.contract import NO_LABEL, Reason
from job.read.labels import BadRecord, byte_labels, parse_label, read_labels
from job.settings import LabelMap


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


@pytest.mark.parametrize("text", ["10", "-1", "1.5", "cat", "sevenn", "nan", "inf", "1_0", "1e400", "A" * 50])
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
            pa.array(["5", "cat", "10", "Seven"]),
            [5, -1, -1, 7],
            ["label is 'cat', expected 0-9", "label is '10', expected 0-9"],
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


@pytest.mark.parametrize("text", ["seven", "SEVEN", " Seven ", "7.0", " 7 ", "07", "'seven'"])
def test_the_names_of_digits_are_labels(text):
    """In English, in any case; and numbers in any form."""
    assert parse_label(text, "digit") == 7


TEN_FOR_ZERO = LabelMap("map.json", (("10", 0),))
FROM_1 = LabelMap("map.json", tuple(sorted((str(digit + 1), digit) for digit in range(10))))
WORDS = LabelMap("map.json", (("cat", 3),))


@pytest.mark.parametrize(
    ("label_map", "text", "digit"),
    [
        (TEN_FOR_ZERO, "10", 0),
        (TEN_FOR_ZERO, "10.0", 0),
        (TEN_FOR_ZERO, "9", 9),
        (FROM_1, "1", 0),
        (FROM_1, "10", 9),
        (WORDS, "CAT", 3),
        (WORDS, "7", 7),
        (WORDS, "", NO_LABEL),
    ],
)
def test_a_map_says_what_labels_mean(label_map, text, digit):
    """In text, in columns and in bytes alike; a digit that it does not mention keeps its meaning."""
    assert parse_label(text, "label", label_map=label_map) == digit
    assert read_labels(pa.array([text]), "label", label_map)[0].tolist() == [digit]
    if text.isdecimal():
        for column in (pa.array([int(text)]), pa.array([float(text)]), pa.array([int(text)]).dictionary_encode()):
            assert read_labels(column, "label", label_map)[0].tolist() == [digit]
        assert byte_labels(label_map)[int(text)] == digit


@pytest.mark.parametrize(("label_map", "text"), [(TEN_FOR_ZERO, "0"), (FROM_1, "0"), (FROM_1, "11"), (WORDS, "dog")])
def test_what_a_map_does_not_know_is_a_bad_label(label_map, text):
    """A digit, too, if the map gives its meaning to another label: it would have two."""
    with pytest.raises(BadRecord, match=r"expected a label that map\.json knows"):
        parse_label(text, "label", label_map=label_map)
    labels, rejects = read_labels(pa.array([None, text]), "label", label_map)
    assert (labels.tolist(), rejects[1].label) == ([-1, -1], text)
    if text.isdecimal():
        assert byte_labels(label_map)[int(text)] == -1
        assert read_labels(pa.array([int(text), None]), "label", label_map)[1][0].label == text
