import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from support.files import make_digits
from support.guarded_memory import SIDES, guarded_allocations, guarded_array

from job.normalize.mnist_form import INK_PART, form_of_ink, to_mnist_form, triangle_weights


def _expected(image):
    """The same by NumPy, in float64: uint8 (784,)."""
    image = image.reshape(28, 28).astype(np.float64)
    is_ink = image >= max(1, image.max() // INK_PART)
    result = np.zeros((28, 28))
    if not is_ink.any():
        return result.ravel()
    lines, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    crop = image[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, int(20 * side / max(crop.shape) + 0.5)) for side in crop.shape)
    box = triangle_weights(crop.shape[0], height) @ crop @ triangle_weights(crop.shape[1], width).T
    box = np.floor(box + 0.5)
    total = max(box.sum(), 1)
    top = int(np.clip(np.floor(14 - box.sum(axis=1) @ np.arange(height) / total), 0, 28 - height))
    left = int(np.clip(np.floor(14 - box.sum(axis=0) @ np.arange(width) / total), 0, 28 - width))
    result[top : top + height, left : left + width] = box
    return result.ravel()


def _is_nearly(found, expected):
    """Whether values differ by rounding only; its effect on the centre can move the whole box by a pixel."""
    shifts = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
    moved = [np.roll(expected.reshape(28, 28), shift, (0, 1)).ravel() for shift in shifts]
    return any(np.abs(found.astype(np.float64) - each).max() <= 1 for each in moved)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(arrays(np.uint8, some.tuples(some.integers(1, 4), some.just(784)), fill=some.sampled_from([0, 0, 7, 255])))
def test_forms_are_numpys(pixels):
    """For any pixels, and no byte around them is touched."""
    to_mnist_form(pixels)  # whose tables are made with the first image
    side = SIDES[len(pixels) % 2]
    with guarded_allocations(side):
        found = to_mnist_form(guarded_array(pixels, side))
    assert all(_is_nearly(each, _expected(image)) for each, image in zip(found, pixels, strict=True))


@pytest.mark.parametrize("place", [0, 27, 28, 755, 756, 783, 400])
def test_a_single_pixel_fills_the_box(place):
    """Wherever it is, also at the ends of the image."""
    pixels = np.zeros((2, 784), np.uint8)
    pixels[:, place] = 200
    expected = np.zeros((28, 28))
    expected[4:24, 4:24] = 200
    assert (to_mnist_form(pixels) == expected.ravel()).all()


def test_blank_images_stay_blank():
    """Rejected records are blank, too; and there may be no image at all."""
    assert not to_mnist_form(np.zeros((3, 784), np.uint8)).any()
    assert to_mnist_form(np.zeros((0, 784), np.uint8)).shape == (0, 784)


def test_images_do_not_depend_on_each_other():
    """Whichever images share a batch, in whichever order."""
    pixels = make_digits(50, seed=3).pixels
    alone = np.concatenate([to_mnist_form(image[np.newaxis]) for image in pixels])
    assert (to_mnist_form(pixels) == alone).all()
    assert (to_mnist_form(pixels[::-1]) == alone[::-1]).all()


def test_the_place_and_size_of_a_digit_do_not_matter():
    """What is moved within the frame, or enlarged to twice its size, comes to the same form, but for resampling."""
    small = np.zeros((28, 28), np.uint8)
    small[3:15, 2:8] = 90
    small[3:6, 2:12] = 255
    moved = np.roll(small, (9, 13), (0, 1))
    large = np.kron(small[3:15, 2:12], np.ones((2, 2), np.uint8))
    first, second = to_mnist_form(np.stack([small.ravel(), moved.ravel()]))
    assert (first == second).all()
    assert np.abs(form_of_ink(large).astype(int) - first).mean() < 4
    assert (form_of_ink(large).reshape(28, 28) > 0).any(axis=1).sum() == 20


def test_pictures_of_any_size_come_to_the_same_form():
    """Of one of 28x28, Pillow and the kernel agree but for rounding."""
    for image in make_digits(40, seed=1).pixels:
        assert _is_nearly(form_of_ink(image.reshape(28, 28)), to_mnist_form(image[np.newaxis])[0].astype(np.float64))
    assert not form_of_ink(np.zeros((300, 200), np.uint8)).any()
    assert form_of_ink(np.full((1, 500), 9, np.uint8)).max() == 9


@pytest.mark.parametrize(("length", "new"), [(1, 20), (20, 20), (28, 20), (28, 3), (9, 13)])
def test_weights_keep_an_even_shade(length, new):
    """Each new position is an average."""
    weights = triangle_weights(length, new)
    assert weights.shape == (new, length)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-12)
