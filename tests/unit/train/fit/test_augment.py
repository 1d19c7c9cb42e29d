"""Random deformations, and the order in which a run sees its images; the same for the same seed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from support.guarded_memory import SIDES, guarded_allocations, guarded_array

from job.train.fit.augment import (
    _SPLINES,
    Deformations,
    EpochPlan,
    batch_groups,
    deform_images,
    draw_deformations,
)

NONE = Deformations(rotation_degrees=0, scale=0, shear=0, shift_pixels=0, elastic_pixels=0)
USUAL = Deformations(rotation_degrees=10, scale=0.1, shear=0.15, shift_pixels=1, elastic_pixels=0.8)
IDENTITY = [[1, 0, 0], [0, 1, 0]]
PLAN = EpochPlan(epochs=2, groups=3, batches_per_group=4, batch_size=5)


@pytest.fixture(scope="module")
def images(optdigits):
    """Fifty of scikit-learn's digits, whose outer four pixels are background."""
    return optdigits.rows(np.arange(50))


@pytest.fixture(scope="module")
def noise():
    """Images with ink up to the edges, and a blank one."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 784), np.uint8)
    pixels[7] = 0
    return pixels


def _deform_all(pixels, matrix, coefficients=None):
    """All images, deformed alike; no byte around them is touched."""
    rows = len(pixels)
    if coefficients is None:
        coefficients = np.zeros((2, 6, 6), np.float32)
    every = [np.broadcast_to(np.array(array, np.float32), (rows, *np.shape(array))) for array in (matrix, coefficients)]
    for side in SIDES:
        arrays = [guarded_array(array, side) for array in (pixels, np.arange(rows), *every)]
        with guarded_allocations(side):
            found = deform_images(*arrays)
    return found


def _draw(deformations, rows=20_000):
    return draw_deformations(deformations, rows, np.random.default_rng(1))


def test_the_identity_changes_nothing(noise):
    """Every pixel keeps its exact value."""
    assert np.array_equal(_deform_all(noise, IDENTITY), noise)


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-5, 7), (28, 0), (0, -40)])
def test_a_shift_by_whole_pixels_is_exact(noise, right, down):
    """Background enters at one edge, and what leaves at the other is lost."""
    grid = np.pad(noise.reshape(-1, 28, 28), ((0, 0), (50, 50), (50, 50)))
    expected = np.roll(grid, (down, right), axis=(1, 2))[:, 50:78, 50:78]
    assert np.array_equal(_deform_all(noise, [[1, 0, -right], [0, 1, -down]]).reshape(-1, 28, 28), expected)


def test_a_shift_by_half_a_pixel_averages_two(noise):
    """Ink between pixels is interpolated."""
    grid = noise.reshape(-1, 28, 28).astype(int)
    moved = _deform_all(noise, [[1, 0, 0.5], [0, 1, 0]]).reshape(-1, 28, 28)
    assert np.array_equal(moved[:, :, :27], (grid[:, :, :27] + grid[:, :, 1:] + 1) // 2)


def test_a_quarter_turn_is_that_of_numpy(noise):
    """Up to rounding."""
    turned = _deform_all(noise, [[0, -1, 27], [1, 0, 0]]).reshape(-1, 28, 28)
    expected = np.rot90(noise.reshape(-1, 28, 28), axes=(1, 2))
    assert np.abs(turned.astype(int) - expected).max() <= 1


def test_equal_coefficients_shift_the_image(noise):
    """The splines sum to one, so an elastic displacement of one pixel everywhere is a shift by one pixel."""
    coefficients = np.zeros((2, 6, 6))
    coefficients[0] = 1
    elastic = _deform_all(noise, IDENTITY, coefficients)
    shifted = _deform_all(noise, [[1, 0, 1], [0, 1, 0]])
    assert np.abs(elastic.astype(int) - shifted).max() <= 1


@pytest.mark.parametrize("axis", [0, 1])
def test_one_coefficient_moves_its_neighbourhood_only(images, axis):
    """The last coefficient of a line moves pixels at the right, for either axis."""
    coefficients = np.zeros((2, 6, 6))
    coefficients[axis, :, 5] = 2
    changed = _deform_all(images.pixels, IDENTITY, coefficients) != images.pixels
    columns = np.flatnonzero(changed.reshape(-1, 28, 28).any(axis=(0, 1)))
    assert columns.min() > 18


def test_bounds_of_zero_draw_the_identity(images):
    """Images stay unchanged."""
    affine, coefficients = draw_deformations(NONE, 50, np.random.default_rng(1))
    assert np.array_equal(deform_images(images.pixels, np.arange(50), affine, coefficients), images.pixels)


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
def test_affine_maps_are_uniform_within_their_bounds(change, of_affine, bound):
    """From minus to plus the bound."""
    affine, _ = _draw(replace(NONE, **change))
    drawn = of_affine(affine)
    assert bound * 0.99 < np.abs(drawn).max() <= bound * 1.0001
    assert np.abs(np.histogram(drawn, 4, (-bound, bound))[0] / len(drawn) - 0.25).max() < 0.02


def test_the_centre_is_the_fixed_point():
    """Of rotation, scale and shear."""
    affine, _ = _draw(replace(USUAL, shift_pixels=0))
    assert np.abs(affine @ np.array([13.5, 13.5, 1], np.float32) - 13.5).max() < 1e-5


def test_the_elastic_displacement_has_the_given_deviation():
    """As the standard deviation over the image, and neighbouring pixels move alike."""
    _, coefficients = _draw(replace(NONE, elastic_pixels=0.8), rows=2_000)
    splines = _SPLINES[:, :28]
    field = np.einsum("ralc,ly,cx->rayx", coefficients, splines, splines)
    assert abs(np.sqrt(np.square(field).mean()) - 0.8) < 0.02
    assert np.abs(np.diff(field, axis=3)).mean() < 0.2


def test_deformed_digits_have_about_as_much_ink(images):
    """On average, and in each image."""
    affine, coefficients = draw_deformations(USUAL, 5000, np.random.default_rng(1))
    order = np.arange(5000) % 50
    ink = deform_images(images.pixels, order, affine, coefficients).sum(axis=1) / images.pixels[order].sum(axis=1)
    assert 0.97 < ink.mean() < 1.05
    assert 0.6 < ink.min() < ink.max() < 1.6


def test_any_points_give_valid_pixels(noise):
    """Points far outside of an image full of ink, and NaN."""
    wild = np.random.default_rng(2).normal(0, 1e6, (20, 2, 3)).astype(np.float32)
    wild[3] = np.nan
    result = deform_images(np.full_like(noise, 255), np.arange(20), wild, np.zeros((20, 2, 6, 6), np.float32))
    assert result.dtype == np.uint8
    mild = _deform_all(np.full_like(noise, 255), [[0.3, 0.1, 8], [-0.1, 0.3, 8]])
    assert (mild == 255).all()


def test_threads_give_the_same_images(images):
    """All in one call, or each by any of eight threads."""
    affine, coefficients = draw_deformations(USUAL, 400, np.random.default_rng(1))
    order = np.arange(400) % 50
    whole = deform_images(images.pixels, order, affine, coefficients)

    def part(row):
        each = slice(row, row + 1)
        return deform_images(images.pixels, order[each], affine[each], coefficients[each])

    with ThreadPoolExecutor(8) as pool:
        assert np.array_equal(np.concatenate(list(pool.map(part, range(400)))), whole)


def _groups(images, seed=1, plan=PLAN):
    pixels, labels = zip(*batch_groups(images, USUAL, plan, seed=seed), strict=True)
    return np.stack(pixels), np.stack(labels)


def test_the_same_seed_gives_the_same_batches(images):
    """The same order and deformations; another seed gives others."""
    first, again, other = (_groups(images, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_an_epoch_does_not_depend_on_the_number_of_epochs(images):
    """The first of two is the first of one."""
    assert np.array_equal(_groups(images)[0][:3], _groups(images, plan=replace(PLAN, epochs=1))[0])


@pytest.mark.parametrize("deformations", [None, USUAL])
def test_a_run_can_resume_at_any_epoch(images, deformations):
    """The second epoch is the same if the first one is skipped."""
    whole = list(batch_groups(images, deformations, PLAN, seed=1))
    rest = list(batch_groups(images, deformations, PLAN, seed=1, epochs_done=1))
    assert len(rest) == 3
    for one, other in zip(whole[3:], rest, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])


def test_each_epoch_deforms_anew(images):
    """No two shown images are equal."""
    pixels, _ = _groups(images)
    assert pixels.shape == (6, 4, 5, 784)
    assert len(np.unique(pixels.reshape(-1, 784), axis=0)) == 120


def test_labels_stay_with_their_images(images):
    """Without deformations, each image has its own label."""
    known = {pixels.tobytes(): label for pixels, label in zip(images.pixels, images.labels, strict=True)}
    for pixels, labels in batch_groups(images, None, PLAN, seed=1):
        shown = zip(pixels.reshape(-1, 784), labels.ravel(), strict=True)
        assert all(known[image.tobytes()] == label for image, label in shown)


def test_images_are_shown_equally_often(images):
    """60 places for 50 images: each once, ten of them twice; the next epoch has another order."""
    number = {pixels.tobytes(): index for index, pixels in enumerate(images.pixels)}
    groups = list(batch_groups(images, None, PLAN, seed=1))
    shown = [number[image.tobytes()] for pixels, _ in groups for image in pixels.reshape(-1, 784)]
    assert sorted(np.bincount(shown[:60])) == [1] * 40 + [2] * 10
    assert shown[:60] != shown[60:]
