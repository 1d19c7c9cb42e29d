import numpy as np
import pytest

from job.errors import DataError
from job.train.data.split import Split, hold_out, joined


@pytest.fixture
def images(balanced):
    return Split(balanced.pixels, balanced.labels)


def _rows_of(split, images):
    """The row in `images` of each image of the split; no two images have the same pixels."""
    places = {pixels.tobytes(): row for row, pixels in enumerate(images.pixels)}
    return [places[pixels.tobytes()] for pixels in split.pixels]


def test_every_image_is_on_exactly_one_side(images):
    """Rest and held out are disjoint, and cover everything."""
    rest, held_out = hold_out(images, 0.2, seed=1, where="x")
    assert sorted(_rows_of(rest, images) + _rows_of(held_out, images)) == list(range(200))
    assert len(held_out) == 40


def test_both_sides_hold_each_digit_in_proportion(images):
    """The split is stratified."""
    rest, held_out = hold_out(images, 0.2, seed=1, where="x")
    assert rest.class_counts == [16] * 10
    assert held_out.class_counts == [4] * 10


def test_images_keep_their_order_and_their_labels(images):
    """Each side keeps the order of the data, and labels stay with their pixels."""
    for side in hold_out(images, 0.3, seed=1, where="x"):
        rows = _rows_of(side, images)
        assert rows == sorted(rows)
        assert side.labels.tolist() == images.labels[rows].tolist()


def test_the_seed_alone_decides(images):
    """The same seed gives the same split, another seed another."""
    first, again, other = (hold_out(images, 0.2, seed=seed, where="x")[1] for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_too_few_images_of_a_digit_are_refused_by_name(images):
    """The message names the digit, how many images of it there are, and how many are needed."""
    few = images.rows(np.flatnonzero((images.labels != 7) | (np.arange(200) < 40)))
    with pytest.raises(DataError, match=r"train\.csv: holds 4 images of the digit 7, expected at least 10"):
        hold_out(few, 0.1, seed=1, where="train.csv")


def test_an_absent_digit_is_refused(images):
    """A network that has never seen a digit cannot recognise it."""
    with pytest.raises(DataError, match="holds 0 images of the digit 0"):
        hold_out(images.rows(np.flatnonzero(images.labels)), 0.2, seed=1, where="x")


def test_as_many_as_needed_are_enough(images):
    """Of ten images of a digit, a tenth is one."""
    _, held_out = hold_out(images.rows(np.arange(100)), 0.1, seed=1, where="x")
    assert held_out.class_counts == [1] * 10


def test_joining_no_splits_gives_no_images():
    """The arrays have the right shapes and dtypes."""
    empty = joined([])
    assert (empty.pixels.shape, empty.pixels.dtype, empty.labels.dtype) == ((0, 784), np.uint8, np.int8)
