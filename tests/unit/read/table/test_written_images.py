"""Images as Spark's vectors and as text, one a cell: the same pixels as in lists."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import assert_same, joined, read_all
from support.files import make_digits

from job.contract import PixelBatch, Reason
from job.errors import LayoutError

DIGITS = make_digits(50)


def vector_type(indices=None, values=None, kind=None):
    indices, values = indices or pa.list_(pa.int32()), values or pa.list_(pa.float64())
    fields = [("type", kind or pa.int8()), ("size", pa.int32()), ("indices", indices), ("values", values)]
    return pa.struct(fields)


def dense(row):
    return {"type": 1, "size": None, "indices": None, "values": row}


def sparse(row, size=784):
    places = [index for index, value in enumerate(row) if value]
    return {"type": 0, "size": size, "indices": places, "values": [row[index] for index in places]}


def _write(path, column, **options):
    table = pa.table({"features": column, "label": DIGITS.labels[: len(column)]})
    pq.write_table(table, path, **{"row_group_size": 20, **options})
    return path


FORMS = {"dense": dense, "sparse": sparse, "both": lambda row: (sparse if row[-1] % 2 else dense)(row)}
KINDS = {
    "Spark's": vector_type(),
    "wide": vector_type(pa.large_list(pa.int64()), pa.large_list(pa.float32()), pa.int32()),
    "unsigned": vector_type(pa.list_(pa.uint16()), pa.list_(pa.uint8()), pa.uint8()),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("type_", KINDS.values(), ids=KINDS)
def test_vectors(open_parquet, storage, tmp_path, form, type_):
    """Dense and sparse ones, in any row groups and blocks."""
    column = pa.array([form(row) for row in DIGITS.pixels.tolist()], type_)
    source = open_parquet(_write(tmp_path / "a.parquet", column))
    batches = [batch for each in source.split(1) for batch in source.read(storage, each, 7)]
    assert_same(joined(batches), PixelBatch(DIGITS.pixels, DIGITS.labels))


def test_vectors_of_fractions(open_parquet, storage, tmp_path):
    """The scale 0-1 is recognised, also where zeros are not stored."""
    column = pa.array([sparse(row) for row in (DIGITS.pixels / 255).tolist()], vector_type())
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", column)), storage)
    assert_same(batch, PixelBatch(DIGITS.pixels, DIGITS.labels))


GOOD = [float(value) for value in DIGITS.pixels[0]]
BAD = {
    "null": (None, Reason.MISSING_VALUE, "features is empty, expected an image"),
    "short": (dense(GOOD[1:]), Reason.TOO_FEW_FIELDS, "features has 783 values, expected 784"),
    "long": (dense([*GOOD, 0.0]), Reason.TOO_MANY_FIELDS, "features has 785 values, expected 784"),
    "no values": (dense(None), Reason.TOO_FEW_FIELDS, "features has 0 values, expected 784"),
    "small": (sparse(GOOD, 783), Reason.TOO_FEW_FIELDS, "features has 783 values, expected 784"),
    "large": (sparse(GOOD, 785), Reason.TOO_MANY_FIELDS, "features has 785 values, expected 784"),
    "another type": ({**dense(GOOD), "type": 2}, Reason.BAD_IMAGE, "features.type is 2, expected 0 (sparse) or 1"),
    "no type": ({**dense(GOOD), "type": None}, Reason.BAD_IMAGE, "features.type is None, expected 0 (sparse) or 1"),
    "index too high": ({**sparse(GOOD), "indices": [784], "values": [1.0]}, Reason.BAD_IMAGE, "features is a sparse"),
    "index below 0": ({**sparse(GOOD), "indices": [-1], "values": [1.0]}, Reason.BAD_IMAGE, "features is a sparse"),
    "index twice": ({**sparse(GOOD), "indices": [5, 5], "values": [1.0, 2.0]}, Reason.BAD_IMAGE, "features is a spar"),
    "too few values": ({**sparse(GOOD), "indices": [5, 6], "values": [1.0]}, Reason.BAD_IMAGE, "features is a sparse"),
    "no indices": ({**sparse(GOOD), "indices": None}, Reason.BAD_IMAGE, "features is a sparse"),
    "null index": ({**sparse(GOOD), "indices": [None], "values": [1.0]}, Reason.BAD_IMAGE, "features is a sparse"),
    "out of range": (dense([300.0, *GOOD[1:]]), Reason.OUT_OF_RANGE, "features[0] is 300.0, expected 0-255"),
    "NaN": (dense([float("nan"), *GOOD[1:]]), Reason.MISSING_VALUE, "features[0] is empty, expected 0-255"),
    "null value": (dense([None, *GOOD[1:]]), Reason.MISSING_VALUE, "features[0] is empty, expected 0-255"),
    "null stored": ({**sparse(GOOD), "indices": [7], "values": [None]}, Reason.MISSING_VALUE, "features[7] is empty"),
}


@pytest.mark.parametrize(("vector", "reason", "detail"), BAD.values(), ids=BAD)
def test_bad_vectors(open_parquet, storage, tmp_path, vector, reason, detail):
    """Each rejects its own record, wherever it is."""
    for place in range(3):
        vectors = [dense(GOOD), sparse(GOOD)]
        vectors.insert(place, vector)
        path = _write(tmp_path / "a.parquet", pa.array(vectors, vector_type()))
        batch = read_all(open_parquet(path, scale="255"), storage)
        [reject] = batch.rejects
        assert (reject.row, reject.reason) == (place, reason)
        assert reject.detail.startswith(detail)
        np.testing.assert_array_equal(np.delete(batch.pixels, place, axis=0), DIGITS.pixels[[0, 0]])
        assert not batch.pixels[place].any()


CELLS = {
    "spaces": lambda row: " ".join(map(str, row)),
    "a list": str,
    "lists in a list": lambda row: str(np.reshape(row, (28, 28)).tolist()),
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_cells(open_parquet, storage, tmp_path, cell, type_):
    """A column of text is the images if its first values look like images, whatever its name; others are not."""
    texts = pa.array([cell(row) for row in DIGITS.pixels.tolist()])
    table = {
        "path": [f"{row}.png" for row in range(50)],
        "what it is": texts.dictionary_encode() if pa.types.is_dictionary(type_) else texts.cast(type_),
        "label": DIGITS.labels,
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(table), path, row_group_size=20)
    source = open_parquet(path)
    assert source.describe_columns() == "images (what it is) + label (label) + 1 skipped (path)"
    batches = [batch for each in source.split(1) for batch in source.read(storage, each, 7)]
    found = joined(batches)
    np.testing.assert_array_equal(found.pixels, DIGITS.pixels)
    assert found.labels.tolist() == DIGITS.labels.tolist()
    assert found.rejects == ()


def test_bad_cells(open_parquet, storage, tmp_path):
    """Each rejects its own record."""
    good = " ".join(["7"] * 784)
    texts = [good, None, "", good[:-2], f"{good} 1", good.replace("7", "x", 1), good.replace("7", "300", 1), good]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"pixels": texts}), path)
    batch = read_all(open_parquet(path), storage)
    assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
        (1, Reason.MISSING_VALUE, "pixels is empty, expected an image"),
        (2, Reason.MISSING_VALUE, "pixels is empty, expected an image"),
        (3, Reason.TOO_FEW_FIELDS, "pixels has 783 values, expected 784"),
        (4, Reason.TOO_MANY_FIELDS, "pixels has 785 values, expected 784"),
        (5, Reason.NOT_A_NUMBER, "pixels[0] is 'x', expected a number"),
        (6, Reason.OUT_OF_RANGE, "pixels[0] is 300.0, expected 0-255"),
    ]
    assert batch.pixels[:, 0].tolist() == [7, 0, 0, 0, 0, 0, 0, 7]


def test_two_columns_of_one_name(open_parquet, tmp_path):
    """Are refused before one of them is looked into."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["", ""]), path)
    with pytest.raises(LayoutError, match="column '' appears 2 times; names must be unique"):
        open_parquet(path)


def test_text_that_is_no_image(open_parquet, tmp_path):
    """Is no column of images."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "short": ["1 2 3", "4 5 6"]}), path)
    with pytest.raises(LayoutError, match="found 2 columns"):
        open_parquet(path)
