import re

import pytest

from job.errors import LayoutError
from job.read.layout.names import LABEL_NAMES, Layout, ReadSettings, from_names, without_names

FIND, NONE = ReadSettings(), ReadSettings(is_label_ignored=True)
EXPECTED = "expected 784 numbered pixel columns such as pixel0..pixel783 or 1x1..28x28"
PIXELS = [f"pixel{number}" for number in range(784)]
GRID = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]


def _numbered(template, first=0):
    return [template.format(number) for number in range(first, first + 784)]


def _grid(template, first=1):
    cells = range(first, first + 28)
    return [template.format(row, column) for row in cells for column in cells]


@pytest.mark.parametrize(
    "names",
    [
        PIXELS,
        _numbered("pixel{}", 1),
        _numbered("pixel_{}"),
        _numbered("pixel.{}"),
        _numbered("pixel{:03d}"),
        _numbered("p{}"),
        _numbered("V{}", 1),
        _numbered("{}"),
        _numbered("{}", 1),
        _numbered("28x28_{}"),
        GRID,
        _grid("{}x{}", 0),
        _grid("{}_{}"),
        _grid("{:02d}x{:02d}"),
    ],
    ids=lambda names: f"{names[0]} to {names[-1]}",
)
@pytest.mark.parametrize("label", [None, 0, 400, 784], ids=lambda place: f"label at {place}")
def test_pixels_by_name(names, label):
    """784 columns numbered under one prefix, or by row and column, are the pixels; the label may stand anywhere."""
    names = list(names)
    if label is not None:
        names.insert(label, "label")
    layout = from_names(names, FIND, "a.csv")
    assert layout.field_count == len(names)
    assert layout.label_field == label
    assert layout.pixel_fields == tuple(index for index in range(len(names)) if index != label)


def test_columns_may_stand_in_any_order():
    """Pixels are found by their numbers, not by their places."""
    names = ["id", *reversed(PIXELS), "label", "source"]
    layout = from_names(names, FIND, "a.csv")
    assert layout.pixel_fields == tuple(range(784, 0, -1))
    assert layout.label_field == 785


def test_grid_columns_may_stand_in_any_order():
    """A grid's columns are put in row-major order."""
    columnwise = [f"{row}x{column}" for column in range(1, 29) for row in range(1, 29)]
    layout = from_names(columnwise, FIND, "a.csv")
    assert [columnwise[field] for field in layout.pixel_fields] == GRID


@pytest.mark.parametrize("name", [*LABEL_NAMES, "Label", "LABEL", " label ", "Y"])
def test_label_by_its_usual_names(name):
    """A column with one of the usual names, in any case, is the label."""
    assert from_names([*PIXELS, name], FIND, "a.csv").label_field == 784


@pytest.mark.parametrize("name", ["labels", "pixel", "id", "", "ylabel"])
def test_other_columns_are_no_label(name):
    """A column of any other name is neither pixel nor label."""
    layout = from_names([name, *PIXELS], FIND, "a.csv")
    assert layout.label_field is None
    assert layout.expected == "785 (784 pixels + 1 other)"


def test_label_by_the_users_word():
    """A column named by the user is the label, also against a usual name, or a number beside the pixels'."""
    assert from_names(["label", "truth", *PIXELS], ReadSettings("truth"), "a.csv").label_field == 1
    numbered = from_names([str(number) for number in range(785)], ReadSettings("0"), "a.csv")
    assert numbered.label_field == 0
    assert numbered.pixel_fields == tuple(range(1, 785))


def test_no_label_by_the_users_word():
    """With --no-label a column named label is just another column."""
    layout = from_names(["label", *PIXELS], NONE, "a.csv")
    assert layout.label_field is None
    assert layout.pixel_fields == tuple(range(1, 785))


@pytest.mark.parametrize("names", [PIXELS, GRID], ids=["numbered", "grid"])
def test_label_cannot_be_a_pixel(names):
    """Without the column that the user names as the label there must still be 784 pixels."""
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
def test_messages_tell_what_was_found_and_expected(names, choice, message):
    """A layout that cannot be settled is refused with file, finding, expectation and remedy."""
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
         "letters behind"],
)  # fmt: skip
def test_ambiguous_pixels_are_not_guessed(names):
    """Where the numbers have a gap, do not start at 0 or 1, or name a pixel twice, nothing is taken for granted."""
    with pytest.raises(LayoutError, match=r"^a.csv: "):
        from_names(names, FIND, "a.csv")


def test_long_names_do_not_flood_the_message():
    """A line of text that is no header is cut before it is shown."""
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
    """Without a header 784 fields are pixels, and 785 are a label and then pixels."""
    assert without_names(count, choice, "a.csv") == layout


@pytest.mark.parametrize("count", [1, 783, 786])
def test_other_counts_without_names(count):
    """Any other number of fields cannot be understood without a header."""
    message = f"a.csv: has no header and {count} values in its first line; expected 784 (pixels) or 785"
    with pytest.raises(LayoutError, match=re.escape(message)):
        without_names(count, FIND, "a.csv")


@pytest.mark.parametrize("text", ["y", "0", "786", "-1", "1.0", "²"])
def test_label_column_without_names(text):
    """Where there are no names a label is given by its number from 1, and by nothing else."""
    message = f"a.csv: has no header, so there is no column '{text}'; give the label's number, --label-column 1 to 785"
    with pytest.raises(LayoutError, match=re.escape(message)):
        without_names(785, ReadSettings(text), "a.csv")


@pytest.mark.parametrize("place", [0, 400, 784])
def test_label_column_by_number(place):
    """Without a header the user says where the label stands by counting columns from 1."""
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
def test_layout_in_words(layout, name, expected):
    """Fields are called by name or by number from 1, and a whole record is described by what it holds."""
    assert layout.column_name(0) == name
    assert layout.expected == expected
