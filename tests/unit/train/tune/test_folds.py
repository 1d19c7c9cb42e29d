import numpy as np
import pytest

from job.errors import DataError
from job.train.data.dataset import Dataset
from job.train.data.split import Split, joined
from job.train.tune.folds import split_folds


def _dataset(labels, validation=()):
    def split(labels):
        labels = np.array(labels, np.int8)
        pixels = np.zeros((len(labels), 784), np.uint8)
        pixels[:, :2] = np.arange(len(labels), dtype=np.uint16).view(np.uint8).reshape(-1, 2)
        return Split(pixels, labels)

    return Dataset("mine", ("in/mine.csv",), split(labels), split(validation), joined([]), "f" * 64)


@pytest.fixture(scope="module")
def dataset():
    """Images of each digit in unequal numbers; the first two pixels have the place of each."""
    return _dataset(np.random.default_rng(0).permutation(np.repeat(np.arange(10), np.arange(10) * 3 + 5)))


def _places(images):
    low, high = images.pixels[:, :2].astype(int).T
    return low + 256 * high


def test_each_image_rates_once_and_is_otherwise_trained_on(dataset):
    """The folds are disjoint and cover the training images; order is kept."""
    folds = split_folds(dataset, 4, seed=1)
    assert len(folds) == len(list(folds)) == 4
    rated = np.concatenate([_places(each.validation) for each in folds])
    assert sorted(rated) == list(range(len(dataset.train)))
    assert folds.rated_images == len(dataset.train)
    for each in folds:
        both = np.concatenate([_places(each.train), _places(each.validation)])
        assert sorted(both) == list(range(len(dataset.train)))
        assert (np.diff(_places(each.train)) > 0).all()
        assert np.array_equal(dataset.train.labels[_places(each.train)], each.train.labels)


def test_each_fold_has_its_share_of_every_digit(dataset):
    """To one image."""
    for each in split_folds(dataset, 4, seed=1):
        for total, found in zip(dataset.train.class_counts, each.validation.class_counts, strict=True):
            assert abs(found - total / 4) < 1


def test_the_seed_decides_the_folds(dataset):
    """The same seed, the same folds."""

    def rated(seed):
        return [_places(each.validation).tolist() for each in split_folds(dataset, 3, seed=seed)]

    assert rated(1) == rated(1) != rated(2)


def test_one_fold_is_the_validation_split():
    """As without cross-validation."""
    dataset = _dataset(range(10), validation=range(10))
    folds = split_folds(dataset, 1, seed=1)
    assert list(folds) == [dataset]
    assert folds.rated_images == 10


@pytest.mark.parametrize(("count", "found"), [(0, "0 training images"), (1, "1 training image"), (2, "2 training im")])
def test_a_digit_with_fewer_images_than_folds_is_refused(count, found):
    """With the digit, the number and the flag."""
    labels = [*np.repeat(np.arange(9), 5), *[9] * count]
    with pytest.raises(DataError, match=rf"in/mine.csv: has {found}.* of the digit 9, expected at least 3 .*--folds 3"):
        split_folds(_dataset(labels), 3, seed=1)
