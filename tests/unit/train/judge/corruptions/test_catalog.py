import hashlib
import subprocess
import sys

import numpy as np
import pytest
from support.networks import answers, trained_layers

from job.normalize.reference_digits import reference_digits
from job.train.judge.corruptions.catalog import CORRUPTIONS, corrupted

_IN_ANOTHER_PROCESS = """
import hashlib, sys
from job.normalize.reference_digits import reference_digits
from job.train.judge.corruptions.catalog import CORRUPTIONS, corrupted

pixels = reference_digits().pixels[:300]
for name in CORRUPTIONS:
    print(hashlib.sha256(corrupted(pixels, name, 5).tobytes()).hexdigest())
"""


def test_there_are_fifteen():
    """Those of MNIST-C, by its names."""
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_change_and_stay_images(name):
    """Bytes of the same shape, the input untouched, and no image as it was."""
    pixels = reference_digits().pixels[:40]
    before = pixels.copy()
    found = corrupted(pixels, name, 1)
    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
    assert np.array_equal(pixels, before)
    assert (found != pixels).any(axis=1).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_first_images_do_not_depend_on_those_that_follow(name):
    """Nor on the limits of blocks: a sample's figures are comparable with those of the whole."""
    pixels = np.tile(reference_digits().pixels[:300], (2, 1))
    whole = corrupted(pixels, name, 3)
    for rows in (1, 250, 251):
        assert np.array_equal(corrupted(pixels[:rows], name, 3), whole[:rows])


def test_no_images_are_none():
    """Of the right shape."""
    assert corrupted(np.empty((0, 784), np.uint8), "fog", 1).shape == (0, 784)


def test_another_process_gives_the_same_bytes():
    """Whatever it hashes with."""
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    pixels = reference_digits().pixels[:300]
    assert lines == [hashlib.sha256(corrupted(pixels, name, 5).tobytes()).hexdigest() for name in CORRUPTIONS]


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"scale", "brightness", "stripe", "canny_edges"}))
def test_another_seed_draws_others(name):
    """Of the corruptions that draw."""
    pixels = reference_digits().pixels[:40]
    assert not np.array_equal(corrupted(pixels, name, 1), corrupted(pixels, name, 2))


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"stripe", "translate"}))
def test_digits_stay_recognisable(name):
    """A small network is hardly right more often, and more often than by guessing.

    But for inverted stripes, and for moved digits, which a network without convolutions has never seen.
    """
    digits, layers = reference_digits(), trained_layers()

    def accuracy(pixels):
        return (answers(layers, pixels / 255).argmax(axis=1) == digits.labels).mean()

    clean, found = accuracy(digits.pixels), accuracy(corrupted(digits.pixels, name, 1))
    assert 0.15 < found < clean + 0.005


def test_a_stripe_is_inverted_and_nothing_else():
    """Half of the columns, in the middle."""
    images = reference_digits().pixels[:5].reshape(-1, 28, 28)
    found = corrupted(images.reshape(-1, 784), "stripe", 1).reshape(-1, 28, 28)
    assert np.array_equal(found[:, :, 7:21], 255 - images[:, :, 7:21])
    assert np.array_equal(np.delete(found, np.s_[7:21], 2), np.delete(images, np.s_[7:21], 2))


@pytest.mark.parametrize("name", ["shear", "rotate", "translate", "scale", "motion_blur"])
def test_a_square_in_the_middle_keeps_its_ink(name):
    """What is moved within the image is neither lost nor doubled, and goes where it should."""
    square = np.zeros((20, 28, 28), np.uint8)
    square[:, 10:18, 10:18] = 240
    found = corrupted(square.reshape(-1, 784), name, 1).reshape(-1, 28, 28).astype(float)
    share = 0.49 if name == "scale" else 1
    assert found.sum(axis=(1, 2)) == pytest.approx(share * 64 * 240, rel=0.2 if name == "scale" else 0.01)
    lines, columns = (found * np.arange(28)[:, None]).sum(axis=(1, 2)), (found * np.arange(28)).sum(axis=(1, 2))
    shift = np.abs(np.stack([lines, columns]) / found.sum(axis=(1, 2)) - 13.5)
    assert shift == pytest.approx(3 if name == "translate" else 0, abs=0.15)


def test_edges_of_a_box_are_its_outline():
    """Canny's detector: one closed line, nothing within and nothing far away."""
    box = np.zeros((1, 28, 28), np.uint8)
    box[:, 8:20, 8:20] = 255
    found = corrupted(box.reshape(1, -1), "canny_edges", 1).reshape(28, 28)
    assert set(np.unique(found)) == {0, 255}
    assert not found[10:18, 10:18].any()
    assert not found[:6].any()
    assert not found[:, 22:].any()
    assert 36 <= (found > 0).sum() <= 60
    # Each of the box's middle lines crosses the outline twice.
    assert (found[12:16] > 0).sum(axis=1).tolist() == [2, 2, 2, 2]


def test_edges_of_one_image_do_not_join_those_of_the_next():
    """A faint line that a strong one of the next image lies upon is still no edge."""
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, 10:18, 10:18] = 60
    images[1, 10:18, 10:18] = 255
    alone = corrupted(images[:1].reshape(1, -1), "canny_edges", 1)
    assert not alone.any()
    assert np.array_equal(corrupted(images.reshape(2, -1), "canny_edges", 1)[:1], alone)
