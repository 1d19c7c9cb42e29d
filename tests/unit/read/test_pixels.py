"""Numbers as pixels, on both scales and of every type."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job.contract import Reason
from job.errors import LayoutError
from job.read.pixels import detect_scale, pixel_reject, to_pixels

DTYPES = [
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.float16, np.float32, np.float64),
]
NUMBERS = st.one_of(st.integers(-300, 300), st.sampled_from([2**40, 0.5, 254.5, 1.5, math.nan, math.inf, -math.inf]))


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, max_size=10), st.sampled_from(DTYPES))
def test_whole_numbers_from_0_to_255_are_pixels(numbers, dtype):
    """On the scale 255, of any numeric type, and nothing else is."""
    with np.errstate(all="ignore"):
        stored = np.array([number for number in numbers if _fits(number, dtype)], dtype)
    pixels, is_pixel = to_pixels(stored, "255")
    assert is_pixel.tolist() == [value in range(256) for value in stored.tolist()]
    assert pixels[is_pixel].tolist() == stored[is_pixel].astype(int).tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.floats(-0.1, 1.1), st.sampled_from([math.nan, math.inf, 1e308])), max_size=10))
def test_fractions_from_0_to_1_are_pixels_of_255_times_as_much(numbers):
    """On the scale 1, rounded, and nothing else is a pixel."""
    stored = np.array(numbers, np.float64)
    pixels, is_pixel = to_pixels(stored, "1")
    assert is_pixel.tolist() == [-0.001 <= value * 255 <= 255.001 for value in numbers]
    assert pixels[is_pixel].tolist() == [min(max(round(value * 255), 0), 255) for value in stored[is_pixel].tolist()]


@pytest.mark.parametrize(
    ("samples", "scale"),
    [
        ([], "255"),
        ([[0, 0]], "255"),
        ([[0, 2]], "255"),
        ([[0.0, 0.9999, 255.00001]], "255"),
        ([[0, 0.5]], "1"),
        ([[math.nan, 0.5], [1.0]], "1"),
        ([[0.5], [2.0]], "255"),
        ([[0.5, -0.1, *[0] * 10]], "255"),
        ([[0.5, math.inf]], "255"),
        ([[math.nan]], "255"),
    ],
)
def test_scale_by_the_numbers(samples, scale):
    """It is 1 if all numbers are within 0 and 1 and one lies between, over all samples; NaN does not count."""
    assert detect_scale((np.array(each, np.float64) for each in samples), "a") == scale


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([[0, 1], [0, 0]], "are 0 or 1, so their scale is in doubt"),
        ([[0, 0.99999, 1.0001]], "are 0 or 1, so their scale is in doubt"),
        ([[0, 7, 15] * 20 * 784], "above 15, so they may not be on the scale 0-255"),
        ([[-0.42, 0.5, 2.8]], "go from -0.42 to 2.8; expected 0-255 or 0-1"),
        ([[-1, 1, 0]], "go from -1 to 1; expected 0-255 or 0-1"),
    ],
)
def test_a_scale_in_doubt_is_refused(samples, message):
    """The error says what was seen, and which flag settles it."""
    with pytest.raises(LayoutError, match=message):
        detect_scale((np.array(each, np.float64) for each in samples), "a.parquet")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_numbers_but_for_rounding(dtype):
    """Up to 1e-3 from a whole number is rounding, beyond it is another number; also at both ends of the scale."""
    levels = np.arange(256)
    noisy = (levels / 255).astype(np.float32) * dtype(255)
    pixels, is_pixel = to_pixels(noisy.astype(dtype) + dtype(5e-4), "255")
    assert is_pixel.all()
    assert pixels.tolist() == levels.tolist()
    assert not to_pixels(np.array([1.01, 84.002, 255.01, -0.01], dtype), "255")[1].any()
    assert to_pixels(np.array([-1e-7, 1.0000001], np.float64), "1")[0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("value", "scale", "reason", "detail"),
    [
        (None, "255", Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (math.nan, "1", Reason.MISSING_VALUE, "pixel3 is empty, expected 0-1"),
        (-math.inf, "255", Reason.NOT_A_NUMBER, "pixel3 is -inf, expected 0-255"),
        (256, "255", Reason.OUT_OF_RANGE, "pixel3 is 256, expected 0-255"),
        (2, "1", Reason.OUT_OF_RANGE, "pixel3 is 2, expected 0-1"),
        (0.5, "255", Reason.NOT_AN_INTEGER, "pixel3 is 0.5, expected a whole number 0-255"),
    ],
)
def test_reject_of_a_number_that_is_not_a_pixel(value, scale, reason, detail):
    """It has the reason, the value and what was expected."""
    reject = pixel_reject(7, "pixel3", "pixel3", value, scale)
    assert (reject.row, reject.reason, reject.detail, reject.column) == (7, reason, detail, "pixel3")


def _fits(number, dtype):
    if np.issubdtype(dtype, np.floating):
        return True
    bounds = np.iinfo(dtype)
    return isinstance(number, int) and bounds.min <= number <= bounds.max
