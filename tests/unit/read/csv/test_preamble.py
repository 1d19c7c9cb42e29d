"""What may stand above a table, and text that is no table of digits."""

import pytest
from support.batches import read_all
from support.files import PIXEL_NAMES
from support.foreign_csv import DIGITS, FIRST, arff, csv_of, in_one_field, numbers, table

from job.errors import DataError, LayoutError

KAGGLE = csv_of(table())


@pytest.mark.parametrize("title", ["My digits", "a,b,c", "1,2,3", "My digits" + "," * 784])
def test_a_line_above_records_without_a_header_is_not_skipped(open_csv, title):
    """It might be a record that was cut off: the error names the line."""
    with pytest.raises(LayoutError, match=r"a\.csv line 2: .* is neither a header nor a record like line 3; remove it"):
        open_csv("\n" + title + "\n" + numbers(FIRST))


def test_a_skipped_title_is_logged(open_csv, caplog):
    """The log says what was skipped."""
    caplog.set_level("INFO")
    open_csv("My digits\n\nof 2024\n" + KAGGLE)
    assert "a.csv: skipped what stands above the header in line 4: 'My digits'" in caplog.text


def test_a_title_above_images_as_text(open_csv, storage):
    """The header below it has few names, and is known by the image below that."""
    content = in_one_field(lambda image: str(image.tolist()))
    for above in ("My digits\n", "# digits\n"):
        assert read_all(open_csv(above + content), storage).pixels.tolist() == DIGITS.pixels.tolist()


def test_numbers_in_a_comment_are_no_header(open_csv):
    """A record that was commented out, above a headerless file."""
    assert open_csv("#" + numbers(FIRST)).layout.names is None
    assert open_csv(f"# old: {','.join(PIXEL_NAMES)}\n{KAGGLE}").layout.names == ("label", *PIXEL_NAMES)


REFUSED = {
    "JSON lines": ('{"label": 7, "pixels": [0, 0]}\n', "is JSON, which is not read"),
    "JSON of Postgres": ('[{"label": 7, "pixels": [0, 0]}]\n', "is JSON, which is not read"),
    "JSON over lines": ('{\n  "label": 7,\n "pixels": [0]\n}\n', "is JSON, which is not read"),
    "libsvm": ("7 203:84 204:185\n0 1:3\n", "is libsvm text"),
    "libsvm, blank first": ("7\n+1 203:84.5 204:1e-3 # 3\n-1 1:1\n", "is libsvm text"),
    "256 columns": (csv_of(table().iloc[:, :256]), "found 256 columns .* holds only 256 columns has cut off the rest"),
    "256 values": (
        numbers(FIRST[:, :256]),
        "256 values in its first line.* holds only 256 columns has cut off the rest",
    ),
    "printed by pandas": (
        str(table().iloc[:, [0, 1, 2]].assign(**{"...": "..."})),
        "pandas left out; write the file with",
    ),
    "sparse ARFF": (arff("{3 5, 784 7}\n"), "is a sparse ARFF file"),
    "ARFF without data": (arff().partition("@DATA")[0], "is an ARFF file without @data"),
    "comments alone": ("# a\n# b\n", "is empty"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_other_text(open_csv, content, message):
    """The error says what it is."""
    with pytest.raises(LayoutError, match=message):
        open_csv(content)


def test_damaged_utf_16(open_csv, storage):
    """A file that was cut, or is not what its mark says, is refused wherever that is."""
    content = KAGGLE.encode("utf-16")
    with pytest.raises(DataError, match=r"a\.csv: is damaged or truncated: it is not UTF-16"):
        read_all(open_csv(content[:-1]), storage)
