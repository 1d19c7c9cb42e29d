"""What is done to images at random is what the words say, and always the same for the same seed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from job.train.data.origin import find_images
from job.train.fit.augment import Deformations, deformed, draw

NONE = Deformations(rotation_degrees=0, scale=0, shear=0, shift_pixels=0, elastic_pixels=0)
USUAL = Deformations(rotation_degrees=10, scale=0.1, shear=0.15, shift_pixels=1, elastic_pixels=0.8)


@pytest.fixture(scope="module")
def images():
    """Fifty of scikit-learn's digits, whose border of four pixels is background."""
    from job.storage import LocalStorage

    return find_images(LocalStorage(), "digits").images.rows(np.arange(50))


@pytest.fixture(scope="module")
def noise():
    """Images with ink up to the border, and one with none at all."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 784), np.uint8)
    pixels[7] = 0
    return pixels


def _mapped(pixels, matrix, coefficients=None):
    """All images, deformed in the same way."""
    rows = len(pixels)
    if coefficients is None:
        coefficients = np.zeros((2, 6, 6), np.float32)
    every = [np.broadcast_to(np.array(array, np.float32), (rows, *np.shape(array))) for array in (matrix, coefficients)]
    return deformed(pixels, np.arange(rows), *every)


def _drawn(deformations, rows=20_000):
    return draw(deformations, rows, np.random.default_rng(1))


def test_what_is_not_displaced_is_not_changed(noise):
    """Not one pixel by one."""
    assert np.array_equal(_mapped(noise, [[1, 0, 0], [0, 1, 0]]), noise)


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-5, 7), (28, 0), (0, -40)])
def test_a_shift_by_whole_pixels_moves_them_exactly(noise, right, down):
    """What comes in from outside is background, and what leaves is gone."""
    grid = np.pad(noise.reshape(-1, 28, 28), ((0, 0), (50, 50), (50, 50)))
    expected = np.roll(grid, (down, right), axis=(1, 2))[:, 50:78, 50:78]
    assert np.array_equal(_mapped(noise, [[1, 0, -right], [0, 1, -down]]).reshape(-1, 28, 28), expected)


def test_half_a_pixel_mixes_two(noise):
    """Ink between pixels is interpolated."""
    grid = noise.reshape(-1, 28, 28).astype(int)
    moved = _mapped(noise, [[1, 0, 0.5], [0, 1, 0]]).reshape(-1, 28, 28)
    assert np.array_equal(moved[:, :, :27], (grid[:, :, :27] + grid[:, :, 1:] + 1) // 2)


def test_a_quarter_turn_is_exact(noise):
    """As NumPy turns images."""
    turned = _mapped(noise, [[0, -1, 27], [1, 0, 0]]).reshape(-1, 28, 28)
    expected = np.rot90(noise.reshape(-1, 28, 28), axes=(1, 2))
    assert np.abs(turned.astype(int) - expected).max() <= 1


def test_equal_coefficients_move_everything_alike(noise):
    """Splines add up to one: an elastic displacement of one pixel everywhere is a shift by one pixel."""
    coefficients = np.zeros((2, 6, 6))
    coefficients[0] = 1
    elastic = _mapped(noise, [[1, 0, 0], [0, 1, 0]], coefficients)
    shifted = _mapped(noise, [[1, 0, 1], [0, 1, 0]])
    assert np.abs(elastic.astype(int) - shifted).max() <= 1


@pytest.mark.parametrize("axis", [0, 1])
def test_one_coefficient_moves_its_neighbourhood_alone(images, axis):
    """The last of a line moves pixels on the right, the last of a column those below, and along its own axis."""
    coefficients = np.zeros((2, 6, 6))
    coefficients[axis, :, 5] = 2
    changed = _mapped(images.pixels, [[1, 0, 0], [0, 1, 0]], coefficients) != images.pixels
    columns = np.flatnonzero(changed.reshape(-1, 28, 28).any(axis=(0, 1)))
    assert columns.min() > 18


def test_no_deformation_draws_the_identity(images):
    """Bounds of 0 leave images as they are."""
    affine, coefficients = draw(NONE, 50, np.random.default_rng(1))
    assert np.array_equal(deformed(images.pixels, np.arange(50), affine, coefficients), images.pixels)


@pytest.mark.parametrize(
    ("change", "of_affine", "bound"),
    [
        ({"rotation_degrees": 10}, lambda maps: np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0])), 10),
        ({"scale": 0.1}, lambda maps: maps[:, 0, 0] - 1, 0.1),
        ({"scale": 0.1}, lambda maps: maps[:, 1, 1] - 1, 0.1),
        ({"shear": 0.2}, lambda maps: maps[:, 0, 1], 0.2),
        ({"shift_pixels": 2}, lambda maps: maps[:, 0, 2], 2),
        ({"shift_pixels": 2}, lambda maps: maps[:, 1, 2], 2),
    ],
)
def test_affine_maps_are_drawn_evenly_within_their_bounds(change, of_affine, bound):
    """Between minus and plus the bound, and as far as the bound."""
    affine, _ = _drawn(replace(NONE, **change))
    drawn = of_affine(affine)
    assert bound * 0.99 < np.abs(drawn).max() <= bound * 1.0001
    assert np.abs(np.histogram(drawn, 4, (-bound, bound))[0] / len(drawn) - 0.25).max() < 0.02


def test_the_middle_stays_in_the_middle():
    """Rotation, scale and shear are around it."""
    affine, _ = _drawn(replace(USUAL, shift_pixels=0))
    assert np.abs(affine @ np.array([13.5, 13.5, 1], np.float32) - 13.5).max() < 1e-5


def test_pixels_are_displaced_as_far_as_said():
    """By so many pixels in standard deviation, in the mean over the image, and neighbours alike."""
    from job.train.fit.augment import _SPLINES

    _, coefficients = _drawn(replace(NONE, elastic_pixels=0.8), rows=2_000)
    splines = _SPLINES[:, :28]
    field = np.einsum("ralc,ly,cx->rayx", coefficients, splines, splines)
    assert abs(np.sqrt(np.square(field).mean()) - 0.8) < 0.02
    assert np.abs(np.diff(field, axis=3)).mean() < 0.2


def test_ink_is_roughly_kept(images):
    """A deformed digit is a digit still: as much ink on average, and about as much in each image."""
    affine, coefficients = draw(USUAL, 5000, np.random.default_rng(1))
    order = np.arange(5000) % 50
    ink = deformed(images.pixels, order, affine, coefficients).sum(axis=1) / images.pixels[order].sum(axis=1)
    assert 0.97 < ink.mean() < 1.05
    assert 0.6 < ink.min() < ink.max() < 1.6


def test_values_stay_values_of_ink(noise):
    """However wild the points: even those far outside of an image full of ink, and those that are no numbers."""
    wild = np.random.default_rng(2).normal(0, 1e6, (20, 2, 3)).astype(np.float32)
    wild[3] = np.nan
    result = deformed(np.full_like(noise, 255), np.arange(20), wild, np.zeros((20, 2, 6, 6), np.float32))
    assert result.dtype == np.uint8
    mild = _mapped(np.full_like(noise, 255), [[0.3, 0.1, 8], [-0.1, 0.3, 8]])
    assert (mild == 255).all()


def test_threads_change_nothing(images):
    """An image's result is the same whether all are made at once, or each by any of eight threads."""
    affine, coefficients = draw(USUAL, 400, np.random.default_rng(1))
    order = np.arange(400) % 50
    whole = deformed(images.pixels, order, affine, coefficients)

    def part(row):
        each = slice(row, row + 1)
        return deformed(images.pixels, order[each], affine[each], coefficients[each])

    with ThreadPoolExecutor(8) as pool:
        assert np.array_equal(np.concatenate(list(pool.map(part, range(400)))), whole)
