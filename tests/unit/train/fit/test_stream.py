"""A run is shown all of its images, and the same ones in the same order for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from job.train.data.origin import find_images
from job.train.fit.augment import Deformations, EpochPlan, shown_groups

USUAL = Deformations(rotation_degrees=10, scale=0.1, shear=0.15, shift_pixels=1, elastic_pixels=0.8)
PLAN = EpochPlan(epochs=2, groups=3, batches_per_group=4, batch_size=5)


@pytest.fixture(scope="module")
def images():
    """Fifty of scikit-learn's digits."""
    from job.storage import LocalStorage

    return find_images(LocalStorage(), "digits").images.rows(np.arange(50))


def _shown(images, seed=1, plan=PLAN):
    pixels, labels = zip(*shown_groups(images, USUAL, plan, seed=seed), strict=True)
    return np.stack(pixels), np.stack(labels)


def test_the_same_seed_shows_the_same_images(images):
    """In the same order, deformed in the same way; another seed shows others."""
    first, again, other = (_shown(images, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_an_epoch_does_not_depend_on_how_many_follow(images):
    """The first of two is the first of one."""
    assert np.array_equal(_shown(images)[0][:3], _shown(images, plan=replace(PLAN, epochs=1))[0])


@pytest.mark.parametrize("deformations", [None, USUAL])
def test_a_run_goes_on_at_any_epoch(images, deformations):
    """The second epoch is the same where the first one is left out."""
    whole = list(shown_groups(images, deformations, PLAN, seed=1))
    rest = list(shown_groups(images, deformations, PLAN, seed=1, epochs_done=1))
    assert len(rest) == 3
    for one, other in zip(whole[3:], rest, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])


def test_each_epoch_deforms_anew(images):
    """No image is shown twice."""
    pixels, _ = _shown(images)
    assert pixels.shape == (6, 4, 5, 784)
    assert len(np.unique(pixels.reshape(-1, 784), axis=0)) == 120


def test_labels_go_with_their_images(images):
    """Undeformed, each image is found again with its own label."""
    known = {pixels.tobytes(): label for pixels, label in zip(images.pixels, images.labels, strict=True)}
    for pixels, labels in shown_groups(images, None, PLAN, seed=1):
        shown = zip(pixels.reshape(-1, 784), labels.ravel(), strict=True)
        assert all(known[image.tobytes()] == label for image, label in shown)


def test_every_image_is_shown_as_often_as_any_other(images):
    """60 places for 50 images: each once, ten of them twice, and in another order in the next epoch."""
    number = {pixels.tobytes(): index for index, pixels in enumerate(images.pixels)}
    groups = list(shown_groups(images, None, PLAN, seed=1))
    shown = [number[image.tobytes()] for pixels, _ in groups for image in pixels.reshape(-1, 784)]
    assert sorted(np.bincount(shown[:60])) == [1] * 40 + [2] * 10
    assert shown[:60] != shown[60:]
