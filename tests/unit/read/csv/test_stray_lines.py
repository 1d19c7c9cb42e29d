"""Lines inside the data that are no records: headers of joined files, and comments."""

import numpy as np
import pytest
from support.batches import read_all
from support.files import PIXEL_NAMES
from support.foreign_csv import DIGITS, FIRST, GRID, LAST, MARK, ROWS, csv_of, in_one_field, numbers, table

from job.contract import Reason
from job.errors import DataError

KAGGLE = csv_of(table())
HEADER = KAGGLE.partition("\n")[0]
TWICE = np.tile(DIGITS.pixels, (2, 1))


def assert_one_stray(batch, reason, row=40):
    """Fail unless one row is no record, and all other rows are the digits twice over."""
    assert [(each.row, each.reason) for each in batch.rejects] == [(row, reason)]
    np.testing.assert_array_equal(np.delete(batch.pixels, row, axis=0), TWICE)
    assert np.delete(batch.labels, row).tolist() == [*DIGITS.labels, *DIGITS.labels]
    assert batch.labels[row] == -1
    assert not batch.pixels[row].any()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (KAGGLE, KAGGLE),
        (KAGGLE, MARK.decode() + KAGGLE.replace("\n", "\r\n")),
        (KAGGLE, csv_of(table(), quoting=1)),
        (KAGGLE, KAGGLE.replace("\n", ",\n")),
        (KAGGLE, KAGGLE.replace("label", "Label")),
        (KAGGLE, csv_of(table(names=GRID))),
        (csv_of(table(names=GRID)), csv_of(table(names=GRID))),
        (numbers(FIRST), KAGGLE),
        (csv_of(table(), sep=";"), csv_of(table(), sep=";")),
        (csv_of(table().assign(note="a\nb")), csv_of(table().assign(note="c"))),
        (in_one_field(lambda image: " ".join(map(str, image))), in_one_field(lambda image: str(image.tolist()))),
    ],
    ids=[
        *("same", "mark and CRLF", "quoted", "trailing comma", "another case", "other names", "grid", "headerless"),
        *("semicolons", "text", "images as text"),
    ],
)
def test_the_header_again(open_csv, storage, first, second):
    """A header inside the data costs its own line, wherever parts begin, if the records below it mean the same."""
    for part_bytes in (10**9, 9_000):
        assert_one_stray(read_all(open_csv(first + second), storage, part_bytes=part_bytes), Reason.REPEATED_HEADER)


SHUFFLED = np.random.default_rng(1).permutation(PIXEL_NAMES).tolist()


@pytest.mark.parametrize(
    ("first", "second", "orders"),
    [
        (
            KAGGLE,
            csv_of(table(is_last=True)),
            "pixel0, pixel1, pixel2, .. label; above it: label, pixel0, pixel1, .. pixel783",
        ),
        (KAGGLE, csv_of(table()[["label", *SHUFFLED]]), "; above it: label, pixel0"),
        (KAGGLE, csv_of(table(label=None)), "pixel0, pixel1, pixel2, .. pixel783; above it: label, pixel0"),
        (csv_of(table(label=None)), KAGGLE, "label, pixel0, pixel1, .. pixel783; above it: pixel0"),
        (
            KAGGLE,
            csv_of(table().assign(id=ROWS)[["id", "label", *PIXEL_NAMES]]),
            "id, label, pixel0, .. pixel783; above",
        ),
        (numbers(LAST), KAGGLE, r"above it: 785 \(label \+ 784 pixels\)"),
        (KAGGLE, csv_of(table(is_last=True), quoting=1, lineterminator="\r\n"), ".. label; above it: label, pixel0"),
        (
            csv_of(table(names=GRID)),
            csv_of(table(names=[f"{column}x{row}" for row, column in (name.split("x") for name in GRID)])),
            "",
        ),
        (
            KAGGLE,
            csv_of(table(names=[f"feature_of_{name}_x" for name in PIXEL_NAMES])),
            "that are not understood",
        ),
        (
            in_one_field(lambda image: str(image.tolist())),
            in_one_field(lambda image: str(image.tolist()), columns=["image", "label", "id"]),
            "image, label, id; above it: label, image, id",
        ),
    ],
    ids=[
        *("label last", "shuffled", "no label", "label", "id", "headerless", "CRLF", "grid transposed", "unknown"),
        "images as text",
    ],
)
def test_a_header_in_another_order(open_csv, storage, first, second, orders):
    """What follows would be read by wrong positions: the run ends, and the error names the line and both orders."""
    for content, line in ((first + second, first.count("\n") + 1), (first * 3 + second, 3 * first.count("\n") + 1)):
        if content.startswith(first * 3) and not first[0].isdigit():
            continue
        for part_bytes in (10**9, 9_000):
            with pytest.raises(DataError, match=rf"a\.csv line {line}: column names.*{orders}"):
                read_all(open_csv(content), storage, part_bytes=part_bytes)


def test_other_kept_columns_are_another_order(open_csv, storage):
    """A column that is copied to the predictions must be where it was."""
    first = csv_of(table().assign(a=ROWS, b=ROWS))
    second = csv_of(table().assign(b=ROWS, a=ROWS))
    assert_one_stray(read_all(open_csv(first + second), storage), Reason.REPEATED_HEADER)
    with pytest.raises(DataError, match=r"line 42: column names in another order: .* \.\. a; above it: .* \.\. b"):
        read_all(open_csv(first + second, keep=("a",)), storage)


@pytest.mark.parametrize(
    ("second", "is_same"),
    [
        (KAGGLE, True),
        (csv_of(table(), quoting=1), True),
        (csv_of(table(is_last=True)), False),
        (csv_of(table(label=None)), False),
    ],
    ids=["same", "quoted", "label last", "no label"],
)
def test_a_header_behind_a_record(open_csv, storage, second, is_same):
    """Where the first of two joined files has no line end at its end, its last record is lost, and so rejected."""
    source = open_csv(KAGGLE.rstrip("\n") + second)
    if not is_same:
        with pytest.raises(DataError, match=r"a\.csv line 41: column names in another order"):
            read_all(source, storage)
        return
    batch = read_all(source, storage)
    assert [each.row for each in batch.rejects] == [39]
    assert not batch.rejects[0].reason.is_skipped
    np.testing.assert_array_equal(batch.pixels[40:], DIGITS.pixels)


@pytest.mark.parametrize(
    "comment", ["# half of them", "#", "  # indented", "% of MATLAB", "#7" + ",0" * 783, "#7" + ",0" * 784, "sep=,"]
)
def test_comments_between_records(open_csv, storage, comment):
    """They keep their row, and are counted apart from rejects; also a record that is commented out."""
    records = KAGGLE.removeprefix(HEADER + "\n")
    for part_bytes in (10**9, 9_000):
        batch = read_all(open_csv(f"{KAGGLE}{comment}\n{records}"), storage, part_bytes=part_bytes)
        assert_one_stray(batch, Reason.COMMENT_LINE)
    batch = read_all(open_csv(f"{KAGGLE}{records}{comment}"), storage)
    assert_one_stray(batch, Reason.COMMENT_LINE, row=80)


def test_a_mark_in_a_text_column_is_no_comment(open_csv, storage):
    """A bad record whose first column is text stays a reject."""
    content = csv_of(table().assign(id=[f"#{row}" for row in ROWS])[["id", "label", *PIXEL_NAMES]])
    batch = read_all(open_csv(content.replace("#3,", "#3,x").replace(",0\n#9", ",300\n#9")), storage)
    assert {each.reason for each in batch.rejects} == {Reason.BAD_LABEL, Reason.OUT_OF_RANGE}


def test_bad_records_are_not_taken_for_headers(open_csv, storage):
    """Records of words, of distinct numbers and of nothing are rejects."""
    records = [",".join(["NA"] * 785), ",".join(map(str, range(1000, 1785))), "," * 784, "7," + ",".join(["x"] * 784)]
    batch = read_all(open_csv(KAGGLE + "\n".join(records)), storage)
    assert len(batch.rejects) == 4
    assert not any(each.reason.is_skipped for each in batch.rejects)
