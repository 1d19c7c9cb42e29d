"""Images in NumPy's files: the same pixels, labels and rejects as from CSV; and every way to be refused."""

import bz2
import gzip
import io
import logging
import struct
import zipfile
import zlib

import numpy as np
import pytest
from support.batches import assert_same, joined, read_all
from support.files import make_digits

from job.contract import PixelBatch, Reason
from job.errors import DataError, LayoutError
from job.read.source import look
from job.settings import ReadSettings

# More than a block, and several parts.
DIGITS = make_digits(60)


@pytest.fixture
def opened(storage):
    """A function that returns the sources of files, with settings as keywords."""
    return lambda *paths, **choices: look(storage, [storage.stat(str(path)) for path in paths], ReadSettings(**choices))


def assert_digits(source, storage, *, labels=DIGITS.labels, pixels=DIGITS.pixels):
    """In parts and blocks of any size."""
    for part_bytes, block_rows in ((1 << 30, 1000), (784 * 25, 7), (1, 1000)):
        batches = [batch for each in source.split(part_bytes) for batch in source.read(storage, each, block_rows)]
        assert_same(joined(batches), PixelBatch(pixels, labels))
        assert all(batch.pixels.flags.c_contiguous and batch.pixels.dtype == np.uint8 for batch in batches)
        assert max(len(batch.pixels) for batch in batches) <= block_rows


SHAPES = {
    "n x 784": (-1, 784),
    "n x 28 x 28": (-1, 28, 28),
    "n x 28 x 28 x 1": (-1, 28, 28, 1),
    "n x 1 x 28 x 28": (-1, 1, 28, 28),
}
SAVERS = {"stored": np.savez, "deflated": np.savez_compressed}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS)
@pytest.mark.parametrize("type_", ["u1", "i8", ">i2", "f4", ">f8"])
def test_archives(opened, storage, tmp_path, shape, save, type_):
    """Any shape and any type of numbers."""
    save(tmp_path / "a.npz", x=DIGITS.pixels.reshape(shape).astype(type_), y=DIGITS.labels)
    [source] = opened(tmp_path / "a.npz")
    assert (source.format, source.rows, source.has_labels) == ("numpy", 60, True)
    assert_digits(source, storage)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("is_archive", "type_"), [(False, "f8"), (True, "u1")])
def test_fortran_order(opened, storage, tmp_path, monkeypatch, shape, is_archive, type_):
    """Pandas' to_numpy returns it: columns are stored one after another, and read in windows."""
    array = np.asfortranarray(DIGITS.pixels.reshape(shape).astype(type_))
    if is_archive:
        np.savez(tmp_path / "a.npz", images=array, labels=DIGITS.labels)
    else:
        np.save(tmp_path / "images.npy", array)
        np.save(tmp_path / "labels.npy", DIGITS.labels)
    for window_bytes in (784 * 10, 1 << 24):
        monkeypatch.setattr("job.read.numpy_files.stored_array._WINDOW_BYTES", window_bytes)
        [source] = opened(tmp_path / ("a.npz" if is_archive else "images.npy"))
        assert source.images.is_fortran
        assert_digits(source, storage)


def test_fortran_order_and_compressed(opened, tmp_path):
    """Cannot be read in bounded memory."""
    np.savez_compressed(tmp_path / "a.npz", x=np.asfortranarray(DIGITS.pixels))
    with pytest.raises(LayoutError, match=r"a.npz \(x\): is compressed and in Fortran's order, .*; save numpy.ascont"):
        opened(tmp_path / "a.npz")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_single_arrays(opened, storage, tmp_path, pack):
    """A `.npy` file, compressed or not, without labels."""
    file = io.BytesIO()
    np.save(file, DIGITS.pixels.reshape(-1, 28, 28))
    (tmp_path / "a.npy").write_bytes(pack(file.getvalue()))
    [source] = opened(tmp_path / "a.npy")
    assert_digits(source, storage, labels=None)


def test_one_image(opened, storage, tmp_path):
    """An array of 28 x 28 is one."""
    np.save(tmp_path / "a.npy", DIGITS.pixels[0].reshape(28, 28))
    [source] = opened(tmp_path / "a.npy")
    assert_digits(source, storage, labels=None, pixels=DIGITS.pixels[:1])


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images.npy", "labels.npy"),
        ("train_images.npy", "train_labels.npy"),
        ("X.npy", "y.npy"),
        ("x_test.npy", "y_test.npy"),
        ("test_x.npy", "test_y.npy"),
        ("kmnist-test-imgs.npz", "kmnist-test-labels.npz"),
    ],
)
def test_labels_beside(opened, storage, tmp_path, images, labels, caplog):
    """In a file named like that of the images; it is no source of its own, and part of what must not change."""
    for name, array in ((images, DIGITS.pixels), (labels, DIGITS.labels)):
        (np.savez if name.endswith("z") else np.save)(tmp_path / name, array)
    [source] = opened(tmp_path / images, tmp_path / labels)
    assert [file.name for file in source.files] == [images, labels]
    assert_digits(source, storage)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    with pytest.raises(DataError, match="holds labels only; name the file of images"):
        opened(tmp_path / labels)


KERAS = {
    "x_train": DIGITS.pixels[:40].reshape(-1, 28, 28), "y_train": DIGITS.labels[:40],
    "x_test": DIGITS.pixels[40:].reshape(-1, 28, 28), "y_test": DIGITS.labels[40:],
}  # fmt: skip


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: {"x": "images", "y": "labels"}[name[0]] + name[1:],
        lambda name: f"{name[2:]}_{'images' if name[0] == 'x' else 'labels'}",
        lambda name: name.upper(),
    ],
)
def test_training_and_test_images(opened, storage, tmp_path, rename, caplog):
    """Scoring takes the test images, and says so; labels of shape n x 1 are labels, too, as in MedMNIST."""
    arrays = {rename(name): array.reshape(-1, 1) if name[0] == "y" else array for name, array in KERAS.items()}
    np.savez(tmp_path / "mnist.npz", **arrays)
    with caplog.at_level(logging.INFO):
        [source] = opened(tmp_path / "mnist.npz")
    assert_digits(source, storage, labels=DIGITS.labels[40:], pixels=DIGITS.pixels[40:])
    images, labels = rename("x_test"), rename("y_test")
    skipped = f"{rename('x_train')}, {rename('y_train')}"
    assert source.describe_columns() == f"images of 28x28 ({images}) + labels ({labels}) + 2 skipped ({skipped})"
    assert f"mnist.npz: reading {images}; skipped {skipped}" in caplog.text


def test_labels_of_another_subset(opened, tmp_path):
    """Are refused, even if there are as many as images."""
    few = {name: array[:20] for name, array in KERAS.items()}
    np.savez(tmp_path / "mnist.npz", **few)
    assert opened(tmp_path / "mnist.npz", label_column="y_test")[0].labels.name == "y_test"
    with pytest.raises(LayoutError, match="y_train are not the labels of x_test, which is read; save the images that"):
        opened(tmp_path / "mnist.npz", label_column="y_train")


@pytest.mark.parametrize(
    ("arrays", "images", "labels"),
    [
        ({"arr_0": DIGITS.pixels, "arr_1": DIGITS.labels}, "arr_0", "arr_1"),
        ({"data": DIGITS.pixels, "target": DIGITS.labels, "ids": np.arange(60)}, "data", "target"),
        ({"x_train": DIGITS.pixels, "y_train": DIGITS.labels}, "x_train", "y_train"),
        ({"whatever": DIGITS.pixels, "ids": np.arange(60)}, "whatever", None),
        ({"x": DIGITS.pixels, "embedding": DIGITS.pixels, "y": DIGITS.labels}, "x", "y"),
    ],
)
def test_which_arrays(opened, tmp_path, arrays, images, labels):
    """By shape, and by name where shapes leave it open."""
    np.savez(tmp_path / "a.npz", **arrays)
    [source] = opened(tmp_path / "a.npz")
    assert (source.images.name, source.labels and source.labels.name) == (images, labels)


def test_flags(opened, storage, tmp_path):
    """They mean what they mean for other formats."""
    turned = DIGITS.pixels.reshape(-1, 28, 28).transpose(0, 2, 1)
    np.savez(tmp_path / "a.npz", x=turned, y=DIGITS.labels[::-1], mine=DIGITS.labels)
    [source] = opened(tmp_path / "a.npz", label_column="mine", is_transposed=True)
    assert_digits(source, storage)
    [source] = opened(tmp_path / "a.npz", is_label_ignored=True)
    assert not source.has_labels
    with pytest.raises(LayoutError, match=r"has no array 'other'; found x, y, mine"):
        opened(tmp_path / "a.npz", label_column="other")
    with pytest.raises(LayoutError, match=r"is NumPy's, which has no columns and so no 'id'; leave --keep out"):
        opened(tmp_path / "a.npz", keep=("id",))


@pytest.mark.parametrize("type_", ["f2", "f4", "f8"])
def test_fractions(opened, storage, tmp_path, type_):
    """The scale is recognised, or stated."""
    np.savez(tmp_path / "a.npz", x=(DIGITS.pixels / 255).astype(type_), y=DIGITS.labels)
    for scale in ("auto", "1"):
        [source] = opened(tmp_path / "a.npz", scale=scale)
        assert source.pixel_scale == "1"
        assert_digits(source, storage)


def test_booleans(opened, storage, tmp_path):
    """True is full ink."""
    np.savez(tmp_path / "a.npz", x=DIGITS.pixels > 127, y=DIGITS.labels)
    [source] = opened(tmp_path / "a.npz")
    assert_digits(source, storage, pixels=np.where(DIGITS.pixels > 127, 255, 0).astype(np.uint8))
    with pytest.raises(LayoutError, match="its pixels are booleans"):
        opened(tmp_path / "a.npz", scale="255")


@pytest.mark.parametrize(
    "labels",
    [DIGITS.labels.astype(str), DIGITS.labels.astype("S"), DIGITS.labels.astype("f8"), DIGITS.labels.astype(">i4")],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_other_types(opened, storage, tmp_path, labels):
    """Text, bytes, floats and big-endian integers."""
    np.savez(tmp_path / "a.npz", x=DIGITS.pixels, y=labels)
    [source] = opened(tmp_path / "a.npz")
    assert_digits(source, storage)


def test_rejects(opened, storage, tmp_path):
    """A number that is no pixel rejects its own record; a label that is none does not."""
    pixels, labels = DIGITS.pixels.astype("f8"), DIGITS.labels.astype("f8")
    pixels[3, 5], pixels[20, 7], pixels[33, 0], pixels[40, 1] = 256, np.nan, 0.5, np.inf
    labels[4], labels[5] = 10, np.nan
    np.savez(tmp_path / "a.npz", x=pixels, y=labels)
    [source] = opened(tmp_path / "a.npz", scale="255")
    batch = read_all(source, storage, part_bytes=784 * 100, block_rows=7)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (3, Reason.OUT_OF_RANGE, "x[5] is 256.0, expected 0-255"),
        (4, Reason.BAD_LABEL, "y is 10.0, expected 0-9"),
        (20, Reason.MISSING_VALUE, "x[7] is empty, expected 0-255"),
        (33, Reason.NOT_AN_INTEGER, "x[0] is 0.5, expected a whole number 0-255"),
        (40, Reason.NOT_A_NUMBER, "x[1] is inf, expected 0-255"),
    ]
    bad = [3, 20, 33, 40]
    assert not batch.pixels[bad].any()
    np.testing.assert_array_equal(np.delete(batch.pixels, bad, axis=0), np.delete(DIGITS.pixels, bad, axis=0))
    assert batch.labels[[4, 5]].tolist() == [-1, -1]


REFUSED = {
    "n x 100": ({"x": np.zeros((9, 100))}, r"holds no images: found x \(9, 100\), expected n x 784, n x 28 x 28 or"),
    "turned": ({"x": np.zeros((784, 9))}, r"holds no images: found x \(784, 9\)"),
    "n x 785": (
        {"x": np.zeros((9, 785))},
        r"found x \(9, 785\), .*; of pixels with a label in front, save",
    ),
    "sparse": (
        {name: np.zeros(9) for name in ("data", "indices", "indptr")} | {"format": np.array(b"csr")},
        r"is SciPy's sparse matrix; save matrix.toarray\(\)",
    ),
    "colour": ({"x": np.zeros((9, 28, 28, 3))}, r"holds no images: found x \(9, 28, 28, 3\)"),
    "a number": ({"x": np.array(5)}, r"holds no images: found x \(\)"),
    "objects": ({"x": np.full((9, 784), None)}, r"a.npz \(x\): holds Python objects, which only unpickling reads"),
    "a list of images": ({"x": np.full(9, None)}, "holds Python objects, .*; save the images as"),
    "text": ({"x": np.full((9, 784), "1")}, r"a.npz \(x\): is of type <U1, expected numbers"),
    "complex": ({"x": np.zeros((9, 784), complex)}, r"a.npz \(x\): is of type complex128, expected numbers"),
    "dates": ({"x": np.zeros((9, 784), "M8[s]")}, r"a.npz \(x\): is of type datetime64\[s\], expected numbers"),
    "fields": ({"x": np.zeros((9, 784), [("a", "u1")])}, r"a.npz \(x\): is of type \[\('a', 'u1'\)\], expected numb"),
    "object labels": ({"x": np.zeros((9, 784)), "y": np.full(9, None)}, r"a.npz \(y\): holds Python objects"),
    "one-hot labels": ({"x": np.zeros((9, 784)), "y": np.zeros((9, 10))}, r"a.npz \(y\): .*; of one-hot labels, save"),
    "few labels": ({"x": np.zeros((9, 784)), "y": np.zeros(8)}, r"holds 8 labels for the 9 images of .*--no-label"),
    "two images": ({"a": np.zeros((9, 784)), "b": np.zeros((9, 784))}, "a, b could each be the images"),
    "two labels": ({"x": np.zeros((9, 784)), "y": np.zeros(9), "label": np.zeros(9)}, "y, label could each be the la"),
    "two subsets": ({"x_train": np.zeros((9, 784)), "x_val": np.zeros((9, 784))}, "x_train, x_val could each be the"),
}


@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(opened, tmp_path, arrays, message):
    """Before any work, with the array's name."""
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        opened(tmp_path / "a.npz")


# Damaged and malicious files


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _header(shape, descr="|u1", order="False"):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


WHOLE = _npy(DIGITS.pixels)
DAMAGED = {
    "truncated": (WHOLE[:-1], "47167 bytes, expected 47168 for the shape"),
    "continued": (WHOLE + b"\0", "47169 bytes, expected 47168 for the shape"),
    "two arrays": (WHOLE + WHOLE, "94336 bytes, expected 47168 for the shape"),
    "no header": (WHOLE[:8], "its header cannot be read as NumPy's"),
    "half a header": (WHOLE[:40], "its header cannot be read as NumPy's"),
    "huge": (_header((10**12, 784)), "expected 784000000000"),
    "beyond any integer": (_header((10**40, 784)), "bytes, expected"),
    "negative": (_header((-1, 784)), "its header announces a negative size"),
    "code": (_header("__import__('os')"), "its header cannot be read as NumPy's"),
    "nested": (_header("(" * 5000), "its header cannot be read as NumPy's"),
    "a long header": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + bytes(90), "its header cannot be read"),
    "an unknown type": (_header((1, 784), "|q9"), "its header cannot be read as NumPy's"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_arrays(opened, tmp_path, content, message):
    """Are refused before anything is read, or allocated."""
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=message):
        opened(tmp_path / "a.npy", scale="255")


@pytest.mark.parametrize(("content", "message"), [(WHOLE[:-1], "is truncated"), (WHOLE + b"\0", "continues after")])
def test_damaged_arrays_in_gzip(opened, storage, tmp_path, content, message):
    """Are found when they are read."""
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(content))
    [source] = opened(tmp_path / "a.npy.gz", scale="255")
    with pytest.raises(DataError, match=message):
        read_all(source, storage)


def test_a_huge_array_in_gzip(opened, storage, tmp_path):
    """What its header announces costs nothing."""
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(_header((10**15, 784)) + bytes(7840)))
    [source] = opened(tmp_path / "a.npy.gz", scale="255")
    with pytest.raises(DataError, match="is truncated"):
        read_all(source, storage)


def _archive(path, method, content, **changes):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content)
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    for field, value in changes.items():
        offset, size = {"crc": (16, 4), "packed": (20, 4), "plain": (24, 4)}[field]
        data[directory + offset : directory + offset + size] = struct.pack("<I", value)
    path.write_bytes(data)


def test_an_archive_that_claims_more_than_it_holds(opened, tmp_path):
    """Its directory and header agree on 1.5 GB, which so few bytes cannot hold."""
    content = _header((2 * 10**6, 784)) + bytes(784)
    claimed = len(content) + (2 * 10**6 - 1) * 784
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _archive(tmp_path / "a.npz", method, content, plain=claimed)
        with pytest.raises(DataError, match="cannot hold the"):
            opened(tmp_path / "a.npz", scale="255")


def test_damage_within_a_member(opened, storage, tmp_path):
    """A deflated member has a checksum."""
    _archive(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, WHOLE, crc=zlib.crc32(WHOLE) ^ 1)
    with pytest.raises(DataError, match=r"a.npz \(x\): the zip data is damaged or truncated \(Bad CRC-32"):
        read_all(opened(tmp_path / "a.npz", scale="255")[0], storage)


def test_a_block_of_more_than_a_piece(opened, storage, tmp_path):
    """A deflated array is unpacked a piece at a time, however long a block is."""
    digits = make_digits(3000)
    random = np.random.default_rng(0).integers(0, 256, (3000, 784), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", x=random, y=digits.labels)
    [source] = opened(tmp_path / "a.npz", scale="255")
    assert_same(read_all(source, storage, block_rows=3000), PixelBatch(random, digits.labels))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive(opened, tmp_path, share):
    """Is refused."""
    np.savez_compressed(tmp_path / "whole.npz", x=DIGITS.pixels[:2], y=DIGITS.labels[:2])
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError):
        opened(tmp_path / "a.npz")


def test_no_rows(opened, storage, tmp_path):
    """Are no error."""
    np.savez(tmp_path / "a.npz", x=np.zeros((0, 784), np.uint8), y=np.zeros(0))
    [source] = opened(tmp_path / "a.npz")
    assert len(read_all(source, storage).pixels) == 0
