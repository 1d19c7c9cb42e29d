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
from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings

RAW = pa.array([bytes(784)] * 3, pa.binary(784))
NUMBERS = pa.array([[0] * 784] * 3)


def _source(storage, path, **said):
    return parquet_source(storage, storage.stat(str(path)), ReadSettings(**said))


def _write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def _grid(pixels):
    return {name: pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}


@pytest.mark.parametrize(
    ("columns", "said", "image"),
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
def test_the_column_of_images(storage, tmp_path, columns, said, image):
    """It is the only one whose type can hold images, or the one among several that is called so."""
    assert _source(storage, _write(tmp_path / "a.parquet", **columns), **said).columns.pixels == (image,)


@pytest.mark.parametrize(
    ("columns", "said", "message"),
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
def test_columns_that_leave_it_open(storage, tmp_path, columns, said, message):
    """What cannot be settled, or does not exist, is refused before any row is read, with the file and the columns."""
    path = _write(tmp_path / "a.parquet", **columns)
    with pytest.raises(LayoutError) as error:
        _source(storage, path, **said)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("labels", "expected", "details"),
    [
        (pa.array(["5", " 7 ", "5.0"]), [5, 7, 5], []),
        (pa.array(["5", None, ""], pa.large_string()), [5, -1, -1], []),
        (
            pa.array(["5", "seven", "10"]),
            [5, -1, -1],
            ["label is 'seven', expected 0-9", "label is '10', expected 0-9"],
        ),
        (pa.array(["5", "9", "5"], pa.string_view()), [5, 9, 5], []),
        (pa.array(["5", None, "0"]).dictionary_encode(), [5, -1, 0], []),
        (pa.array([5, None, 77]).dictionary_encode(), [5, -1, -1], ["label is 77, expected 0-9"]),
        (pa.array([5, 2**64 - 1, 0], pa.uint64()), [5, -1, 0], [f"label is {2**64 - 1}, expected 0-9"]),
    ],
    ids=["text", "no text", "other words", "views", "categories", "categories of numbers", "huge"],
)
@pytest.mark.parametrize("is_grid", [True, False])
def test_labels_of_any_type(storage, tmp_path, labels, expected, details, is_grid):
    """Labels may be numbers, text or categories, and mean what they would mean in CSV."""
    pixels = _grid(np.zeros((3, 784), np.uint8)) if is_grid else {"image": RAW}
    batch = read_all(_source(storage, _write(tmp_path / "a.parquet", label=labels, **pixels)), storage)
    assert batch.labels.tolist() == expected
    assert [(each.detail, each.reason, each.column) for each in batch.rejects] == [
        (detail, Reason.BAD_LABEL, "label") for detail in details
    ]


KEPT = {
    "id": pa.array([7, None, 9]),
    "name": pa.array(["a", "b", None]),
    "at": pa.array([1, 2, 3], pa.timestamp("us", "UTC")),
    "price": pa.array(["1.50", "2.25", "3.00"]).cast(pa.decimal128(9, 2)),
    "hash": pa.array([b"x", b"y", b"z"]),
}


@pytest.mark.parametrize("block_rows", [1, 2, 100])
@pytest.mark.parametrize("is_grid", [True, False])
def test_kept_columns(storage, tmp_path, block_rows, is_grid):
    """Columns to keep come with their rows, in the order of the user, unchanged; of categories, the values."""
    pixels = _grid(np.zeros((3, 784), np.uint8)) if is_grid else {"image": RAW}
    columns = {**pixels, **KEPT, "kind": KEPT["name"].dictionary_encode(), "label": pa.array([1, 2, 3])}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)
    source = _source(storage, path, keep=("kind", "label", *KEPT))
    expected = pa.table({"kind": KEPT["name"], "label": columns["label"], **KEPT})
    batches = list(source.read(storage, (0, 2), block_rows))
    assert source.kept_schema == expected.schema
    assert pa.Table.from_batches([batch.kept for batch in batches]).equals(expected)
    assert [len(batch.kept) for batch in batches] == [len(batch.pixels) for batch in batches]


def test_nothing_is_kept_unless_asked(storage, tmp_path):
    """Without a word from the user, other columns are neither read nor carried."""
    source = _source(storage, _write(tmp_path / "a.parquet", image=RAW, note=pa.array(["x"] * 3)))
    [batch] = source.read(storage, (0, 1), 100)
    assert (batch.kept, len(source.kept_schema), source.columns.reader_names) == (None, 0, ("image",))


@pytest.mark.parametrize("type_", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("scale", ["auto", "1"])
def test_fractions(storage, tmp_path, digits, type_, scale):
    """Fractions from 0 to 1 are pixels of 255 times as much, recognised or declared."""
    columns = {name: pa.array(column).cast(type_) for name, column in _grid(digits.pixels / 255).items()}
    source = _source(storage, _write(tmp_path / "a.parquet", **columns), scale=scale)
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
def test_bad_fractions(storage, tmp_path, value, reason, detail):
    """On the scale of 1, what lies outside 0 to 1 is no pixel."""
    columns = _grid(np.full((2, 784), 0.2)) | {"pixel3": pa.array([0.2, value])}
    batch = read_all(_source(storage, _write(tmp_path / "a.parquet", **columns), scale="1"), storage)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [(1, reason, detail)]
    assert batch.pixels.tolist() == [[51] * 784, [0] * 784]


@pytest.mark.parametrize(
    ("values", "scale", "pixels"),
    [
        ([0.0, 1.0], "auto", [0, 1]),
        ([0.0, 1.0], "1", [0, 255]),
        ([0, 1], "1", [0, 255]),
        ([0.0, 0.5], "auto", [0, 128]),
        ([0.0, 0.5, 2.0], "auto", [0, 0, 2]),
        ([0.0, 0.5], "255", [0, 0]),
        ([None, 0.5], "auto", [0, 128]),
        ([float("nan"), 0.5], "auto", [0, 128]),
        ([float("inf"), 0.5], "auto", [0, 0]),
    ],
)
def test_which_scale_it_is(storage, tmp_path, values, scale, pixels):
    """Fractions are recognised where all the first values are within 0 to 1 and one lies between; else they are bad."""
    columns = {name: pa.array(values) for name in PIXEL_NAMES}
    batch = read_all(_source(storage, _write(tmp_path / "a.parquet", **columns), scale=scale), storage)
    assert batch.pixels[:, 0].tolist() == pixels


def test_recognised_fractions_are_logged(storage, tmp_path, caplog):
    """Whoever reads the log learns that the scale was guessed, and how to say otherwise."""
    path = _write(tmp_path / "a.parquet", **_grid(np.full((2, 784), 0.2)))
    with caplog.at_level(logging.INFO):
        _source(storage, path)
    assert "a.parquet: pixels are fractions; taken as 0-1 (--scale 1)" in caplog.text


def test_transposed_columns(storage, tmp_path, digits):
    """784 columns that stand for images column by column are turned where the user says so."""
    turned = digits.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    path = _write(tmp_path / "a.parquet", **_grid(turned))
    assert_same(read_all(_source(storage, path, is_transposed=True), storage), PixelBatch(digits.pixels))


def test_bytes_in_one_column_and_784_others(storage, tmp_path, digits):
    """784 columns of pixels are the pixels, whatever stands beside them."""
    path = _write(tmp_path / "a.parquet", image=as_bytes(digits.pixels[::-1], pa.binary()), **_grid(digits.pixels))
    assert_same(read_all(_source(storage, path), storage), PixelBatch(digits.pixels))
