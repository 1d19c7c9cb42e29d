"""Which columns of a Parquet file are read, and as what."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import assert_same, read_all
from support.files import PIXEL_NAMES
from support.pictures import as_bytes

from job.contract import PixelBatch, Reason
from job.errors import LayoutError

RAW = pa.array([bytes(784)] * 3, pa.binary(784))
NUMBERS = pa.array([[0] * 784] * 3)


def _write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def _grid(pixels):
    return {name: pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}


@pytest.mark.parametrize(
    ("columns", "choices", "image"),
    [
        ({"anything": RAW}, {}, "anything"),
        ({"hash": RAW, "Image": NUMBERS}, {}, "Image"),
        ({"embedding": NUMBERS, "img": RAW}, {}, "img"),
        ({"pixels": RAW, "short": pa.array([b""] * 3)}, {}, "pixels"),
        ({"features": RAW, "size": pa.array([1, 2, 3])}, {}, "features"),
        ({"a": RAW, "b": pa.array([[0] * 3] * 3, pa.list_(pa.int8(), 3))}, {}, "a"),
        ({"a": RAW, "b": pa.array([["x"]] * 3), "c": pa.array([{"x": 1}] * 3)}, {}, "a"),
        ({"a": RAW, "b": pa.array([b"x"] * 3)}, {"keep": ("b",)}, "a"),
    ],
)
def test_the_column_of_images(open_parquet, tmp_path, columns, choices, image):
    """It is the only one whose type can hold images, or the one of several with a usual name."""
    assert open_parquet(_write(tmp_path / "a.parquet", **columns), **choices).columns.pixels == (image,)


@pytest.mark.parametrize(
    ("columns", "choices", "message"),
    [
        ({"a": RAW, "b": NUMBERS}, {}, "a, b could each be the images"),
        ({"a": RAW, "image": RAW, "img": NUMBERS}, {}, "image, img could each be the images"),
        ({"image": pa.array([[0] * 9] * 3, pa.list_(pa.int8(), 9))}, {}, "found 1 columns (image); expected 784"),
        ({"image": RAW, "label": RAW}, {}, "label column 'label' is of type fixed_size_binary[784]"),
        (
            {"image": RAW, "y": pa.array([1, 2, 3]), "digit": pa.array([1, 2, 3])},
            {},
            "y, digit could each be the label",
        ),
        ({"image": RAW, "digits": pa.array([1, 2, 3])}, {"label_column": "digit"}, "did you mean 'digits'?"),
        ({"image": RAW, "id": pa.array([1, 2, 3])}, {"keep": ("identity",)}, "no column 'identity'; found image, id"),
        ({"image": RAW, "file_name": pa.array([1, 2, 3])}, {"keep": ("filename",)}, "did you mean 'file_name'?"),
        (
            {"image": RAW, "box": NUMBERS},
            {"keep": ("box",)},
            "column 'box' is of type list<element: int64>, which cannot",
        ),
    ],
)
def test_columns_that_are_refused(open_parquet, tmp_path, columns, choices, message):
    """Ambiguous and missing columns are refused before any row is read; the error names the file and the columns."""
    path = _write(tmp_path / "a.parquet", **columns)
    with pytest.raises(LayoutError) as error:
        open_parquet(path, **choices)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("is_grid", [True, False])
def test_labels_that_are_not_numbers(open_parquet, storage, tmp_path, is_grid):
    """Labels may be text or categories, beside 784 columns or one of images, and mean what they mean in CSV."""
    pixels = _grid(np.zeros((3, 784), np.uint8)) if is_grid else {"image": RAW}
    for labels in (pa.array(["5", None, "ten"]), pa.array(["5", None, "ten"]).dictionary_encode()):
        batch = read_all(open_parquet(_write(tmp_path / "a.parquet", label=labels, **pixels)), storage)
        assert batch.labels.tolist() == [5, -1, -1]
        assert [(each.row, each.detail, each.reason, each.column) for each in batch.rejects] == [
            (2, "label is 'ten', expected 0-9", Reason.BAD_LABEL, "label")
        ]


PASSTHROUGH = {
    "id": pa.array([7, None, 9]),
    "name": pa.array(["a", "b", None]),
    "at": pa.array([1, 2, 3], pa.timestamp("us", "UTC")),
    "price": pa.array(["1.50", "2.25", "3.00"]).cast(pa.decimal128(9, 2)),
    "hash": pa.array([b"x", b"y", b"z"]),
}


@pytest.mark.parametrize("is_grid", [True, False])
def test_passthrough_columns(open_parquet, storage, tmp_path, is_grid):
    """They come with their rows, in the user's order and of the same type; categories are decoded."""
    pixels = _grid(np.zeros((3, 784), np.uint8)) if is_grid else {"image": RAW}
    columns = {**pixels, **PASSTHROUGH, "kind": PASSTHROUGH["name"].dictionary_encode(), "label": pa.array([1, 2, 3])}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)
    source = open_parquet(path, keep=("kind", "label", *PASSTHROUGH))
    expected = pa.table({"kind": PASSTHROUGH["name"], "label": columns["label"], **PASSTHROUGH})
    assert source.passthrough_schema == expected.schema
    for block_rows in (1, 2, 100):
        batches = list(source.read(storage, (0, 2), block_rows))
        assert pa.Table.from_batches([batch.passthrough for batch in batches]).equals(expected)
        assert [len(batch.passthrough) for batch in batches] == [len(batch.pixels) for batch in batches]


def test_skipped_columns_are_not_read(open_parquet, storage, tmp_path):
    """Without --keep, other columns are neither read nor passed through."""
    source = open_parquet(_write(tmp_path / "a.parquet", image=RAW, note=pa.array(["x"] * 3)))
    [batch] = source.read(storage, (0, 1), 100)
    assert (batch.passthrough, len(source.passthrough_schema), source.columns.reader_names) == (None, 0, ("image",))


@pytest.mark.parametrize("type_", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("scale", ["auto", "1"])
def test_fractions(open_parquet, storage, tmp_path, digits, type_, scale):
    """Fractions 0-1 are multiplied by 255, whether their scale is detected or stated."""
    columns = {name: pa.array(column).cast(type_) for name, column in _grid(digits.pixels / 255).items()}
    source = open_parquet(_write(tmp_path / "a.parquet", **columns), scale=scale)
    assert_same(read_all(source, storage), PixelBatch(digits.pixels))


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (1.5, Reason.OUT_OF_RANGE, "pixel3 is 1.5, expected 0-1"),
        (-0.5, Reason.OUT_OF_RANGE, "pixel3 is -0.5, expected 0-1"),
        (None, Reason.MISSING_VALUE, "pixel3 is empty, expected 0-1"),
        (float("nan"), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-1"),
        (float("inf"), Reason.NOT_A_NUMBER, "pixel3 is inf, expected 0-1"),
    ],
)
def test_bad_fractions(open_parquet, storage, tmp_path, value, reason, detail):
    """On the scale 1, values outside 0 to 1 are rejected."""
    columns = _grid(np.full((2, 784), 0.2)) | {"pixel3": pa.array([0.2, value])}
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", **columns), scale="1"), storage)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [(1, reason, detail)]
    assert batch.pixels.tolist() == [[51] * 784, [0] * 784]


@pytest.mark.parametrize(
    ("values", "scale", "pixels"),
    [
        ([0.0, 1.0], "255", [0, 1]),
        ([0.0, 1.0], "1", [0, 255]),
        ([0, 1], "1", [0, 255]),
        ([0, 1], "255", [0, 1]),
        ([0.0, 0.5], "auto", [0, 128]),
        ([0.0, 0.5, 2.0], "auto", [0, 0, 2]),
        ([0.0, 0.5], "255", [0, 0]),
        ([None, 0.5], "auto", [0, 128]),
        ([float("nan"), 0.5], "auto", [0, 128]),
        ([float("inf"), 0.5], "auto", [0, 0]),
    ],
)
def test_the_scale_by_the_first_values(open_parquet, storage, tmp_path, values, scale, pixels):
    """It is 1 if all the first values are within 0 and 1 and one lies between, unless the user states it."""
    columns = {name: pa.array(values) for name in PIXEL_NAMES}
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", **columns), scale=scale), storage)
    assert batch.pixels[:, 0].tolist() == pixels


def test_a_detected_scale_is_logged(open_parquet, tmp_path, caplog):
    """With the flag that states it."""
    path = _write(tmp_path / "a.parquet", **_grid(np.full((2, 784), 0.2)))
    with caplog.at_level(logging.INFO):
        open_parquet(path)
    assert "a.parquet: pixels are fractions; using the scale 0-1 (--scale 1)" in caplog.text


def test_transposed_columns(open_parquet, storage, tmp_path, digits):
    """With --transpose, 784 columns of images stored column by column are put in row-major order."""
    turned = digits.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    path = _write(tmp_path / "a.parquet", **_grid(turned))
    assert_same(read_all(open_parquet(path, is_transposed=True), storage), PixelBatch(digits.pixels))


def test_784_columns_beside_one_of_images(open_parquet, storage, tmp_path, digits):
    """The 784 columns are the pixels, whatever else there is."""
    path = _write(tmp_path / "a.parquet", image=as_bytes(digits.pixels[::-1], pa.binary()), **_grid(digits.pixels))
    assert_same(read_all(open_parquet(path), storage), PixelBatch(digits.pixels))


@pytest.mark.parametrize("type_", [pa.uint8(), pa.int64(), pa.float32()])
def test_zeros_and_ones_need_the_users_word(open_parquet, tmp_path, type_):
    """Of any type, in columns and in lists; a guess is never scored."""
    columns = {name: pa.array([0, 1, 0], type_) for name in PIXEL_NAMES}
    images = pa.array([[0, 1] * 392] * 3, pa.list_(type_))
    for content in (columns, {"image": images}):
        with pytest.raises(LayoutError, match=r"a\.parquet: all pixels of the first images are 0 or 1"):
            open_parquet(_write(tmp_path / "a.parquet", **content))
