"""The ink of one digit in a picture of any size: on uneven light, across shadows, beside specks, with any pen."""

import numpy as np
import pytest

from job.read.pictures.ink import ink_of

SIDE = 240


def _seven(side=SIDE, pen=0.1):
    """A 7 in the middle: float (side, side), 1 where there is ink."""
    ink = np.zeros((side, side))
    top, left, size, width = side // 4, side // 3, side // 2, max(1, round(pen * side / 2))
    ink[top : top + width, left : left + size // 2] = 1
    for line in range(size):
        start = left + size // 2 - width - line * size // (3 * size)
        ink[top + line, start : start + width] = 1
    return ink


def _on_paper(ink, paper=200.0, pen=50.0):
    return np.clip(paper * (1 - ink) + pen * ink, 0, 255).astype(np.uint8)


def _box(ink):
    rows, columns = np.flatnonzero((ink > 60).any(axis=1)), np.flatnonzero((ink > 60).any(axis=0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def _assert_is_seven(ink, pen=0.1):
    """The box of the 7, its ink full, and what is around it blank."""
    height, width = _box(_seven(pen=pen) * 255)
    assert np.abs(np.subtract(_box(ink), (height, width))).max() <= 6
    assert 0.6 < (ink > 127).sum() / _seven(pen=pen).sum() < 1.6


DOWN, ACROSS = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
NOISE = np.random.default_rng(0).normal(0, 6, (SIDE, SIDE))
PAPERS = {
    "even": 200.0,
    "slope": 150 + 50 * ACROSS + 30 * DOWN,
    "lamp": 220 - 80 * (DOWN**2 + ACROSS**2) / 2,
    "shadow": np.where(DOWN + 0.4 * ACROSS > 0.1, 120, 210),
    "noise": 190 + NOISE,
}


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
@pytest.mark.parametrize("is_dark", [True, False], ids=["dark ink", "light ink"])
def test_uneven_light(paper, is_dark):
    """The digit is found whatever the light; which side is ink is decided by the picture, or said."""
    grey = _on_paper(_seven(), paper, 40)
    grey = grey if is_dark else 255 - grey
    _assert_is_seven(ink_of(grey))
    np.testing.assert_array_equal(ink_of(grey), ink_of(grey, is_dark=is_dark))


def test_what_else_is_in_the_picture():
    """Specks, and what touches the edge of the picture, such as the table that the paper lies on, are left out."""
    ink = _seven()
    ink[20:23, 20:24] = 1
    ink[:, :9] = ink[-12:, :] = 1
    _assert_is_seven(ink_of(_on_paper(ink)))


def test_parts_that_are_not_connected():
    """The bar of a 5 that is written apart is a part of it."""
    ink = _seven()
    ink[90:100, 60:230] = 0
    assert _box(ink_of(_on_paper(ink))) == _box(ink[50:190, 70:170] * 255)


def test_a_digit_that_fills_the_picture(digits):
    """Cropped to its ink, with broad strokes that touch the edges."""
    for pixels in digits.pixels[:40].reshape(-1, 28, 28):
        rows, columns = np.flatnonzero(pixels.max(axis=1) > 60), np.flatnonzero(pixels.max(axis=0) > 60)
        crop = np.kron(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.ones((4, 4), np.uint8))
        np.testing.assert_array_equal(ink_of(crop) is None, False)


@pytest.mark.parametrize("pen", [0.01, 0.02])
def test_fine_pens_are_widened(pen):
    """Strokes that would fade at 28x28 become as wide as those of a fine pen of MNIST's."""
    ink = ink_of(_on_paper(_seven(pen=pen)))
    longer = max(_box(ink))
    assert 0.05 < (ink > 127).sum() / (1.6 * longer) / longer < 0.15
    broad = ink_of(_on_paper(_seven(pen=0.2)))
    assert _box(broad)[0] <= SIDE // 2 + 6


@pytest.mark.parametrize(
    "grey",
    [
        np.full((90, 60), 255, np.uint8),
        np.zeros((28, 28), np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((1, 300), 7, np.uint8),
        np.clip(180 + 40 * ACROSS, 0, 255).astype(np.uint8),
        np.clip(200 + NOISE, 0, 255).astype(np.uint8),
    ],
    ids=["white", "black", "one pixel", "one line", "slope", "noise"],
)
def test_nothing_to_see(grey):
    """Blank paper, in any light, has no ink."""
    assert ink_of(grey) is None


def test_any_size():
    """Down to a few pixels, and of any proportion."""
    random = np.random.default_rng(1)
    for _ in range(60):
        grey = random.integers(0, 256, random.integers(1, 60, 2)).astype(np.uint8)
        ink = ink_of(grey)
        assert ink is None or (ink.dtype == np.uint8 and ink.max() > 0)
