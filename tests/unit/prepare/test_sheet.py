"""`sheet`: pages of many digits -> the digits, in reading order, with their boxes."""

import numpy as np
import pytest
from support.sheets import compared, grey, sheet

from job.prepare.sheet import read_sheet
from job.train.data.rendered_sheet import BLUE_INK, PENCIL, YELLOWISH_PAPER

LIGHT_PENCIL = {"ink": PENCIL, "strength": 0.6}
PHOTO = {"light": 0.6, "shadow": 0.6, "blur": 0.8, "noise": 4, "quality": 60, "table": 0.04, "angle": 4}


@pytest.mark.parametrize(
    "look",
    [
        {"layout": "lined"},
        {"layout": "boxed"},
        {"layout": "unlined"},
        {"layout": "lined", "paper": "ruled"},
        {"layout": "unlined", "paper": "squared"},
        {"layout": "lined", "line_width": 5, "angle": -7},
        {"layout": "unlined", "angle": 6, "perspective": 0.015},
        {"layout": "unlined", **LIGHT_PENCIL},
        {"layout": "lined", "ink": BLUE_INK, "paper_colour": YELLOWISH_PAPER, **PHOTO},
        {"layout": "unlined", "paper": "ruled", **PHOTO},
        {"layout": "unlined", "thickness": 1.0, "digit": 70, "cell": 1.7},
        {"layout": "lined", "digit": 18, "rows": 12, "columns": 10, "cell": 2.0, "line_width": 1},
        {"layout": "unlined", "rows": 1, "columns": 6},
        {"layout": "lined", "size": (1000, 600), "rows": 3, "columns": 6},
    ],
    ids=str,
)  # fmt: skip
def test_all_digits_of_a_page_are_found_at_their_places(look):
    """Each digit once, nothing else, and each with its row and column."""
    page = sheet(**look)
    found = compared(page.digits, read_sheet(grey(page)).digits)
    assert not found.missed
    assert not found.invented
    assert [(one.row, one.column) for one, _ in found.pairs] == [(other.row, other.column) for _, other in found.pairs]


def test_digits_without_any_order_are_found():
    """Digits that stand freely on a page are read in rows from top to bottom."""
    page = sheet(layout="free", count=15, **PHOTO)
    digits = read_sheet(grey(page)).digits
    found = compared(page.digits, digits)
    assert not found.missed
    assert not found.invented
    rows = [each.row for each in digits]
    assert rows == sorted(rows)
    assert rows[0] == 1


def test_digits_are_in_mnist_form():
    """A found digit resembles the one that was drawn, in a box of 20 pixels."""
    page = sheet(layout="lined", jitter=0.05)
    found = compared(page.digits, read_sheet(grey(page)).digits)
    assert len(found.pairs) == 20
    for _, digit in found.pairs:
        image = digit.pixels.reshape(28, 28)
        rows, columns = (np.flatnonzero((image > 60).any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in {18, 19, 20}
        assert image.max() > 200


def test_light_ink_on_a_dark_page_is_ink():
    """A screenshot with white digits on black gives what its negative gives."""
    page = grey(sheet(layout="unlined"))
    negative = read_sheet(255 - page)
    positive = read_sheet(page)
    assert [each.box for each in negative.digits] == [each.box for each in positive.digits]
    for one, other in zip(negative.digits, positive.digits, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_boxes_are_in_pixels_of_the_page_whatever_its_size():
    """A page that is reduced or enlarged for the work has the boxes of the page as it came."""
    page = grey(sheet(layout="lined"))
    boxes = np.array([each.box for each in read_sheet(page).digits])
    larger = np.array([each.box for each in read_sheet(np.kron(page, np.ones((4, 4), np.uint8))).digits])
    assert np.abs(larger / 4 - boxes).max() <= 2


@pytest.mark.parametrize("noise", [0, 6])
def test_an_empty_page_has_no_digits(noise):
    """Paper, its lines and its shadow are not taken for digits."""
    assert not read_sheet(grey(sheet(count=0, layout="unlined", paper="ruled", shadow=0.6, noise=noise))).digits


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (40, 40)])
def test_a_page_of_one_shade_has_no_digits(shape):
    """Whatever its size."""
    assert read_sheet(np.full(shape, 200, np.uint8)).digits == ()
