"""Which columns are the pixels and the label, by name and by number."""

import re

import pytest

from job.errors import LayoutError
from job.read.layout.layout import Layout
from job.read.layout.names import LABEL_NAMES, describe_columns, from_names, without_names
from job.settings import ReadSettings

FIND, NONE = ReadSettings(), ReadSettings(is_label_ignored=True)
EXPECTED = "expected 784 numbered pixel columns such as pixel0..pixel783 or 1x1..28x28"
PIXELS = [f"pixel{number}" for number in range(784)]
GRID = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]


def _numbered(template, first=0):
    return [template.format(number) for number in range(first, first + 784)]


def _grid(template, first=1):
    cells = range(first, first + 28)
    return [template.format(row, column) for row in cells for column in cells]


NAMES = {
    "pixel from 0": PIXELS,
    "pixel from 1": _numbered("pixel{}", 1),
    "underscore": _numbered("pixel_{}"),
    "dot": _numbered("pixel.{}"),
    "leading zeros": _numbered("pixel{:03d}"),
    "p": _numbered("p{}"),
    "V of R": _numbered("V{}", 1),
    "numbers from 0": _numbered("{}"),
    "numbers from 1": _numbered("{}", 1),
    "size as prefix": _numbered("28x28_{}"),
    "grid from 1": GRID,
    "grid from 0": _grid("{}x{}", 0),
    "grid with underscore": _grid("{}_{}"),
    "grid with leading zeros": _grid("{:02d}x{:02d}"),
}


@pytest.mark.parametrize("pixel_names", NAMES.values(), ids=NAMES)
def test_pixels_by_name(pixel_names):
    """784 columns numbered under one prefix, or by row and column, are the pixels; the label may be anywhere."""
    for label in (None, 0, 400, 784):
        names = list(pixel_names)
        if label is not None:
            names.insert(label, "label")
        layout = from_names(names, FIND, "a.csv")
        assert layout.field_count == len(names)
        assert layout.label_field == label
        assert layout.pixel_fields == tuple(index for index in range(len(names)) if index != label)


def test_columns_in_any_order():
    """Pixels are found by their numbers, not by their positions."""
    names = ["id", *reversed(PIXELS), "label", "source"]
    layout = from_names(names, FIND, "a.csv")
    assert layout.pixel_fields == tuple(range(784, 0, -1))
    assert layout.label_field == 785


def test_grid_columns_in_any_order():
    """Columns named by row and column are put in row-major order."""
    columnwise = [f"{row}x{column}" for column in range(1, 29) for row in range(1, 29)]
    layout = from_names(columnwise, FIND, "a.csv")
    assert [columnwise[field] for field in layout.pixel_fields] == GRID


@pytest.mark.parametrize("name", [*LABEL_NAMES, "Label", "LABEL", " label ", "Y"])
def test_label_by_its_usual_names(name):
    """A column with one of the usual names, in upper or lower case, is the label."""
    assert from_names([*PIXELS, name], FIND, "a.csv").label_field == 784


@pytest.mark.parametrize("name", ["labels", "pixel", "id", "", "ylabel"])
def test_other_names_are_not_the_label(name):
    """A column with any other name is neither pixel nor label."""
    layout = from_names([name, *PIXELS], FIND, "a.csv")
    assert layout.label_field is None
    assert layout.expected == "785 (784 pixels + 1 other)"


def test_label_named_by_the_user():
    """It takes precedence over a usual name, and may be numbered like the pixels."""
    assert from_names(["label", "truth", *PIXELS], ReadSettings("truth"), "a.csv").label_field == 1
    numbered = from_names([str(number) for number in range(785)], ReadSettings("0"), "a.csv")
    assert numbered.label_field == 0
    assert numbered.pixel_fields == tuple(range(1, 785))


def test_no_label():
    """With --no-label, a column named `label` is skipped."""
    layout = from_names(["label", *PIXELS], NONE, "a.csv")
    assert layout.label_field is None
    assert layout.pixel_fields == tuple(range(1, 785))


@pytest.mark.parametrize("names", [PIXELS, GRID], ids=["numbered", "grid"])
def test_a_pixel_cannot_be_the_label(names):
    """There must be 784 pixels besides the label that the user names."""
    with pytest.raises(LayoutError):
        from_names(names, ReadSettings(names[100]), "a.csv")


@pytest.mark.parametrize(
    ("names", "choice", "message"),
    [
        (
            ["label", "y", *PIXELS],
            FIND,
            "a.csv: label, y could each be the label; say which with --label-column NAME or --no-label",
        ),
        (
            PIXELS,
            ReadSettings("truth"),
            "a.csv: has no column 'truth'; found 784 columns (pixel0, pixel1, pixel2, .. pixel783)",
        ),
        (["id", "id", *PIXELS], FIND, "a.csv: column 'id' appears 2 times; names must be unique"),
        ([*PIXELS, "pixel5"], FIND, "a.csv: column 'pixel5' appears 2 times; names must be unique"),
        (
            PIXELS[:-1],
            FIND,
            f"a.csv: found 783 columns (pixel0, pixel1, pixel2, .. pixel782); {EXPECTED}",
        ),
        (
            ["a", "b"],
            FIND,
            f"a.csv: found 2 columns (a, b); {EXPECTED}",
        ),
    ],
    ids=["two labels", "no such label", "twice", "pixel twice", "pixel short", "not digits"],
)
def test_error_messages(names, choice, message):
    """They say where, what was found, what was expected, and what to do."""
    with pytest.raises(LayoutError) as error:
        from_names(names, choice, "a.csv")
    assert str(error.value) == message


@pytest.mark.parametrize(
    "names",
    [
        [*PIXELS[:100], *PIXELS[101:], "pixel784"],
        _numbered("pixel{}", 2),
        [*PIXELS, "pixel784"],
        [*PIXELS, *_numbered("raw{}")],
        [*PIXELS, "pixel00"],
        [*GRID[:-1], "28x29"],
        [*GRID, "01x01"],
        [f"{row}x{column}" for row in range(1, 15) for column in range(1, 57)],
        _numbered("pixel{}a"),
    ],
    ids=["gap", "from 2", "one too many", "two sets", "number twice", "grid gap", "cell twice", "14x56",
         "letters after"],
)  # fmt: skip
def test_ambiguous_pixels_are_refused(names):
    """Numbers must have no gap, start at 0 or 1, and name each pixel once; nothing is guessed."""
    with pytest.raises(LayoutError, match=r"^a.csv: "):
        from_names(names, FIND, "a.csv")


def test_long_names_do_not_flood_the_message():
    """A line of text that is not a header is shortened."""
    with pytest.raises(LayoutError) as error:
        from_names(["x" * 5000, "y" * 5000, "1", "z" * 5000], FIND, "a.csv")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("count", "choice", "layout"),
    [
        (784, FIND, Layout(784, tuple(range(784)), None)),
        (784, NONE, Layout(784, tuple(range(784)), None)),
        (785, FIND, Layout(785, tuple(range(1, 785)), 0)),
        (785, NONE, Layout(785, tuple(range(1, 785)), None)),
    ],
)
def test_layout_without_names(count, choice, layout):
    """784 fields are pixels, 785 are a label and then pixels."""
    assert without_names(count, choice, "a.csv") == layout


@pytest.mark.parametrize("count", [1, 783, 786])
def test_other_counts_without_names(count):
    """Any other number of fields is refused without a header."""
    message = f"a.csv: has no header and {count} values in its first line; expected 784 (pixels) or 785"
    with pytest.raises(LayoutError, match=re.escape(message)):
        without_names(count, FIND, "a.csv")


@pytest.mark.parametrize("text", ["y", "0", "786", "-1", "1.0", "²"])
def test_label_column_without_names(text):
    """Without a header, --label-column takes a number from 1, and nothing else."""
    message = f"a.csv: has no header, so there is no column '{text}'; give the label's number, --label-column 1 to 785"
    with pytest.raises(LayoutError, match=re.escape(message)):
        without_names(785, ReadSettings(text), "a.csv")


@pytest.mark.parametrize("place", [0, 400, 784])
def test_label_column_by_number(place):
    """It is counted from 1."""
    layout = without_names(785, ReadSettings(str(place + 1)), "a.csv")
    assert layout.label_field == place
    assert layout.pixel_fields == tuple(field for field in range(785) if field != place)


@pytest.mark.parametrize(
    ("layout", "name", "expected"),
    [
        (without_names(784, FIND, ""), "column 1", "784 (784 pixels)"),
        (without_names(785, FIND, ""), "column 1", "785 (label + 784 pixels)"),
        (from_names(["y", "a", "b", *PIXELS], FIND, ""), "y", "787 (label + 784 pixels + 2 other)"),
    ],
)
def test_layouts_in_messages(layout, name, expected):
    """Fields are called by name or by number from 1, and a complete record by what it holds."""
    assert layout.column_name(0) == name
    assert layout.expected == expected


@pytest.mark.parametrize(
    ("pixels", "label", "others", "text"),
    [
        (PIXELS, None, [], "784 pixels (pixel0 .. pixel783)"),
        (PIXELS, "y", ["id"], "784 pixels (pixel0 .. pixel783) + label (y) + 1 skipped (id)"),
        (["image"], None, list("abcd"), "images (image) + 4 skipped (a, b, c, ..)"),
    ],
)
def test_description_of_columns(pixels, label, others, text):
    """It names the first and the last pixel, the label, and some of the skipped columns."""
    assert describe_columns(pixels, label, others) == text
