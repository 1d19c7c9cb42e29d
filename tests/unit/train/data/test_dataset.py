import hashlib
import logging
import re

import numpy as np
import pytest
from support.files import write_csv, write_idx, write_parquet
from support.training_data import load

from job.errors import DataError, UsageError
from job.train.data.dataset import load as load_all
from job.train.data.split import joined
from job.train.train_settings import DataSettings


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


@pytest.fixture
def two_files(tmp_path, balanced):
    return tuple(
        str(write_csv(tmp_path / name, digits))
        for name, digits in (("a.csv", balanced[:150]), ("b.csv", balanced[150:]))
    )


def test_several_sources_are_trained_on_together(storage, two_files, balanced):
    """As the one file that holds both, and beside sources with a name."""
    dataset = load_all(storage, DataSettings(two_files), seed=1)
    assert _images(joined([dataset.train, dataset.validation, dataset.test])) == set(map(bytes, balanced.pixels))
    assert dataset.sources == two_files
    with_digits = load_all(storage, DataSettings((two_files[0], "digits")), seed=1)
    assert len(with_digits.train) + len(with_digits.validation) + len(with_digits.test) == 150 + 1797
    assert (with_digits.name, with_digits.origin) == ("digits, a.csv", "scikit-learn, files")


def test_test_images_of_ones_own(storage, two_files, balanced):
    """All of them are for testing, and none are held out of the others."""
    dataset = load_all(storage, DataSettings(two_files[:1], test_sources=two_files[1:], validation_share=0.2), seed=1)
    assert np.array_equal(dataset.test.pixels, balanced.pixels[150:])
    assert (len(dataset.train), len(dataset.validation)) == (120, 30)
    assert (dataset.test_sources, dataset.test_share) == (two_files[1:], None)
    assert dataset.description == (
        f"120 images to train on, 30 to validate with (0.2 of them, held out), 50 to test with ({two_files[1]})"
    )


def test_named_test_images_come_before_those_that_the_data_has(storage, tmp_path, two_files, balanced, caplog):
    """Which are left out, and neither trained on nor tested with."""
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx", balanced[:100], prefix="train")
    write_idx(tmp_path / "idx", balanced[100:150], prefix="t10k")
    settings = DataSettings((str(tmp_path / "idx"),), test_sources=two_files[1:])
    with caplog.at_level(logging.INFO):
        dataset = load_all(storage, settings, seed=1)
    assert np.array_equal(dataset.test.pixels, balanced.pixels[150:])
    assert len(dataset.train) + len(dataset.validation) == 100
    assert "idx: its own test images are left out: --test-data names others" in caplog.text


def test_the_share_of_test_images_can_be_set(storage, csv_path):
    dataset = load(storage, csv_path, seed=1, test_share=0.5, validation_share=0.2)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [80, 20, 100]
    assert dataset.description.endswith("100 to test with (0.5 of all, held out)")


@pytest.mark.parametrize("purpose", ["test", "validation"])
def test_a_share_that_nothing_is_held_out_by_is_refused(storage, tmp_path, balanced, purpose):
    """Whoever gives it expects the data to be split by it."""
    for name, digits in (("train", balanced[:120]), ("test", balanced[120:160]), ("val", balanced[160:])):
        write_csv(tmp_path / f"{name}.csv", digits)
    assert load(storage, str(tmp_path), seed=1).description == (
        "120 images to train on, 40 to validate with (its own), 40 to test with (its own)"
    )
    with pytest.raises(UsageError, match=f"--{purpose}-split 0.2: the data comes with such images of its own"):
        load(storage, str(tmp_path), seed=1, **{f"{purpose}_share": 0.2})


def test_test_images_that_are_trained_on(storage, tmp_path, two_files, balanced, caplog):
    """All of them: refused; some: a warning, which the card and every report have."""
    with pytest.raises(DataError, match="all 150 test images are also to train on"):
        load_all(storage, DataSettings(two_files, test_sources=two_files[:1]), seed=1, has_test=True)
    some = str(write_csv(tmp_path / "c.csv", balanced[140:160]))
    dataset = load_all(storage, DataSettings(two_files[:1], test_sources=(some,)), seed=1)
    assert re.fullmatch(r"10 of 20 test images are also to train on: expect .*", dataset.warning)
    assert dataset.warning in caplog.text


def test_a_source_that_is_given_twice_is_refused(storage, two_files):
    """Twice the same images would be in two splits."""
    with pytest.raises(UsageError, match="mnist: is given twice; give it once"):
        load_all(storage, DataSettings(("mnist", *two_files, "mnist")), seed=1)


@pytest.mark.parametrize("has_own", [False, True])
def test_without_validation_its_images_are_to_train_on(storage, tmp_path, balanced, has_own):
    """Of their own or held out; the test images and the fingerprint are those of a training."""
    own = {"x_val": balanced.pixels[:20], "y_val": balanced.labels[:20]} if has_own else {}
    images = balanced[20:]
    np.savez(tmp_path / "a.npz", x_train=images.pixels, y_train=images.labels, **own)
    source = str(tmp_path / "a.npz")
    split, whole = (load(storage, source, seed=1, has_validation=each) for each in (True, False))
    assert (len(split.validation) == 20) == has_own
    assert len(whole.validation) == 0
    assert _images(whole.train) == _images(split.train) | _images(split.validation)
    assert len(whole.train) == len(split.train) + len(split.validation)
    assert _images(whole.test) == _images(split.test)
    assert whole.fingerprint == split.fingerprint
