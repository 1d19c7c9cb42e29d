import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import assert_same, joined, read_all
from support.files import PIXEL_NAMES, make_digits, write_parquet

from job.contract import PixelBatch, Reason
from job.errors import DataError, InputChanged, LayoutError
from job.read.csv.csv_source import csv_source
from job.read.parquet.parquet_source import parquet_source
from job.read.parquet.window import window_rows
from job.settings import ReadSettings
from job.storage import LocalStorage


def _source(storage, path, choice=ReadSettings()):  # frozen
    return parquet_source(storage, storage.stat(str(path)), choice)


def _write(path, digits, **replaced):
    """A file of digits with some columns replaced: pixel3=pa.array(..)."""
    columns = {"label": digits.labels}
    columns |= {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    pq.write_table(pa.table(columns | replaced), path)
    return path


@pytest.fixture
def three(digits):
    return digits[:3]


@pytest.mark.parametrize("row_group_size", [1, 2, 1000])
@pytest.mark.parametrize("block_rows", [1, 3])
def test_rows_whatever_the_groups_and_blocks(storage, tmp_path, digits, row_group_size, block_rows):
    """Rows come in order, however the file is cut into row groups, parts and blocks."""
    few = digits[:5]
    source = _source(storage, write_parquet(tmp_path / "a.parquet", few, row_group_size=row_group_size))
    assert (source.rows, source.has_labels, source.format) == (5, True, "parquet")
    batches = [batch for span in source.spans(20_000) for batch in source.read(storage, span, block_rows)]
    assert max(len(batch.pixels) for batch in batches) <= block_rows
    assert_same(joined(batches), PixelBatch(few.pixels, few.labels))
    assert all(batch.pixels.flags.c_contiguous and batch.pixels.dtype == np.uint8 for batch in batches)


def test_file_without_labels(storage, tmp_path, digits):
    """Without a label column there are no labels."""
    source = _source(storage, write_parquet(tmp_path / "a.parquet", digits, has_labels=False))
    assert_same(read_all(source, storage), PixelBatch(digits.pixels))


@pytest.mark.parametrize("choice", [ReadSettings(is_label_ignored=True), ReadSettings("pixelate")])
def test_label_by_the_users_word(storage, tmp_path, three, choice):
    """The user may name another column as the label, or none."""
    path = _write(tmp_path / "a.parquet", three, pixelate=pa.array([3, 2, 1]))
    batch = read_all(_source(storage, path, choice), storage)
    assert (None if choice.is_label_ignored else [3, 2, 1]) == (None if batch.labels is None else batch.labels.tolist())


@pytest.mark.parametrize(
    "names",
    [[f"{row}x{column}" for row in range(28) for column in range(28)], [f"pixel.{index}" for index in range(784)]],
    ids=["grid", "dots"],
)
def test_columns_in_any_order_among_others(storage, tmp_path, digits, names):
    """Pixels are put in order by name; columns of other types beside them are not read."""
    order = np.random.default_rng(3).permutation(784)
    columns = {"pixel": pa.array([{"x": 1}] * 100), **{names[index]: digits.pixels[:, index] for index in order}}
    pq.write_table(pa.table(columns | {"Label": digits.labels, "note": ["text"] * 100}), tmp_path / "a.parquet")
    batch = read_all(_source(storage, tmp_path / "a.parquet"), storage)
    assert_same(batch, PixelBatch(digits.pixels, digits.labels))


@pytest.mark.parametrize(
    "type_",
    [pa.int16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()],
    ids=str,
)
def test_any_numeric_type(storage, tmp_path, digits, type_):
    """Pixels and labels may be stored as any integers or floating-point numbers."""
    few = digits[:5]
    path = write_parquet(tmp_path / "a.parquet", few)
    table = pq.read_table(path)
    pq.write_table(table.cast(pa.schema([(name, type_) for name in table.column_names])), path)
    assert_same(read_all(_source(storage, path), storage), PixelBatch(few.pixels, few.labels))


@pytest.mark.parametrize(
    ("column", "reason", "detail"),
    [
        (pa.array([1, None, 2], pa.uint8()), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (pa.array([1, None, 2], pa.float32()), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (pa.array([1, float("nan"), 2]), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (pa.array([1, 256, 2]), Reason.OUT_OF_RANGE, "pixel3 is 256, expected 0-255"),
        (pa.array([1, -1, 2], pa.int8()), Reason.OUT_OF_RANGE, "pixel3 is -1, expected 0-255"),
        (pa.array([1, 2**63 - 1, 2]), Reason.OUT_OF_RANGE, "pixel3 is 9223372036854775807, expected 0-255"),
        (pa.array([1, 2**64 - 1, 2], pa.uint64()), Reason.OUT_OF_RANGE, f"pixel3 is {2**64 - 1}, expected 0-255"),
        (pa.array([1, 300.5, 2]), Reason.OUT_OF_RANGE, "pixel3 is 300.5, expected 0-255"),
        (pa.array([1, float("-inf"), 2]), Reason.NOT_A_NUMBER, "pixel3 is -inf, expected 0-255"),
        (pa.array([1, 0.5, 2]), Reason.NOT_AN_INTEGER, "pixel3 is 0.5, expected a whole number 0-255"),
    ],
    ids=lambda value: str(value).replace("\n", "") if isinstance(value, pa.Array) else "",
)
def test_bad_pixel_keeps_its_row(storage, tmp_path, three, column, reason, detail):
    """A value that is no pixel rejects its row, with reason and column; the row's pixels are blank, its label stays."""
    batch = read_all(_source(storage, _write(tmp_path / "a.parquet", three, pixel3=column)), storage)
    [reject] = batch.rejects
    assert (reject.row, reject.reason, reject.detail, reject.column) == (1, reason, detail, "pixel3")
    assert (reject.line, reject.byte_offset) == (None, None)
    assert batch.pixels[:, 3].tolist() == [1, 0, 2]
    assert not batch.pixels[1].any()
    np.testing.assert_array_equal(np.delete(batch.pixels[[0, 2]], 3, 1), np.delete(three.pixels[[0, 2]], 3, 1))
    assert batch.labels.tolist() == three.labels.tolist()


def test_first_bad_column_is_named_once_per_row(storage, tmp_path, three):
    """A row with several bad values is one reject, and rejects are ordered by row."""
    bad = {"pixel700": pa.array([1, 999, None]), "pixel4": pa.array([1, None, 3]), "label": pa.array([77, 78, 79])}
    batch = read_all(_source(storage, _write(tmp_path / "a.parquet", three, **bad)), storage)
    assert [(each.row, each.column, each.reason) for each in batch.rejects] == [
        (0, "label", Reason.BAD_LABEL),
        (1, "pixel4", Reason.MISSING_VALUE),
        (2, "pixel700", Reason.MISSING_VALUE),
    ]


@pytest.mark.parametrize(
    ("column", "labels", "details"),
    [
        (pa.array([0, 9, None]), [0, 9, -1], []),
        (pa.array([1.0, float("nan"), 3]), [1, -1, 3], []),
        (pa.array([10, 3, -1]), [-1, 3, -1], ["label is 10, expected 0-9", "label is -1, expected 0-9"]),
        (pa.array([1.5, 2, 3]), [-1, 2, 3], ["label is 1.5, expected 0-9"]),
        (pa.array([2**40, 2, 3]), [-1, 2, 3], [f"label is {2**40}, expected 0-9"]),
        (pa.array([float("inf"), 2, 3]), [-1, 2, 3], ["label is inf, expected 0-9"]),
        (pa.array([None, None, None], pa.int8()), [-1, -1, -1], []),
    ],
    ids=["null", "NaN", "out of range", "fraction", "huge", "infinite", "all null"],
)
def test_labels(storage, tmp_path, three, column, labels, details):
    """A missing label is none; any other that is not 0 to 9 is a bad label, and the pixels stay."""
    batch = read_all(_source(storage, _write(tmp_path / "a.parquet", three, label=column)), storage)
    assert batch.labels.tolist() == labels
    assert [each.detail for each in batch.rejects] == details
    assert {each.reason for each in batch.rejects} <= {Reason.BAD_LABEL}
    np.testing.assert_array_equal(batch.pixels, three.pixels)


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("pixel3", pa.array(["1", "2", "3"]), "pixel column 'pixel3' is of type string, expected a number"),
        ("pixel3", pa.array([True, False, True]), "pixel column 'pixel3' is of type bool, expected a number"),
        (
            "pixel3",
            pa.array([[1], [2], [3]]),
            "pixel column 'pixel3' is of type list<element: int64>, expected a number",
        ),
        ("label", pa.array([True, False, True]), "label column 'label' is of type bool, expected a number or text"),
        ("label", pa.nulls(3), "label column 'label' is of type null, expected a number or text"),
    ],
)
def test_columns_of_other_types(storage, tmp_path, three, name, column, message):
    """Pixels and labels that are no numbers are refused before any row is read, with column and type."""
    path = _write(tmp_path / "a.parquet", three, **{name: column})
    with pytest.raises(LayoutError) as error:
        _source(storage, path)
    assert str(error.value) == f"{path}: {message}"


def test_other_tables(storage, tmp_path):
    """A Parquet file of something else is refused with the columns it has."""
    pq.write_table(pa.table({"name": ["x"], "age": [3]}), tmp_path / "a.parquet")
    with pytest.raises(LayoutError, match=re.escape("a.parquet: found 2 columns (name, age); expected 784")):
        _source(storage, tmp_path / "a.parquet")


def _group_bytes(source):
    return source.group_bytes[0]


@pytest.mark.parametrize(
    ("share", "spans"),
    [
        (0.001, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
        (1, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
        (2.1, [(0, 2), (2, 4), (4, 5)]),
        (100, [(0, 5)]),
    ],
)
def test_parts_are_runs_of_row_groups(storage, tmp_path, digits, share, spans):
    """A part is as many row groups as fit into its size, and at least one."""
    same = type(digits)(np.tile(digits.pixels[:10], (5, 1)), np.tile(digits.labels[:10], 5))
    source = _source(storage, write_parquet(tmp_path / "a.parquet", same, row_group_size=10))
    assert source.spans(int(share * _group_bytes(source))) == spans


def test_empty_files(storage, tmp_path, digits):
    """A file with no row, in one row group or in none at all, is one part with nothing in it."""
    schema = pq.read_schema(write_parquet(tmp_path / "one.parquet", digits[:0]))
    pq.ParquetWriter(tmp_path / "none.parquet", schema).close()
    for name, groups in (("one.parquet", 1), ("none.parquet", 0)):
        source = _source(storage, tmp_path / name)
        assert (source.rows, len(source.group_rows), len(source.spans(1))) == (0, groups, 1)
        assert read_all(source, storage).pixels.shape == (0, 784)


def test_empty_row_groups(storage, tmp_path, digits):
    """Row groups of no rows between others do no harm."""
    table = pq.read_table(write_parquet(tmp_path / "a.parquet", digits))
    with pq.ParquetWriter(tmp_path / "b.parquet", table.schema) as writer:
        for start, rows in ((0, 0), (0, 40), (40, 0), (40, 60), (0, 0)):
            writer.write_table(table.slice(start, rows))
    for part_bytes in (1, 10**9):
        batch = read_all(_source(storage, tmp_path / "b.parquet"), storage, part_bytes=part_bytes)
        assert_same(batch, PixelBatch(digits.pixels, digits.labels))


@pytest.mark.parametrize("keep", [4, 8, 100, 0.5, -8, -1], ids=str)
def test_truncated_file(storage, tmp_path, digits, keep):
    """A file that was cut off is a data error that names it, in one line."""
    path = write_parquet(tmp_path / "a.parquet", digits)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(DataError) as error:
        _source(storage, path)
    assert str(error.value).startswith(f"{path}: cannot be read as Parquet: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["pages", "footer"])
@pytest.mark.parametrize("seed", range(5))
def test_corrupt_file(storage, tmp_path, digits, place, seed):
    """Rubbish within a file is a data error that names it, in one line: no retry would mend it."""
    path = write_parquet(tmp_path / "a.parquet", digits)
    content = bytearray(path.read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    random = np.random.default_rng(seed)
    start = int(random.integers(4, footer // 2)) if place == "pages" else footer
    content[start : start + 5000] = random.bytes(5000)
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_all(_source(storage, path), storage)
    assert str(error.value).startswith(f"{path}: cannot be read as Parquet: ")
    assert "\n" not in str(error.value)


def test_progress_adds_up_to_the_file(storage, tmp_path, digits):
    """What the batches say of bytes read is about the file's size."""
    source = _source(storage, write_parquet(tmp_path / "a.parquet", digits, row_group_size=30))
    sizes = [batch.size_bytes for span in source.spans(1) for batch in source.read(storage, span, 7)]
    assert sum(sizes) == pytest.approx(source.file.size, abs=len(sizes))


def test_file_that_is_replaced(storage, tmp_path, digits):
    """Where a file is another one than was looked at, that is the error, and not that it cannot be read."""
    source = _source(storage, write_parquet(tmp_path / "a.parquet", digits))
    write_parquet(tmp_path / "a.parquet", digits[:50], has_labels=False)
    with pytest.raises(InputChanged, match=r"a\.parquet: was changed while it was being read"):
        read_all(source, storage)


def test_footer_is_parsed_once(storage, tmp_path, digits, monkeypatch):
    """However many parts a file has, its footer is parsed once; another storage's file of that name has its own."""
    path = write_parquet(tmp_path / "a.parquet", digits, row_group_size=10)
    parsed, parse = [], pq.read_metadata
    monkeypatch.setattr(pq, "read_metadata", lambda raw: parsed.append(raw) or parse(raw))
    assert len(read_all(_source(storage, path), storage, part_bytes=1).pixels) == 100
    assert len(parsed) == 1
    _source(LocalStorage(), path)
    assert len(parsed) == 2


def test_bad_values_in_windows(storage, tmp_path, digits, monkeypatch):
    """In a row group that is read in windows, each bad row is told of once, with the first of its columns."""
    monkeypatch.setattr("job.read.parquet.window._WINDOW_BYTES", 784 * 10)
    monkeypatch.setattr("job.read.parquet.parquet_source._GRID_ROWS", 5)
    bad = pa.array([None if row % 7 == 0 else 256 if row % 7 == 1 else 1 for row in range(100)])
    path = _write(tmp_path / "a.parquet", digits, pixel3=bad, pixel700=bad)
    batch = read_all(_source(storage, path), storage, block_rows=3)
    assert [(each.row, each.column, each.reason) for each in batch.rejects] == [
        (row, "pixel3", Reason.MISSING_VALUE if row % 7 == 0 else Reason.OUT_OF_RANGE)
        for row in range(100)
        if row % 7 < 2
    ]
    good = [row for row in range(100) if row % 7 > 1]
    expected = digits.pixels[good].copy()
    expected[:, [3, 700]] = 1
    np.testing.assert_array_equal(batch.pixels[good], expected)


@pytest.mark.parametrize(
    ("rows", "windows"), [(0, 0), (1, 1), (65_536, 1), (122_880, 1), (262_144, 3), (10**6, 4), (10**7, 39)]
)
def test_windows(rows, windows):
    """A row group of usual size is decoded once; a larger one a few times, and never takes more than 192 MiB."""
    found = window_rows(rows, 4096)
    assert found % 4096 == 0
    assert -(-rows // found) == windows
    assert found * 784 <= 192 * 2**20 + 4096 * 784


@pytest.fixture
def both(storage, tmp_path):
    """The same table with four bad pixels and a bad label, read from CSV and from Parquet."""
    digits = make_digits(6)
    values = digits.pixels.astype(object)
    values[1, 3], values[2, 4], values[3, 5], values[4, 6] = 256, None, 0.5, float("inf")
    columns = {name: pa.array(values[:, index].tolist(), pa.float64()) for index, name in enumerate(PIXEL_NAMES)}
    pq.write_table(pa.table({"label": pa.array([1, 2, 3, 4, 5, 77]), **columns}), tmp_path / "a.parquet")
    rows = [",".join("" if each is None else str(each) for each in row) for row in values]
    lines = [f"{label},{row}" for label, row in zip([1, 2, 3, 4, 5, 77], rows, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["label", *PIXEL_NAMES]), *lines]))
    csv = csv_source(storage, storage.stat(str(tmp_path / "a.csv")), ReadSettings(), is_compiled=False)
    return read_all(csv, storage), read_all(_source(storage, tmp_path / "a.parquet"), storage)


@pytest.mark.parametrize(
    "what",
    [
        lambda batch: batch.pixels.tolist(),
        lambda batch: batch.labels.tolist(),
        lambda batch: [(each.row, each.column) for each in batch.rejects],
        lambda batch: [each.reason for each in batch.rejects],
    ],
    ids=["pixels", "labels", "rejects", "reasons"],
)
def test_parquet_says_the_same_as_csv(both, what):
    """The same table gives the same rows, labels, rejected rows and reasons in both formats."""
    csv, parquet = both
    assert what(csv) == what(parquet)
