import numpy as np
import pytest
from support.files import Digits, write_csv, write_idx, write_parquet
from support.training_data import find_images

from job.errors import DataError, NoInput, UsageError
from job.settings import LabelMap, ReadSettings


def _same(images, digits):
    return np.array_equal(images.pixels, digits.pixels) and np.array_equal(images.labels, digits.labels)


@pytest.mark.parametrize("has_header", [True, False])
def test_a_csv_file_is_read_whole_and_in_order(storage, tmp_path, balanced, has_header):
    """All rows, with or without a header."""
    found = find_images(storage, str(write_csv(tmp_path / "train.csv", balanced, has_header=has_header)))
    assert _same(found.images, balanced)
    assert found.test is None
    assert (found.name, found.sources, found.origin) == ("train.csv", (str(tmp_path / "train.csv"),), "files")


def test_a_parquet_file_is_read_whole_and_in_order(storage, tmp_path, balanced):
    """Across row groups."""
    path = write_parquet(tmp_path / "train.parquet", balanced, row_group_size=64)
    assert _same(find_images(storage, str(path)).images, balanced)


@pytest.mark.parametrize("location", ["", "*"])
def test_the_files_of_a_folder_or_glob_are_joined(storage, tmp_path, balanced, location):
    """In the order of their paths, whatever their formats."""
    write_csv(tmp_path / "a.csv", balanced[:50])
    write_parquet(tmp_path / "b.parquet", balanced[50:120])
    write_csv(tmp_path / "c.csv", balanced[120:], has_header=False)
    assert _same(find_images(storage, f"{tmp_path}/{location}").images, balanced)


@pytest.mark.parametrize("is_compressed", [True, False])
def test_an_idx_folder_brings_its_own_test_images(storage, tmp_path, balanced, is_compressed):
    """t10k is the test split, and is not in the training images."""
    write_idx(tmp_path, balanced[:150], prefix="train", is_compressed=is_compressed)
    write_idx(tmp_path, balanced[150:], prefix="t10k", is_compressed=is_compressed)
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])


def test_a_folder_of_only_one_idx_pair_has_no_test_images_of_its_own(storage, tmp_path, balanced):
    """It is read like any other file."""
    write_idx(tmp_path, balanced, prefix="train")
    found = find_images(storage, str(tmp_path))
    assert _same(found.images, balanced)
    assert found.test is None


def test_digits_have_the_form_of_mnist(storage):
    """Scikit-learn's digits become 28x28 images, 0-255, in a 20x20 box in the middle."""
    found = find_images(storage, "digits")
    images = found.images.pixels.reshape(-1, 28, 28)
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    assert images.max() == 255
    border = images.copy()
    border[:, 4:24, 4:24] = 0
    assert not border.any()
    assert found.images.labels[:10].tolist() == list(range(10))


def test_auto_takes_the_folder_of_mnist_dir(storage, tmp_path, balanced):
    """The source is then that folder, so that the same images can be found again."""
    write_idx(tmp_path, balanced, prefix="train")
    found = find_images(storage, "auto", mnist_dir=str(tmp_path))
    assert _same(found.images, balanced)
    assert (found.sources, found.origin, found.warning) == ((str(tmp_path),), "MNIST_DIR", None)


def test_auto_does_not_skip_a_missing_folder(storage, tmp_path):
    """MNIST_DIR is set on purpose."""
    with pytest.raises(NoInput, match="MNIST_DIR"):
        find_images(storage, "auto", mnist_dir=str(tmp_path / "none"))


def test_auto_falls_back_on_digits_and_says_so(storage, caplog):
    """The warning is logged, and returned with the images."""
    found = find_images(storage, "auto")
    assert (found.name, found.sources, found.origin) == ("digits", ("digits",), "scikit-learn")
    assert found.warning.startswith("NOT TRAINED ON MNIST, which cannot be downloaded here")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [found.warning]


def test_a_missing_file_is_no_input(storage, tmp_path):
    """As in scoring."""
    with pytest.raises(NoInput, match="found no file there"):
        find_images(storage, str(tmp_path / "none.csv"))


def test_a_file_without_labels_is_refused(storage, tmp_path, balanced):
    """The message says what a label looks like."""
    write_csv(tmp_path / "a.csv", balanced)
    write_csv(tmp_path / "test.csv", balanced, has_labels=False)
    with pytest.raises(DataError, match=r"test\.csv: has no labels.*a column named `label`"):
        find_images(storage, str(tmp_path))


def test_a_file_without_rows_is_refused(storage, tmp_path, balanced):
    """A header alone is not training data."""
    with pytest.raises(DataError, match="holds no images"):
        find_images(storage, str(write_csv(tmp_path / "train.csv", balanced[:0])))


def _spoiled(path, balanced, line, spoil):
    lines = write_csv(path, balanced).read_text().splitlines()
    lines[line - 1] = spoil(lines[line - 1])
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda line: line.rpartition(",")[0], r"line 1102 \(row 1100 from 0\): 784 values.*\[too_few_fields\]"),
        (lambda line: line[:-1] + "x", r"line 1102 .*\[not_a_number\]"),
        (lambda line: "17" + line[1:], r"line 1102 .*expected 0-9 \[bad_label\]"),
        (lambda line: line[1:], r"row 1100 \(from 0\): has no label"),
    ],
)
def test_the_first_unclean_record_is_named(storage, tmp_path, balanced, spoil, message):
    """By file, line, row and reason; also after the first block of rows."""
    many = balanced[np.arange(1200) % 200]
    path = _spoiled(tmp_path / "train.csv", many, 1102, spoil)
    with pytest.raises(DataError, match=r"train\.csv " + message):
        find_images(storage, path)


def test_an_unclean_record_of_a_binary_format_is_named_by_row(storage, tmp_path, balanced):
    """Binary formats have no lines."""
    labels = balanced.labels.copy()
    labels[42] = 11
    images = write_idx(tmp_path, type(balanced)(balanced.pixels, labels), prefix="train")
    with pytest.raises(DataError, match=r"row 42 \(from 0\): label is 11, expected 0-9 \[bad_label\]"):
        find_images(storage, str(images))


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_files_are_read_as_the_user_says(storage, tmp_path, balanced, write):
    """The label column, the pixel scale and the orientation all reach the reader."""
    stored = (balanced.pixels > 0).astype(np.uint8).reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    path = write(tmp_path / "train", Digits(stored, balanced.labels))
    found = find_images(storage, str(path), ReadSettings("label", scale="1", is_transposed=True))
    assert _same(found.images, Digits((balanced.pixels > 0) * np.uint8(255), balanced.labels))


def test_labels_are_read_as_a_map_says(storage, tmp_path, balanced):
    """Counted from 1, with a 10, which training data may not hold otherwise."""
    path = write_csv(tmp_path / "train.csv", Digits(balanced.pixels, balanced.labels + 1))
    from_1 = LabelMap("map.json", tuple(sorted((str(digit + 1), digit) for digit in range(10))))
    assert _same(find_images(storage, str(path), ReadSettings(label_map=from_1)).images, balanced)


def test_an_idx_folder_is_read_as_the_user_says(storage, tmp_path, balanced):
    """Training and test images are both transposed."""
    turned = Digits(balanced.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784), balanced.labels)
    write_idx(tmp_path, turned[:150], prefix="train")
    write_idx(tmp_path, turned[150:], prefix="t10k")
    found = find_images(storage, "auto", ReadSettings(is_transposed=True), mnist_dir=str(tmp_path))
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])


@pytest.mark.parametrize("is_archive", [True, False], ids=["npz", "idx"])
def test_training_and_test_images_are_both_inverted(storage, tmp_path, balanced, is_archive):
    """Dark digits on white, in an archive with both, and in MNIST's two pairs of files."""
    dark = Digits(255 - balanced.pixels, balanced.labels)
    if is_archive:
        arrays = {"x_train": dark.pixels[:150], "x_test": dark.pixels[150:]}
        np.savez(tmp_path / "a.npz", y_train=dark.labels[:150], y_test=dark.labels[150:], **arrays)
    else:
        write_idx(tmp_path, dark[:150], prefix="train")
        write_idx(tmp_path, dark[150:], prefix="t10k")
    found = find_images(storage, str(tmp_path), ReadSettings(is_inverted=True))
    assert _same(found.images, balanced[:150])
    assert _same(found.test, balanced[150:])


@pytest.mark.parametrize("source", ["mnist", "digits", "auto"])
def test_flags_for_files_are_refused_for_named_data(storage, source):
    """They would have no effect."""
    with pytest.raises(UsageError, match=f"^--data {source}: .*--invert and --group-column are for files"):
        find_images(storage, source, ReadSettings(is_transposed=True))
