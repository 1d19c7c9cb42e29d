import hashlib

import numpy as np
import pytest
from support.files import write_csv, write_idx, write_parquet

from job.errors import DataError
from job.train.data.dataset import load


def _images(split):
    return {pixels.tobytes() for pixels in split.pixels}


@pytest.fixture
def csv_path(tmp_path, balanced):
    return str(write_csv(tmp_path / "train.csv", balanced))


def test_images_are_split_in_three(storage, csv_path, balanced):
    """A fifth for testing, the given share of the rest for validation; disjoint and stratified."""
    dataset = load(storage, csv_path, seed=1, validation_share=0.25)
    splits = (dataset.train, dataset.validation, dataset.test)
    assert [split.class_counts for split in splits] == [[12] * 10, [4] * 10, [4] * 10]
    assert set.union(*map(_images, splits)) == {pixels.tobytes() for pixels in balanced.pixels}
    assert sum(len(_images(split)) for split in splits) == 200


def test_the_same_seed_gives_the_same_splits(storage, csv_path):
    """Another seed gives others."""
    first, again, other = (load(storage, csv_path, seed=seed, validation_share=0.1) for seed in (1, 1, 2))
    for name in ("train", "validation", "test"):
        assert np.array_equal(getattr(first, name).pixels, getattr(again, name).pixels)
        assert not np.array_equal(getattr(first, name).pixels, getattr(other, name).pixels)


def test_mnists_own_test_images_are_the_test_split(storage, tmp_path, balanced):
    """All of t10k, in order, and none of it in the other two splits."""
    write_idx(tmp_path, balanced[:150], prefix="train")
    write_idx(tmp_path, balanced[150:], prefix="t10k")
    dataset = load(storage, str(tmp_path), seed=1, validation_share=0.2)
    assert np.array_equal(dataset.test.pixels, balanced.pixels[150:])
    assert (len(dataset.train), len(dataset.validation)) == (120, 30)
    assert not _images(dataset.test) & (_images(dataset.train) | _images(dataset.validation))


def test_test_images_decide_nothing_but_the_final_figure(storage, tmp_path, balanced):
    """Other t10k images do not change the training and validation splits."""
    write_idx(tmp_path, balanced[:150], prefix="train")
    splits = []
    for test in (balanced[150:], balanced[160:190]):
        write_idx(tmp_path, test, prefix="t10k")
        splits.append(load(storage, str(tmp_path), seed=1, validation_share=0.2))
    assert np.array_equal(splits[0].train.pixels, splits[1].train.pixels)
    assert np.array_equal(splits[0].validation.labels, splits[1].validation.labels)


def test_the_fingerprint_covers_the_data_before_splitting(storage, csv_path, balanced):
    """SHA-256 of all pixels and labels in their order, whatever the seed."""
    expected = hashlib.sha256(balanced.pixels.tobytes() + balanced.labels.tobytes()).hexdigest()
    assert {load(storage, csv_path, seed=seed, validation_share=0.1).fingerprint for seed in (1, 2)} == {expected}


def test_the_fingerprint_does_not_depend_on_the_format(storage, tmp_path, csv_path, balanced):
    """The same images as CSV and as Parquet are the same data."""
    parquet = str(write_parquet(tmp_path / "train.parquet", balanced))
    first, second = (load(storage, source, seed=1, validation_share=0.1) for source in (csv_path, parquet))
    assert first.fingerprint == second.fingerprint


def test_one_changed_pixel_or_label_changes_the_fingerprint(storage, tmp_path, csv_path, balanced):
    """Of the test images, too."""
    pixels, labels = balanced.pixels.copy(), balanced.labels.copy()
    pixels[199, 783] ^= 1
    labels[0] = 1
    changed = [type(balanced)(pixels, balanced.labels), type(balanced)(balanced.pixels, labels)]
    paths = [csv_path] + [str(write_csv(tmp_path / f"{index}.csv", digits)) for index, digits in enumerate(changed)]
    assert len({load(storage, path, seed=1, validation_share=0.1).fingerprint for path in paths}) == 3


def test_too_few_images_of_a_digit_name_the_data(storage, tmp_path, balanced):
    """The message says which file and which digit."""
    few = balanced[(balanced.labels != 3) | (np.arange(200) < 30)]
    path = str(write_csv(tmp_path / "few.csv", few))
    with pytest.raises(DataError, match=r"few\.csv: holds 3 images of the digit 3"):
        load(storage, path, seed=1, validation_share=0.1)
