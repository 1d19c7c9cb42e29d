"""IDX files of images and labels: MNIST's own, and every way to be damaged."""

import gzip
import struct

import numpy as np
import pytest
from support.batches import assert_same, read_all
from support.files import Digits, write_idx

from job.contract import PixelBatch, Reason
from job.errors import DataError, LayoutError
from job.read.idx import idx_source
from job.settings import ReadSettings

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def _source(storage, path, *, with_labels=True):
    return idx_source(storage, storage.stat(str(path)), ReadSettings(is_label_ignored=not with_labels))


def _labels(path, values, *, magic=0x801, announced=None):
    count = len(values) if announced is None else announced
    path.write_bytes(struct.pack(">II", magic, count) + bytes(values))


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("has_labels", [False, True], ids=["unlabelled", "labelled"])
def test_images_with_their_labels(storage, tmp_path, digits, is_compressed, has_labels):
    """Images, and labels if their file is beside, come in blocks of any size, plain or compressed."""
    path = write_idx(tmp_path, digits, is_compressed=is_compressed, has_labels=has_labels)
    source = _source(storage, path)
    assert (source.rows, source.has_labels, source.format) == (100, has_labels, "idx")
    expected = PixelBatch(digits.pixels, digits.labels if has_labels else None)
    for block_rows in (1, 2, 3, 1000):
        assert_same(read_all(source, storage, part_bytes=10 * 784, block_rows=block_rows), expected)


def test_pixels_of_the_scale_1(storage, tmp_path, digits):
    """With --scale 1, bytes 0 and 1 become 0 and 255, and a record with a byte above 1 is rejected."""
    black_and_white = (digits.pixels > 0).astype(np.uint8)
    stored = black_and_white.copy()
    stored[3, 7] = 2
    labels = digits.labels.copy()
    labels[[3, 5]] = 11
    path = write_idx(tmp_path, Digits(stored, labels))
    source = idx_source(storage, storage.stat(str(path)), ReadSettings(scale="1"))
    batch = read_all(source, storage, block_rows=4)
    expected = black_and_white * np.uint8(255)
    expected[3] = 0
    np.testing.assert_array_equal(batch.pixels, expected)
    assert source.pixel_scale == "1"
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (3, Reason.OUT_OF_RANGE, "pixel 8 is 2, expected 0-1"),
        (5, Reason.BAD_LABEL, "label is 11, expected 0-9"),
    ]


def test_unwanted_labels_are_not_read(storage, tmp_path, digits):
    """With --no-label, the file of labels may hold anything."""
    path = write_idx(tmp_path, digits)
    (tmp_path / LABELS).write_bytes(b"garbage")
    source = _source(storage, path, with_labels=False)
    assert read_all(source, storage).labels is None


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES, LABELS),
        (IMAGES, LABELS + ".gz"),
        (IMAGES + ".gz", LABELS),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("images.idx", "labels.idx"),
    ],
)
def test_names_of_images_and_labels(storage, tmp_path, digits, images, labels):
    """The labels have the images' name with `labels` for `images`, compressed or not."""
    for name, kind in ((images, IMAGES), (labels, LABELS)):
        folder = tmp_path / f"from {kind}"
        folder.mkdir()
        write_idx(folder, digits, is_compressed=name.endswith(".gz"))
        [written] = folder.glob(f"{kind}*")
        written.rename(tmp_path / name)
    np.testing.assert_array_equal(read_all(_source(storage, tmp_path / images), storage).labels, digits.labels)


def test_images_of_another_name_have_no_labels(storage, tmp_path, digits):
    """A name without `images` in it has no labels."""
    path = write_idx(tmp_path, digits).rename(tmp_path / "digits.idx")
    assert not _source(storage, path).has_labels


@pytest.mark.parametrize(
    ("part_bytes", "ranges"),
    [
        (1, [(0, 1), (1, 2), (2, 3)]),
        (784 * 2, [(0, 2), (2, 3)]),
        (784 * 2 + 783, [(0, 2), (2, 3)]),
        (10**9, [(0, 3)]),
    ],
)
def test_ranges_of_images(storage, tmp_path, digits, part_bytes, ranges):
    """A range has as many images as fit into a part, and at least one; a compressed file has one range."""
    assert _source(storage, write_idx(tmp_path, digits[:3])).split(part_bytes) == ranges
    assert _source(storage, write_idx(tmp_path, digits[:3], is_compressed=True)).split(part_bytes) == [(0, 3)]


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
def test_file_of_no_images(storage, tmp_path, digits, is_compressed):
    """A file that announces no image has one empty range."""
    source = _source(storage, write_idx(tmp_path, digits[:0], is_compressed=is_compressed))
    assert source.split(1000) == [(0, 0)]
    assert len(read_all(source, storage).pixels) == 0


def test_a_bad_label_leaves_the_image(storage, tmp_path, digits):
    """A label above 9 is rejected; the image is not."""
    path = write_idx(tmp_path, digits[:4])
    _labels(tmp_path / LABELS, [1, 10, 9, 255])
    batch = read_all(_source(storage, path), storage, block_rows=3)
    assert batch.labels.tolist() == [1, -1, 9, -1]
    np.testing.assert_array_equal(batch.pixels, digits.pixels[:4])
    assert [(each.row, each.reason, each.detail, each.column) for each in batch.rejects] == [
        (1, Reason.BAD_LABEL, "label is 10, expected 0-9", "label"),
        (3, Reason.BAD_LABEL, "label is 255, expected 0-9", "label"),
    ]


@pytest.mark.parametrize("shape", [(27, 27), (28, 27), (32, 32), (784, 1), (0, 0)])
def test_images_of_another_size(storage, tmp_path, shape):
    """Images must be 28x28."""
    path = tmp_path / IMAGES
    path.write_bytes(struct.pack(">IIII", 0x803, 1, *shape) + bytes(shape[0] * shape[1]))
    with pytest.raises(LayoutError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: holds images of {shape[0]}x{shape[1]}, expected 28x28"


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("change", [-1, -784, 1, 784])
def test_another_number_of_images_than_announced(storage, tmp_path, digits, is_compressed, change):
    """A file that is shorter or longer than its header says is damaged, compressed or not; no image is dropped."""
    plain = write_idx(tmp_path, digits[:3]).read_bytes()
    content = plain[:change] if change < 0 else plain + bytes(change)
    path = tmp_path / ("x" + (".gz" if is_compressed else ""))
    path.write_bytes(gzip.compress(content) if is_compressed else content)
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value).startswith(f"{path}: ")


def test_the_message_about_a_wrong_size(storage, tmp_path, digits):
    """It has the size found, the size expected and the reason."""
    path = write_idx(tmp_path, digits[:3])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: 2367 bytes, expected 2368 for the 3 images that its header announces"


@pytest.mark.parametrize("size", [4, 15])
def test_a_truncated_header(storage, tmp_path, digits, size):
    """A file that ends within its header is damaged."""
    path = write_idx(tmp_path, digits[:1])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: is truncated: {size} bytes where 16 were expected"


def test_truncated_images_in_a_gzip_file(storage, tmp_path, digits):
    """Fewer images than announced are noticed while a compressed file is read."""
    path = tmp_path / (IMAGES + ".gz")
    path.write_bytes(gzip.compress(write_idx(tmp_path, digits[:3], has_labels=False).read_bytes()[:-100]))
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value) == f"{path}: is truncated: 2252 bytes where 2352 were expected"


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">II", 0x801, 2) + bytes(2),
        struct.pack(">II", 0x801, 4) + bytes(4),
        struct.pack(">II", 0x803, 3) + bytes(3),
        struct.pack(">II", 0x801, 4) + bytes(3),
        b"",
        b"garbage",
    ],
    ids=["short", "long", "images", "announced", "empty", "garbage"],
)
def test_labels_that_do_not_fit_the_images(storage, tmp_path, digits, content):
    """There must be exactly one label for each image; the message names both files and their sizes."""
    path = write_idx(tmp_path, digits[:3])
    (tmp_path / LABELS).write_bytes(content)
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value) == (
        f"{tmp_path / LABELS}: expected an IDX file of 3 labels to go with {IMAGES}, found {max(0, len(content) - 8)} "
        "bytes of labels; leave them out with --no-label"
    )


def test_progress_adds_up_to_the_file(storage, tmp_path, digits):
    """The bytes read, as the batches say, add up to about the file's size."""
    source = _source(storage, write_idx(tmp_path, digits))
    sizes = [batch.size_bytes for each in source.split(784 * 30) for batch in source.read(storage, each, 10)]
    assert sum(sizes) == pytest.approx(source.file.size, abs=len(sizes))


def test_mnist_test_set(storage, mnist):
    """The 10,000 images of MNIST's test set are read with their labels; the first is a 7."""
    batch = read_all(_source(storage, mnist / "t10k-images-idx3-ubyte.gz"), storage)
    assert batch.pixels.shape == (10_000, 784)
    assert np.bincount(batch.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert batch.labels[0] == 7


def test_transposed_images(storage, tmp_path, digits):
    """With --transpose, images stored column by column, as in EMNIST, are read row by row."""
    turned = digits.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    path = write_idx(tmp_path, Digits(turned, digits.labels))
    source = idx_source(storage, storage.stat(str(path)), ReadSettings(is_transposed=True))
    batch = read_all(source, storage, part_bytes=10_000, block_rows=3)
    assert_same(batch, PixelBatch(digits.pixels, digits.labels))
    assert batch.pixels.flags.c_contiguous


def test_passthrough_columns_are_refused(storage, tmp_path, digits):
    """The format has no columns to keep."""
    path = write_idx(tmp_path, digits)
    with pytest.raises(LayoutError, match="is IDX, which has no columns and so no 'id'; leave --keep out"):
        idx_source(storage, storage.stat(str(path)), ReadSettings(keep=("id",)))


def test_bytes_of_0_and_1_need_the_users_word(tmp_path, storage, digits):
    """Binary images: whether 1 is full ink or nearly none is not guessed."""
    images = write_idx(tmp_path, Digits((digits.pixels > 127).astype(np.uint8), digits.labels))
    with pytest.raises(LayoutError, match="their scale is in doubt; add --scale 1 if"):
        idx_source(storage, storage.stat(str(images)))
    source = idx_source(storage, storage.stat(str(images)), ReadSettings(scale="1"))
    assert source.pixel_scale == "1"
