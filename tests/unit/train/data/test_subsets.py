"""Training and test images that come together."""

import logging

import numpy as np
import pyarrow as pa
import pytest
from support.files import write_csv, write_parquet
from support.pictures import as_pictures, png
from support.training_data import find_images

from job.errors import DataError
from job.train.data.origin import find_images as find_all


def _same(images, digits):
    return np.array_equal(images.pixels, digits.pixels) and np.array_equal(images.labels, digits.labels)


def _archive(path, train, test, **others):
    arrays = {"x_train": train.pixels.reshape(-1, 28, 28), "y_train": train.labels}
    arrays |= {"x_test": test.pixels.reshape(-1, 28, 28), "y_test": test.labels}
    np.savez(path, **arrays, **others)


def _dataset(folder, digits):
    folder.mkdir()
    images = as_pictures(digits.pixels, is_struct=True)
    table = pa.table({"image": images, "label": digits.labels.astype("int64")})
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table, 50)
    (folder / "state.json").write_text("{}")


@pytest.mark.parametrize("is_folder", [False, True])
def test_an_archive_of_keras(storage, tmp_path, balanced, is_folder):
    """The test images are its own, whether the archive or its folder is named."""
    _archive(tmp_path / "mnist.npz", balanced[:150], balanced[150:])
    found = find_images(storage, str(tmp_path if is_folder else tmp_path / "mnist.npz"))
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])
    found = find_images(storage, str(tmp_path / "mnist.npz"), has_test=False)
    assert _same(found.images, balanced[:150])
    assert len(found.test) == 0


def test_images_for_validation(storage, tmp_path, balanced):
    """As MedMNIST has them."""
    few = balanced[:20]
    _archive(tmp_path / "a.npz", balanced[20:150], balanced[150:], x_val=few.pixels, y_val=few.labels)
    found = find_images(storage, str(tmp_path / "a.npz"))
    assert (len(found.images), len(found.test)) == (130, len(balanced) - 150)
    assert _same(found.validation, few)


def test_folders_of_pictures(storage, tmp_path, balanced):
    """As mnist_png has them: `training` and `testing`, and in each a folder for each digit."""
    for name, digits in (("training", balanced[:150]), ("testing", balanced[150:])):
        for row, (pixels, label) in enumerate(zip(digits.pixels, digits.labels, strict=True)):
            path = tmp_path / f"mnist/{name}/{label}/test_{row:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(pixels))
    found = find_images(storage, str(tmp_path / "mnist"))
    for images, digits in ((found.images, balanced[:150]), (found.test, balanced[150:])):
        order = np.argsort(digits.labels, kind="stable")
        assert _same(images, digits[order])
    alone = find_images(storage, str(tmp_path / "mnist/testing"))
    assert (len(alone.images), alone.test) == (len(balanced) - 150, None)


def test_an_archive_without_test_images(storage, tmp_path, balanced):
    """Is read like any other file."""
    np.savez(tmp_path / "a.npz", x=balanced.pixels, y=balanced.labels)
    found = find_images(storage, str(tmp_path / "a.npz"))
    assert _same(found.images, balanced)
    assert found.test is None


def test_arrays_of_their_own(storage, tmp_path, balanced):
    """x_train.npy, y_train.npy, x_test.npy and y_test.npy."""
    for name, digits in (("train", balanced[:150]), ("test", balanced[150:])):
        np.save(tmp_path / f"x_{name}.npy", digits.pixels)
        np.save(tmp_path / f"y_{name}.npy", digits.labels)
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])


def test_a_dataset_of_hugging_face(storage, tmp_path, balanced):
    """Folders `train` and `test`; one of them alone is read like any other file."""
    _dataset(tmp_path / "train", balanced[:150])
    _dataset(tmp_path / "test", balanced[150:])
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])
    found = find_images(storage, str(tmp_path / "train"))
    assert _same(found.images, balanced[:150])
    assert found.test is None


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("mnist_train.csv", "mnist_test.csv"),
        ("train/a.csv", "test/a.csv"),
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("training/3/x.parquet", "testing/3/x.parquet"),
        ("digits.train.csv", "t10k.csv"),
    ],
)
@pytest.mark.parametrize("pattern", ["", "/**/*"])
def test_names_tell_training_and_test_images(storage, tmp_path, balanced, train, test, pattern):
    """Of files, and of folders below the one that is named; they are not pooled and split anew."""
    for name, digits in ((train, balanced[:150]), (test, balanced[150:])):
        path = tmp_path / "test in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (write_csv if name.endswith("csv") else write_parquet)(path, digits)
    found = find_images(storage, f"{tmp_path}/test in{pattern}")
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])
    assert found.validation is None


def test_files_that_are_named_one_by_one(storage, tmp_path, balanced):
    """Are a pair by their names; others among them are to train on."""
    paths = [
        str(write_csv(tmp_path / name, digits))
        for name, digits in (("a.csv", balanced[:50]), ("test.csv", balanced[150:]), ("train.csv", balanced[50:150]))
    ]
    (found,) = find_all(storage, paths)
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])


def test_images_for_validation_in_files(storage, tmp_path, balanced):
    """Images to test with are then held out, if there are none."""
    write_csv(tmp_path / "train.csv", balanced[:150])
    write_csv(tmp_path / "validation.csv", balanced[150:])
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced[:150])
    assert _same(found.validation, balanced[150:])
    assert found.test is None


def test_test_images_without_labels_are_left_out(storage, tmp_path, balanced, caplog):
    """Kaggle's folder: its test.csv is for the competition, and its sample_submission.csv holds no images."""
    write_csv(tmp_path / "train.csv", balanced)
    write_csv(tmp_path / "test.csv", balanced[:20], has_labels=False)
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    with caplog.at_level(logging.INFO):
        found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced)
    assert found.test is None
    assert "test.csv: left out: no labels; some of the images to train on are held out instead" in caplog.text
    assert "sample_submission.csv: left out: unlike those of other files, the names do not tell" in caplog.text


@pytest.mark.parametrize("name", ["latest.csv", "trainstation.csv", "train_test.csv", "contest/a.csv"])
def test_names_that_only_look_alike(storage, tmp_path, balanced, name):
    """Tell nothing."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write_csv(tmp_path / name, balanced[150:])
    write_csv(tmp_path / "z.csv", balanced[:150])
    found = find_images(storage, str(tmp_path))
    assert len(found.images) == len(balanced)
    assert found.test is None


def test_other_files_beside(storage, tmp_path, balanced):
    """Where no names tell a pair, all images are for training."""
    np.savez(tmp_path / "x_train.npz", x_train=balanced.pixels[:100], y_train=balanced.labels[:100])
    write_csv(tmp_path / "z.csv", balanced[100:])
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced)
    assert found.test is None


def test_test_images_of_one_archive_only(storage, tmp_path, balanced, caplog):
    """Are left out, with a warning: those of the other file would not be tested."""
    _archive(tmp_path / "mnist.npz", balanced[:100], balanced[150:])
    write_csv(tmp_path / "z.csv", balanced[100:150])
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced[:150])
    assert found.test is None
    assert "mnist.npz: its arrays test are left out: other files have none" in caplog.text


def test_a_bad_record_of_the_test_images(storage, tmp_path, balanced):
    """Ends the command as one of the training images does."""
    labels = balanced.labels.astype(int)
    labels[160] = 10
    _archive(tmp_path / "mnist.npz", balanced[:150], balanced[150:])
    np.savez(
        tmp_path / "mnist.npz",
        x_train=balanced.pixels[:150], y_train=labels[:150], x_test=balanced.pixels[150:], y_test=labels[150:],
    )  # fmt: skip
    with pytest.raises(DataError, match=r"mnist.npz row 10 \(from 0\): y_test is 10, expected 0-9"):
        find_images(storage, str(tmp_path / "mnist.npz"))
