from dataclasses import replace

import numpy as np
import pytest
from support.digits import drawn_digits
from support.guarded_memory import SIDES, guarded_allocations, guarded_array

from job.normalize.geometry import share_in_form
from job.normalize.mnist_form import to_mnist_form, triangle_weights
from job.train.fit import rescan
from job.train.fit.recipe import DEFORMATIONS
from job.train.fit.rescan import LONGEST, Rescan, rescanned

DIGITS = drawn_digits().pixels
USUAL = DEFORMATIONS.rescan
# Nothing but the resampling.
PLAIN = Rescan(
    share=1, shortest=20, longest=20, stretched=0, aspect=0, blur=0, contrast=1, lightest=1, darkest=1, noise=0
)


def _random(seed=0):
    return np.random.default_rng(seed)


def test_a_share_of_the_images_is_scanned_again():
    """The others stay as they are, in their places."""
    pixels = np.tile(DIGITS, (30, 1))
    result = rescanned(pixels, replace(USUAL, share=0.3), _random())
    changed = (result != pixels).any(axis=1).mean()
    assert 0.26 < changed < 0.34
    assert (rescanned(pixels, replace(USUAL, share=0), _random()) == pixels).all()


def test_results_are_in_mnists_form_and_depend_on_the_seed_alone():
    """As inputs of coarse pixels would be."""
    first, again, other = (rescanned(DIGITS, replace(USUAL, share=1), _random(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any(axis=1).mean() > 0.9
    assert share_in_form(first) > 0.95


def test_images_stay_the_digits_that_they_are():
    """Scanned as finely as their box, they hardly change; as coarsely as the recipe does, they stay alike."""
    plain = rescanned(DIGITS, PLAIN, _random())
    assert np.abs(plain.astype(int) - to_mnist_form(DIGITS)).mean() < 8
    usual = rescanned(DIGITS, replace(USUAL, share=1, stretched=0), _random()).astype(np.float64)
    alike = [np.corrcoef(usual[row], DIGITS[row])[0, 1] for row in range(len(DIGITS))]
    assert np.median(alike) > 0.6


def test_stretched_ink_is_square_unless_it_is_narrow():
    """A one stays a stroke."""
    image = np.zeros((2, 28, 28), np.uint8)
    image[0, 4:24, 9:19] = 255
    image[1, 4:24, 12:15] = 255
    result = rescanned(image.reshape(-1, 784), replace(PLAIN, stretched=1), _random()).reshape(-1, 28, 28)
    assert [int((each >= 128).any(axis=0).sum()) for each in result] == [20, 3]
    assert [int((each >= 128).any(axis=1).sum()) for each in result] == [20, 20]


@pytest.mark.parametrize(("level", "sign"), [(40, 1), (215, -1)])
def test_contrast_makes_strokes_thicker_or_thinner(level, sign):
    """By the level that pixels move away from."""
    changes = replace(PLAIN, contrast=8, lightest=level, darkest=level, blur=0.2)
    result = rescanned(DIGITS, changes, _random())
    assert np.sign(result.mean() - rescanned(DIGITS, replace(PLAIN, blur=0.2), _random()).mean()) == sign


def test_blank_images_stay_blank():
    """And there may be none at all."""
    assert not rescanned(np.zeros((3, 784), np.uint8), replace(USUAL, share=1), _random()).any()
    assert rescanned(np.zeros((0, 784), np.uint8), USUAL, _random()).shape == (0, 784)


def test_the_kernel_resamples_as_numpy_does():
    """And touches no byte around its arrays."""
    image = np.zeros((28, 28), np.uint8)
    image[3:22, 5:17] = _random(3).integers(100, 256, (19, 12))
    settings = np.array([[11, 0, 1, 0, 0, 1, 0]], np.float32)
    noise = np.zeros((1, LONGEST, LONGEST), np.float32)
    rescan._scanned(image.reshape(1, 784), settings, noise)  # compiled with the first image
    for side in SIDES:
        with guarded_allocations(side):
            guarded = [guarded_array(each, side) for each in (image.reshape(1, 784), settings, noise)]
            found = rescan._scanned(*guarded).reshape(28, 28)
        crop = image[3:22, 5:17].astype(np.float64)
        coarse = triangle_weights(19, 11) @ crop @ triangle_weights(12, 7).T
        coarse *= 255 / coarse.max()
        expected = triangle_weights(11, 28) @ coarse @ triangle_weights(7, 18).T
        assert np.abs(found[:28, :18] - expected).max() <= 1
        assert not found[:, 18:].any()
