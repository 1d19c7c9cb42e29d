"""One column of images, in every form, and every way to be none."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import assert_same, joined, read_all
from support.pictures import as_bytes, as_lists, as_pictures, encoded, png, png_that_claims

from job.contract import PixelBatch, Reason

FLAT_LIST = pa.list_(pa.int64())
NESTED_LIST = pa.list_(pa.list_(pa.uint8()))

LISTS = [
    pa.list_(pa.uint8()),
    pa.list_(pa.int64()),
    pa.list_(pa.float32()),
    pa.large_list(pa.int16()),
    pa.large_list(pa.float64()),
    pa.list_(pa.uint8(), 784),
    pa.list_(pa.float16(), 784),
    NESTED_LIST,
    pa.large_list(pa.large_list(pa.float32())),
    pa.list_(pa.list_(pa.uint8(), 28), 28),
]
BYTES = [pa.binary(), pa.large_binary(), pa.binary(784)]


def _write(path, image, labels=None, **options):
    columns = {"image": image} if labels is None else {"label": labels, "image": image}
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.fixture
def read_rows(open_parquet, storage, tmp_path):
    """A function that writes images as a column of a type, and reads it."""
    return lambda rows, type_: read_all(open_parquet(_write(tmp_path / "a.parquet", pa.array(rows, type_))), storage)


@pytest.mark.parametrize(
    "column",
    [
        *[pytest.param(lambda pixels, type_=type_: as_lists(pixels, type_), id=str(type_)) for type_ in LISTS],
        *[pytest.param(lambda pixels, type_=type_: as_bytes(pixels, type_), id=str(type_)) for type_ in BYTES],
        pytest.param(as_pictures, id="png"),
        pytest.param(lambda pixels: as_pictures(pixels, is_struct=True), id="hugging face"),
    ],
)
def test_images_in_any_form(open_parquet, storage, tmp_path, digits, column):
    """One column of images gives the same rows in every form, in row groups and blocks of any size."""
    few = digits[:9]
    content = column(few.pixels)
    for row_group_size, block_rows in ((1, 3), (4, 3), (100, 1), (100, 1000)):
        path = _write(tmp_path / "a.parquet", content, few.labels, row_group_size=row_group_size)
        source = open_parquet(path)
        assert (source.rows, source.has_labels) == (9, True)
        batches = [batch for each in source.split(2000) for batch in source.read(storage, each, block_rows)]
        assert all(batch.pixels.flags.c_contiguous and batch.pixels.dtype == np.uint8 for batch in batches)
        assert_same(joined(batches), PixelBatch(few.pixels, few.labels))


def test_tensors(open_parquet, storage, tmp_path, digits):
    """Arrow's fixed-shape tensors are read as the lists that they are stored as."""
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(digits.pixels.reshape(-1, 28, 28))
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", tensors)), storage)
    assert_same(batch, PixelBatch(digits.pixels))


def test_raw_bytes_are_not_copied(open_parquet, storage, tmp_path, digits):
    """The pixels share the memory that Arrow decoded."""
    path = _write(tmp_path / "a.parquet", as_bytes(digits.pixels, pa.binary(784)))
    source = open_parquet(path)
    [batch] = source.read(storage, (0, 1), 1000)
    assert not batch.pixels.flags.owndata


def test_only_the_bytes_of_a_picture_are_read(open_parquet, tmp_path, digits):
    """Not the path in Hugging Face's struct."""
    path = _write(tmp_path / "a.parquet", as_pictures(digits.pixels[:2], is_struct=True))
    assert open_parquet(path).columns.reader_names == ("image.bytes",)


@pytest.mark.parametrize("is_inverted", [False, True])
@pytest.mark.parametrize("is_light", [False, True], ids=["dark ink", "light ink"])
def test_pictures_of_other_kinds_and_sizes(open_parquet, storage, tmp_path, digits, is_inverted, is_light):
    """Are brought to MNIST's form, whichever side is ink and whatever --invert says of those of 28x28 beside them."""
    grey = np.full((70, 50), 210, np.uint8)
    grey[10:60, 20:28] = 20
    grey = 255 - grey if is_light else grey
    pictures = [png(digits.pixels[0]), encoded(grey, "JPEG"), encoded(grey, "BMP"), png(digits.pixels[1])]
    path = _write(tmp_path / "a.parquet", pa.array(pictures, pa.binary()))
    batch = read_all(open_parquet(path, is_inverted=is_inverted), storage)
    assert not batch.rejects
    expected = 255 - digits.pixels[:2] if is_inverted else digits.pixels[:2]
    np.testing.assert_array_equal(batch.pixels[[0, 3]], expected)
    for pixels in batch.pixels[1:3].reshape(-1, 28, 28):
        assert pixels[4:24, 12:16].mean() > 150
        assert not pixels[:, :9].any()
        assert not pixels[:, 19:].any()


def test_a_picture_as_long_as_784_pixels(read_rows, digits):
    """Is told from raw pixels by how it begins, also among these."""
    picture = encoded(digits.pixels[0].reshape(28, 28), "JPEG", quality=60)
    comment = 784 - len(picture)
    padded = picture[:2] + b"\xff\xfe" + (comment - 2).to_bytes(2, "big") + bytes(comment - 4) + picture[2:]
    assert len(padded) == 784
    raw = digits.pixels[1].tobytes()
    batch = read_rows([raw, padded, raw], pa.binary())
    np.testing.assert_array_equal(batch.pixels[[0, 2]], digits.pixels[[1, 1]])
    assert np.abs(batch.pixels[1].astype(int) - digits.pixels[0]).mean() < 12


GOOD = list(range(256)) * 3 + [0] * 16


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (None, Reason.MISSING_VALUE, "image is empty, expected an image"),
        ([], Reason.TOO_FEW_FIELDS, "image has 0 values, expected 784"),
        (GOOD[:-1], Reason.TOO_FEW_FIELDS, "image has 783 values, expected 784"),
        ([*GOOD, 0], Reason.TOO_MANY_FIELDS, "image has 785 values, expected 784"),
        ([*GOOD[:5], None, *GOOD[6:]], Reason.MISSING_VALUE, "image[5] is empty, expected 0-255"),
        ([*GOOD[:5], 256, None, *GOOD[7:]], Reason.OUT_OF_RANGE, "image[5] is 256, expected 0-255"),
    ],
    ids=["null", "empty", "short", "long", "null inside", "first of two"],
)
def test_bad_list(read_rows, row, reason, detail):
    """A list that is not 784 pixels rejects its own row, whether first, middle or last."""
    for place in range(3):
        rows = [GOOD, GOOD]
        rows.insert(place, row)
        batch = read_rows(rows, FLAT_LIST)
        [reject] = batch.rejects
        assert (reject.row, reject.reason, reject.detail, reject.column) == (place, reason, detail, "image")
        assert batch.pixels.tolist() == [[0] * 784 if index == place else GOOD for index in range(3)]


@pytest.mark.parametrize("type_", [pa.list_(pa.float32(), 784), pa.binary(784)], ids=str)
def test_null_of_fixed_size(read_rows, type_):
    """A null among values of a fixed size rejects its own row."""
    good = bytes(GOOD) if pa.types.is_fixed_size_binary(type_) else GOOD
    batch = read_rows([good, None, good], type_)
    assert [(each.row, each.reason) for each in batch.rejects] == [(1, Reason.MISSING_VALUE)]
    assert batch.pixels.tolist() == [GOOD, [0] * 784, GOOD]


SQUARE = np.reshape(GOOD, (28, 28)).tolist()


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (None, Reason.MISSING_VALUE, "image is empty, expected an image"),
        (SQUARE[:27], Reason.TOO_FEW_FIELDS, "image has 27 values, expected 28"),
        ([*SQUARE, []], Reason.TOO_MANY_FIELDS, "image has 29 values, expected 28"),
        ([*SQUARE[:3], SQUARE[3][:27], *SQUARE[4:]], Reason.TOO_FEW_FIELDS, "image[3] has 27 values, expected 28"),
        ([*SQUARE[:3], [*SQUARE[3], 0], *SQUARE[4:]], Reason.TOO_MANY_FIELDS, "image[3] has 29 values, expected 28"),
        ([*SQUARE[:3], None, *SQUARE[4:]], Reason.MISSING_VALUE, "image[3] is empty, expected 28 values"),
        ([[None, *SQUARE[0][1:]], *SQUARE[1:]], Reason.MISSING_VALUE, "image[0] is empty, expected 0-255"),
    ],
    ids=["null", "short", "long", "short line", "long line", "null line", "null inside"],
)
def test_bad_lists_of_lists(read_rows, row, reason, detail):
    """A list that is not 28 lists of 28 rejects its own row, even if it has 784 values."""
    for place in range(3):
        rows = [SQUARE, SQUARE]
        rows.insert(place, row)
        batch = read_rows(rows, NESTED_LIST)
        assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [(place, reason, detail)]
        assert batch.pixels.tolist() == [[0] * 784 if index == place else GOOD for index in range(3)]


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (None, Reason.MISSING_VALUE, "image is empty, expected an image"),
        (b"", Reason.BAD_IMAGE, "image holds 0 bytes, expected 784 pixels or a picture"),
        (bytes(783), Reason.BAD_IMAGE, "image holds 783 bytes, expected 784 pixels or a picture"),
        (b"\xff\xd8\xff\xe0JFIF", Reason.BAD_IMAGE, "image is a damaged JPEG (Truncated File Read)"),
        (png_that_claims(9999, 9999), Reason.BAD_IMAGE, "image is a PNG of 9999x9999, expected at most 67 megapixels"),
    ],
    ids=["null", "empty", "short", "JPEG", "size"],
)
@pytest.mark.parametrize("good", [bytes(GOOD), png(GOOD)], ids=["raw", "png"])
def test_bad_bytes(read_rows, good, row, reason, detail):
    """Bytes that are neither 784 pixels nor a picture reject their own row."""
    batch = read_rows([good, row, good], pa.binary())
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [(1, reason, detail)]
    assert batch.pixels.tolist() == [GOOD, [0] * 784, GOOD]


def test_picture_of_784_bytes(read_rows):
    """A PNG that happens to be 784 bytes long is not taken for raw pixels."""
    rows = [png(GOOD).ljust(784, b"\0"), bytes(GOOD)]
    batch = read_rows(rows, pa.binary())
    assert batch.pixels.tolist() == [GOOD, GOOD]


def test_struct_without_bytes(read_rows):
    """A null struct, and one with a path but no bytes, are missing images."""
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": png(GOOD), "path": None}, {"bytes": None, "path": "a.png"}, None]
    batch = read_rows(rows, type_)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (1, Reason.MISSING_VALUE, "image.bytes is empty, expected an image"),
        (2, Reason.MISSING_VALUE, "image is empty, expected an image"),
    ]
    assert batch.pixels[0].tolist() == GOOD


@pytest.mark.parametrize("type_", [pa.list_(pa.float32()), pa.list_(pa.list_(pa.float64()))], ids=str)
@pytest.mark.parametrize("scale", ["auto", "1"])
def test_fractions_in_lists(open_parquet, storage, tmp_path, digits, type_, scale):
    """Fractions 0-1 are multiplied by 255, whether their scale is detected or stated."""
    path = _write(tmp_path / "a.parquet", as_lists(digits.pixels / 255, type_))
    assert_same(read_all(open_parquet(path, scale=scale), storage), PixelBatch(digits.pixels))


@pytest.mark.parametrize(
    "column", [as_pictures, lambda pixels: as_lists(pixels, NESTED_LIST), lambda pixels: as_bytes(pixels, pa.binary())]
)
def test_transposed_images(open_parquet, storage, tmp_path, digits, column):
    """With --transpose, images stored column by column, as in EMNIST, are read row by row."""
    few = digits.pixels[:5]
    turned = few.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    path = _write(tmp_path / "a.parquet", column(turned))
    batch = read_all(open_parquet(path, is_transposed=True), storage)
    assert batch.pixels.flags.c_contiguous
    assert_same(batch, PixelBatch(few))


@pytest.mark.parametrize("type_", [*LISTS, *BYTES, pa.struct([("bytes", pa.binary()), ("path", pa.string())])], ids=str)
def test_a_column_of_nulls(read_rows, type_):
    """Each row, if there is any, is rejected."""
    for rows in (0, 2):
        batch = read_rows([None] * rows, type_)
        assert batch.pixels.tolist() == [[0] * 784] * rows
        assert [each.reason for each in batch.rejects] == [Reason.MISSING_VALUE] * rows
