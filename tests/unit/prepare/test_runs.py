"""`runs`: stretches of a mask, and its connected components."""

import numpy as np
import pytest

from job.prepare.runs import Runs


@pytest.fixture
def mask():
    """A random mask of blobs, single pixels and full rows."""
    rng = np.random.default_rng(3)
    mask = rng.random((40, 50)) < 0.35
    mask[7], mask[9] = True, False
    return mask


def test_runs_are_those_of_the_mask(mask):
    """Made of a mask, they give it back."""
    runs = Runs.of(mask)
    np.testing.assert_array_equal(runs.mask(), mask)
    assert runs.length.sum() == mask.sum()


def test_components_are_those_of_scipy(mask):
    """Pixels that touch at a side or a corner are of one component."""
    ndimage = pytest.importorskip("scipy.ndimage")
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    runs = Runs.of(mask)
    labels = runs.labels()
    assert labels.max() + 1 == count
    assert len(set(zip(labels, expected[runs.row, runs.start], strict=True))) == count


def test_small_gaps_in_a_row_are_bridged():
    """Runs of one row become one where they are near, and those of different rows never."""
    mask = np.zeros((2, 12), bool)
    mask[0, [1, 2, 4, 9]] = mask[1, 0] = True
    bridged = Runs.of(mask).bridged(1)
    assert list(zip(bridged.row, bridged.start, bridged.end, strict=True)) == [(0, 1, 5), (0, 9, 10), (1, 0, 1)]
