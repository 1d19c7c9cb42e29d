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
@pytest.mark.parametrize("block_rows", [1, 2, 3, 1000])
def test_images_with_their_labels(storage, tmp_path, digits, is_compressed, has_labels, block_rows):
    """MNIST's own files give their images and, where they lie beside, their labels, block by block."""
    path = write_idx(tmp_path, digits, is_compressed=is_compressed, has_labels=has_labels)
    source = _source(storage, path)
    assert (source.rows, source.has_labels, source.format) == (100, has_labels, "idx")
    expected = PixelBatch(digits.pixels, digits.labels if has_labels else None)
    assert_same(read_all(source, storage, part_bytes=10 * 784, block_rows=block_rows), expected)


def test_full_ink_may_be_1(storage, tmp_path, digits):
    """With --scale 1 black and white images of 0 and 1 come out as 0 and 255; a byte above 1 costs its record."""
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
    assert source.scale == "1"
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (3, Reason.OUT_OF_RANGE, "pixel 8 is 2, expected 0-1"),
        (5, Reason.BAD_LABEL, "label 11, expected 0-9"),
    ]


def test_labels_may_be_left_alone(storage, tmp_path, digits):
    """Without labels wanted, a file of labels beside is not looked at."""
    path = write_idx(tmp_path, digits)
    (tmp_path / LABELS).write_bytes(b"rubbish")
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
    """Labels are found under the images' name with `labels` for `images`, packed or not."""
    for name, kind in ((images, IMAGES), (labels, LABELS)):
        folder = tmp_path / f"from {kind}"
        folder.mkdir()
        write_idx(folder, digits, is_compressed=name.endswith(".gz"))
        [written] = folder.glob(f"{kind}*")
        written.rename(tmp_path / name)
    np.testing.assert_array_equal(read_all(_source(storage, tmp_path / images), storage).labels, digits.labels)


def test_images_of_another_name_have_no_labels(storage, tmp_path, digits):
    """A name without `images` in it leads to no labels."""
    path = write_idx(tmp_path, digits).rename(tmp_path / "digits.idx")
    assert not _source(storage, path).has_labels


@pytest.mark.parametrize(
    ("part_bytes", "spans"),
    [
        (1, [(0, 1), (1, 2), (2, 3)]),
        (784 * 2, [(0, 2), (2, 3)]),
        (784 * 2 + 783, [(0, 2), (2, 3)]),
        (10**9, [(0, 3)]),
    ],
)
def test_parts_are_ranges_of_images(storage, tmp_path, digits, part_bytes, spans):
    """A part is as many images as fit into its size, and at least one; a gzip file is one part."""
    assert _source(storage, write_idx(tmp_path, digits[:3])).spans(part_bytes) == spans
    assert _source(storage, write_idx(tmp_path, digits[:3], is_compressed=True)).spans(part_bytes) == [(0, 3)]


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
def test_file_of_no_images(storage, tmp_path, digits, is_compressed):
    """A file that announces no image is one part with nothing in it."""
    source = _source(storage, write_idx(tmp_path, digits[:0], is_compressed=is_compressed))
    assert source.spans(1000) == [(0, 0)]
    assert len(read_all(source, storage).pixels) == 0


def test_label_10_is_rejected_and_the_image_kept(storage, tmp_path, digits):
    """A label above 9 is a bad label: the image stays, the label goes."""
    path = write_idx(tmp_path, digits[:4])
    _labels(tmp_path / LABELS, [1, 10, 9, 255])
    batch = read_all(_source(storage, path), storage, block_rows=3)
    assert batch.labels.tolist() == [1, -1, 9, -1]
    np.testing.assert_array_equal(batch.pixels, digits.pixels[:4])
    assert [(each.row, each.reason, each.detail, each.column) for each in batch.rejects] == [
        (1, Reason.BAD_LABEL, "label 10, expected 0-9", "label"),
        (3, Reason.BAD_LABEL, "label 255, expected 0-9", "label"),
    ]


@pytest.mark.parametrize("shape", [(27, 27), (28, 27), (32, 32), (784, 1), (0, 0)])
def test_images_of_another_size(storage, tmp_path, shape):
    """Only images of 28x28 are digits to this job."""
    path = tmp_path / IMAGES
    path.write_bytes(struct.pack(">IIII", 0x803, 1, *shape) + bytes(shape[0] * shape[1]))
    with pytest.raises(LayoutError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: holds images of {shape[0]}x{shape[1]}, expected 28x28"


@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("change", [-1, -784, 1, 784])
def test_images_that_are_not_as_many_as_announced(storage, tmp_path, digits, is_compressed, change):
    """Content that is shorter or longer than the header says is damaged, packed or not: no image is dropped."""
    plain = write_idx(tmp_path, digits[:3]).read_bytes()
    content = plain[:change] if change < 0 else plain + bytes(change)
    path = tmp_path / ("x" + (".gz" if is_compressed else ""))
    path.write_bytes(gzip.compress(content) if is_compressed else content)
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value).startswith(f"{path}: ")


def test_message_about_a_wrong_size(storage, tmp_path, digits):
    """The message gives the size found, the size expected and why."""
    path = write_idx(tmp_path, digits[:3])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: 2367 bytes, expected 2368 for the 3 images its header announces"


@pytest.mark.parametrize("size", [4, 15])
def test_header_cut_off(storage, tmp_path, digits, size):
    """A file that ends within its header is damaged."""
    path = write_idx(tmp_path, digits[:1])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: ends early: {size} bytes where 16 were expected"


def test_gzip_images_that_end_early(storage, tmp_path, digits):
    """A packed file with fewer images than announced is found out while it is read."""
    path = tmp_path / (IMAGES + ".gz")
    path.write_bytes(gzip.compress(write_idx(tmp_path, digits[:3], has_labels=False).read_bytes()[:-100]))
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value) == f"{path}: ends early: 2252 bytes where 2352 were expected"


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">II", 0x801, 2) + bytes(2),
        struct.pack(">II", 0x801, 4) + bytes(4),
        struct.pack(">II", 0x803, 3) + bytes(3),
        struct.pack(">II", 0x801, 4) + bytes(3),
        b"",
        b"rubbish",
    ],
    ids=["short", "long", "images", "announced", "empty", "rubbish"],
)
def test_labels_that_do_not_fit(storage, tmp_path, digits, content):
    """Labels that are not exactly one per image are not guessed at; the message names both files and their sizes."""
    path = write_idx(tmp_path, digits[:3])
    (tmp_path / LABELS).write_bytes(content)
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value) == (
        f"{tmp_path / LABELS}: expected an IDX file of 3 labels to go with {IMAGES}, found {max(0, len(content) - 8)} "
        "bytes of labels; leave them out with --no-label"
    )


def test_progress_adds_up_to_the_file(storage, tmp_path, digits):
    """What the batches say of bytes read is about the file's size."""
    source = _source(storage, write_idx(tmp_path, digits))
    sizes = [batch.size_bytes for span in source.spans(784 * 30) for batch in source.read(storage, span, 10)]
    assert sum(sizes) == pytest.approx(source.file.size, abs=len(sizes))


def test_mnist_itself(storage, mnist):
    """The ten thousand images of MNIST's test set are read with their labels: the first is a 7."""
    batch = read_all(_source(storage, mnist / "t10k-images-idx3-ubyte.gz"), storage)
    assert batch.pixels.shape == (10_000, 784)
    assert np.bincount(batch.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert batch.labels[0] == 7


def test_transposed_images_are_turned(storage, tmp_path, digits):
    """With --transpose images stored column by column, as in EMNIST, come out row by row."""
    turned = digits.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    path = write_idx(tmp_path, Digits(turned, digits.labels))
    source = idx_source(storage, storage.stat(str(path)), ReadSettings(is_transposed=True))
    batch = read_all(source, storage, part_bytes=10_000, block_rows=3)
    assert_same(batch, PixelBatch(digits.pixels, digits.labels))
    assert batch.pixels.flags.c_contiguous


def test_there_are_no_columns_to_keep(storage, tmp_path, digits):
    """A name to keep is refused, because the format has no names."""
    path = write_idx(tmp_path, digits)
    with pytest.raises(LayoutError, match="is IDX, which has no columns and so no 'id'; leave --keep out"):
        idx_source(storage, storage.stat(str(path)), ReadSettings(keep=("id",)))
