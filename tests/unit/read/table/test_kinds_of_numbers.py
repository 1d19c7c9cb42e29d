"""Pixels as text, decimals and booleans, as Spark, Snowflake and NumPy write them: the same pixels as in CSV."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import assert_same, joined, read_all
from support.files import PIXEL_NAMES, make_digits

from job.contract import PixelBatch, Reason
from job.errors import LayoutError

# More than a block, and several row groups.
DIGITS = make_digits(50)

TYPES = {
    "text": pa.string(),
    "large text": pa.large_string(),
    "categories of text": pa.dictionary(pa.int32(), pa.string()),
    "categories of integers": pa.dictionary(pa.int8(), pa.int64()),
    "decimal32": pa.decimal32(5, 0),
    "decimal64": pa.decimal64(12, 2),
    "decimal128 of Snowflake": pa.decimal128(38, 0),
    "decimal128 in 4 bytes": pa.decimal128(9, 4),
    "decimal256": pa.decimal256(50, 2),
}


def _table(pixels, type_=None, **replaced):
    columns = {name: pa.array(column).cast(pa.string()) for name, column in zip(PIXEL_NAMES, pixels.T, strict=True)}
    columns = {name: _cast(column, type_) for name, column in columns.items()}
    return pa.table({"label": DIGITS.labels[: len(pixels)], **columns, **replaced})


def _cast(column, type_):
    if type_ is None:
        return column
    if pa.types.is_dictionary(type_):
        return column.cast(type_.value_type).dictionary_encode().cast(type_)
    return column.cast(type_)


@pytest.mark.parametrize("type_", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("options", [{}, {"store_decimal_as_integer": True, "store_schema": False}])
def test_every_kind_of_number_in_784_columns(open_parquet, storage, tmp_path, type_, options):
    """In any row groups and blocks."""
    path = tmp_path / "a.parquet"
    pq.write_table(_table(DIGITS.pixels, type_), path, row_group_size=20, **options)
    source = open_parquet(path)
    batches = [batch for each in source.split(1) for batch in source.read(storage, each, 7)]
    assert_same(joined(batches), PixelBatch(DIGITS.pixels, DIGITS.labels))


LISTS = [pa.list_(pa.decimal128(5, 0)), pa.large_list(pa.string()), pa.list_(pa.list_(pa.decimal128(3, 0)))]


@pytest.mark.parametrize("type_", LISTS, ids=str)
def test_every_kind_of_number_in_lists(open_parquet, storage, tmp_path, type_):
    """Lists of 784, and of 28 lists of 28."""
    leaf = type_.value_type.value_type if pa.types.is_list(type_.value_type) else type_.value_type
    convert = str if pa.types.is_string(leaf) else Decimal
    rows = [[convert(value) for value in row] for row in DIGITS.pixels.tolist()]
    if leaf != type_.value_type:
        rows = [[row[start : start + 28] for start in range(0, 784, 28)] for row in rows]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"pixels": pa.array(rows, type_), "label": DIGITS.labels}), path, row_group_size=20)
    assert_same(read_all(open_parquet(path), storage, block_rows=7), PixelBatch(DIGITS.pixels, DIGITS.labels))


@pytest.mark.parametrize("type_", [pa.string(), pa.decimal128(20, 12)], ids=str)
def test_fractions_as_text_or_decimals(open_parquet, storage, tmp_path, type_):
    """The scale 0-1 is recognised."""
    columns = {
        name: pa.array([f"{value / 255:.9f}" for value in column.tolist()]).cast(type_)
        for name, column in zip(PIXEL_NAMES, DIGITS.pixels.T, strict=True)
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    source = open_parquet(path)
    assert source.pixel_scale == "1"
    assert_same(read_all(source, storage), PixelBatch(DIGITS.pixels))


@pytest.mark.parametrize("is_list", [False, True])
def test_booleans(open_parquet, storage, tmp_path, is_list):
    """True is full ink, in 784 columns and in lists; --scale 1 says the same."""
    inked = DIGITS.pixels > 127
    columns = {"image": pa.array(inked.tolist())} if is_list else dict(zip(PIXEL_NAMES, inked.T, strict=True))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=20)
    for scale in ("auto", "1"):
        source = open_parquet(path, scale=scale)
        assert source.pixel_scale == "1"
        assert_same(read_all(source, storage), PixelBatch(np.where(inked, 255, 0).astype(np.uint8)))
    with pytest.raises(LayoutError, match=r"pixels are booleans, so true is full ink; leave --scale 255 out"):
        open_parquet(path, scale="255")


@pytest.mark.parametrize(
    ("type_", "value", "reason", "detail"),
    [
        (pa.string(), None, Reason.MISSING_VALUE, "pixel5 is empty, expected 0-255"),
        (pa.string(), " ", Reason.MISSING_VALUE, "pixel5 is empty, expected 0-255"),
        (pa.string(), "x", Reason.NOT_A_NUMBER, "pixel5 is 'x', expected 0-255"),
        (pa.string(), "NaN", Reason.NOT_A_NUMBER, "pixel5 is 'NaN', expected 0-255"),
        (pa.string(), "1_0", Reason.NOT_A_NUMBER, "pixel5 is '1_0', expected 0-255"),
        (pa.string(), "256", Reason.OUT_OF_RANGE, "pixel5 is 256.0, expected 0-255"),
        (pa.string(), "1.5", Reason.NOT_AN_INTEGER, "pixel5 is 1.5, expected a whole number 0-255"),
        (pa.decimal128(5, 1), None, Reason.MISSING_VALUE, "pixel5 is empty, expected 0-255"),
        (pa.decimal128(5, 1), "-1", Reason.OUT_OF_RANGE, "pixel5 is -1.0, expected 0-255"),
        (pa.decimal128(5, 1), "1.5", Reason.NOT_AN_INTEGER, "pixel5 is 1.5, expected a whole number 0-255"),
    ],
)
def test_rejects(open_parquet, storage, tmp_path, type_, value, reason, detail):
    """A bad value rejects its own record, with the value as it is stored."""
    pixels = np.full((3, 784), 7)
    table = _table(pixels, type_, pixel5=pa.array(["7", value, "7"]).cast(type_))
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    batch = read_all(open_parquet(path, scale="255"), storage)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [(1, reason, detail)]
    assert batch.pixels.tolist() == [[7] * 784, [0] * 784, [7] * 784]


def test_booleans_with_a_null(open_parquet, storage, tmp_path):
    """It rejects its own record."""
    columns = dict.fromkeys(PIXEL_NAMES, pa.array([True, None, False]))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    batch = read_all(open_parquet(path), storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [(1, Reason.MISSING_VALUE)]
    assert batch.pixels[:, 0].tolist() == [255, 0, 0]


def test_labels_as_decimals(open_parquet, storage, tmp_path):
    """Snowflake's NUMBER."""
    labels = pa.array(["3", None, "12"]).cast(pa.decimal128(38, 0))
    path = tmp_path / "a.parquet"
    pq.write_table(_table(DIGITS.pixels[:3], label=labels), path)
    batch = read_all(open_parquet(path), storage)
    assert batch.labels.tolist() == [3, -1, -1]
    assert [(each.row, each.reason) for each in batch.rejects] == [(2, Reason.BAD_LABEL)]


@pytest.mark.parametrize("scale", ["auto", "1"])
def test_raw_bytes_of_0_and_1(open_parquet, storage, tmp_path, scale):
    """With --scale 1, a byte of 1 is full ink, and another one is rejected."""
    ones = bytes([0, 1] * 392)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": pa.array([ones, bytes([2]) * 784, ones])}), path)
    batch = read_all(open_parquet(path, scale=scale), storage)
    if scale == "1":
        assert [(each.row, each.detail) for each in batch.rejects] == [(1, "image[0] is 2, expected 0-1")]
        assert batch.pixels[:, 1].tolist() == [255, 0, 255]
    else:
        assert batch.pixels[:, 1].tolist() == [1, 2, 1]
