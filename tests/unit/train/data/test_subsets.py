"""Training and test images that come together."""

import numpy as np
import pyarrow as pa
import pytest
from support.files import write_csv
from support.pictures import as_pictures

from job.errors import DataError
from job.train.data.origin import find_images


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


def test_images_for_validation_are_left_out(storage, tmp_path, balanced):
    """As MedMNIST has them."""
    few = balanced[:20]
    _archive(tmp_path / "a.npz", balanced[:150], balanced[150:], x_val=few.pixels, y_val=few.labels)
    found = find_images(storage, str(tmp_path / "a.npz"))
    assert (len(found.images), len(found.test)) == (150, len(balanced) - 150)


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


def test_other_files_beside(storage, tmp_path, balanced):
    """Where not all names tell a subset, all images are for training."""
    np.savez(tmp_path / "x_train.npz", x_train=balanced.pixels[:100], y_train=balanced.labels[:100])
    write_csv(tmp_path / "z.csv", balanced[100:])
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced)
    assert found.test is None


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
