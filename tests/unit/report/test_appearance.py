import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from support.files import make_digits
from support.guarded_memory import SIDES, guarded_allocations, guarded_array

from job.report.appearance import INK_EDGES, INTENSITY_EDGES, Appearance


def _expected(pixels):
    """The same counts by NumPy."""
    bands = np.searchsorted(INTENSITY_EDGES, pixels.ravel(), side="right") - 1
    bins = np.searchsorted(INK_EDGES, pixels.mean(axis=1), side="right") - 1
    return Appearance(np.bincount(bands, minlength=5), np.bincount(bins, minlength=16))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(arrays(np.uint8, some.tuples(some.integers(1, 5), some.just(784)), fill=some.integers(0, 255)))
def test_counts_are_numpys(pixels):
    """For any pixels, and no byte around them is touched."""
    side = SIDES[len(pixels) % 2]
    with guarded_allocations(side):
        found = Appearance.of(guarded_array(pixels, side))
    assert found == _expected(pixels)


def test_each_pixel_is_counted_in_its_band():
    """Values at the edges of the bands, and pixels at the edges of the kernel's vectors."""
    for place in (0, 1, 31, 32, 63, 64, 767, 768, 782, 783):
        for value in (0, 1, 2, 63, 64, 65, 127, 128, 129, 191, 192, 193, 254, 255):
            pixels = np.zeros((3, 784), np.uint8)
            pixels[1, place] = value
            assert Appearance.of(pixels) == _expected(pixels)


def test_uniform_images_are_in_the_bin_of_their_value():
    """Also where every lane of a vector has its highest sum; the last bin has no upper edge."""
    for value in (0, 7, 8, 9, 119, 120, 255):
        counts = Appearance.of(np.full((2, 784), value, np.uint8))
        assert np.flatnonzero(counts.ink).tolist() == [min(value // 8, 15)]
        assert (counts.images, counts.intensity.sum()) == (2, 2 * 784)


def test_an_image_just_below_a_bins_edge_is_not_in_it():
    """One pixel that is darker by one decides."""
    pixels = np.full((2, 784), 8, np.uint8)
    pixels[0, 783] = 7
    assert Appearance.of(pixels).ink[:2].tolist() == [1, 1]


def test_rejected_records_are_not_counted():
    """Their pixels are all 0, which is not what an image looks like."""
    pixels = make_digits(20).pixels
    pixels[[3, 7]] = 0
    assert Appearance.of(pixels, rejected=2) == _expected(np.delete(pixels, [3, 7], axis=0))


def test_no_rows_give_zero():
    """And the kernel accepts an empty array."""
    assert Appearance.of(np.zeros((0, 784), np.uint8)) == Appearance.zero()


def test_rows_need_not_be_contiguous():
    """A slice of columns is copied first."""
    wide = np.zeros((4, 800), np.uint8)
    wide[:, 16:] = make_digits(4).pixels
    assert Appearance.of(wide[:, 16:]) == _expected(make_digits(4).pixels)
