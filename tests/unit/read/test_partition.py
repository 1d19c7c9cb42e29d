"""Labels in the names of folders, as Hive and Spark partition data."""

import numpy as np
import pytest
from support.batches import joined, read_all
from support.files import make_digits, write_csv, write_idx, write_parquet

from job.contract import Reason
from job.errors import LayoutError
from job.read.source import files_at, look
from job.settings import LabelMap, ReadSettings

DIGITS = make_digits(40)


@pytest.fixture
def looked(storage, tmp_path):
    """A function that returns the sources below the test's folder, with settings as keywords."""
    return lambda **choices: look(storage, files_at(storage, [str(tmp_path)]), ReadSettings(**choices))


def _write(folder, digits, *, name="part-0", has_labels=False):
    folder.mkdir(parents=True, exist_ok=True)
    write = write_csv if name.endswith("csv") else write_parquet
    return write(folder / (name if name.endswith("csv") else f"{name}.parquet"), digits, has_labels=has_labels)


@pytest.mark.parametrize("key", ["label", "digit", "class", "LABEL"])
@pytest.mark.parametrize("name", ["part-0", "part-00000-5c.snappy", "part-0.csv"])
def test_the_label_is_read_from_the_path(looked, storage, tmp_path, key, name):
    """In Parquet and CSV, in parts and blocks of any size, below other folders; the description says so."""
    for digit in range(10):
        _write(tmp_path / f"year=2024/{key}={digit}", DIGITS[DIGITS.labels == digit], name=name)
    sources = looked()
    assert sources[3].describe_columns() == (f"784 pixels (pixel0 .. pixel783) + label (of the folder {key}=3)")
    for digit, source in enumerate(sources):
        batch = joined(batch for each in source.split(5000) for batch in source.read(storage, each, 2))
        assert source.has_labels
        assert set(batch.labels.tolist()) <= {digit}
        np.testing.assert_array_equal(batch.pixels, DIGITS.pixels[DIGITS.labels == digit])
    assert sum(len(read_all(source, storage).labels) for source in sources) == 40


@pytest.mark.parametrize(
    ("folder", "label"), [("label=%33", 3), ("label=3.0", 3), ("label=__HIVE_DEFAULT_PARTITION__", -1)]
)
def test_escaped_and_missing_values(looked, storage, tmp_path, folder, label):
    """Names are escaped as in a URL; Hive has a word for a missing value."""
    _write(tmp_path / folder, DIGITS)
    [source] = looked()
    assert set(read_all(source, storage).labels.tolist()) == {label}


def test_a_label_in_the_file_goes_first(looked, storage, tmp_path):
    """The folder then says nothing."""
    _write(tmp_path / "label=3", DIGITS, has_labels=True)
    [source] = looked()
    assert read_all(source, storage).labels.tolist() == DIGITS.labels.tolist()
    assert "folder" not in source.describe_columns()


def test_flags(looked, storage, tmp_path):
    """--label-column names a folder, even beside a label in the file; --no-label ignores all."""
    _write(tmp_path / "batch=7/label=3", DIGITS, has_labels=True)
    [source] = looked(label_column="batch")
    assert set(read_all(source, storage).labels.tolist()) == {7}
    assert source.describe_columns() == (
        "784 pixels (pixel0 .. pixel783) + 1 skipped (label) + label (of the folder batch=7)"
    )
    [source] = looked(is_label_ignored=True)
    assert not source.has_labels
    with pytest.raises(LayoutError, match="has no column 'month'"):
        looked(label_column="month")


def test_other_formats(looked, storage, tmp_path):
    """Any source without labels."""
    (tmp_path / "label=3").mkdir()
    (tmp_path / "label=4").mkdir()
    write_idx(tmp_path / "label=3", DIGITS, has_labels=False)
    np.save(tmp_path / "label=4/a.npy", DIGITS.pixels)
    assert [set(read_all(source, storage).labels.tolist()) for source in looked()] == [{3}, {4}]


@pytest.mark.parametrize(
    ("folder", "is_told"),
    [("y=2024", True), ("class=train", True), ("label=11", True), ("labels=3", False), ("=3", False), ("label", False)],
)
def test_folders_that_are_no_label(looked, tmp_path, folder, is_told, caplog):
    """By name or by value."""
    _write(tmp_path / folder, DIGITS)
    with caplog.at_level("INFO"):
        [source] = looked()
    assert not source.has_labels
    assert (f"the folder {folder} is no label: expected 0-9" in caplog.text) == is_told


def test_ten_may_be_a_label(looked, storage, tmp_path):
    """Of another convention: its records have a label that is unreadable, unless a map says what it means."""
    _write(tmp_path / "label=10", DIGITS)
    [source] = looked()
    batch = read_all(source, storage)
    assert {reject.reason for reject in batch.rejects} == {Reason.BAD_LABEL}
    assert set(batch.labels.tolist()) == {-1}
    [source] = looked(label_map=LabelMap("map.json", (("10", 0),)))
    assert set(read_all(source, storage).labels.tolist()) == {0}


def test_a_value_that_the_user_calls_a_label(looked, storage, tmp_path):
    """Is rejected for each record if it is none, beside the records that are rejected for their pixels."""
    path = _write(tmp_path / "y=2024", DIGITS[:3], name="a.csv")
    header, *records = path.read_text().splitlines()
    path.write_text("\n".join([header, records[0], f"x{records[1]}", records[2]]))
    [source] = looked(label_column="y")
    batch = read_all(source, storage)
    assert [(each.row, each.reason) for each in batch.rejects] == [
        (0, Reason.BAD_LABEL), (1, Reason.NOT_A_NUMBER), (2, Reason.BAD_LABEL),
    ]  # fmt: skip
    assert batch.labels.tolist() == [-1] * 3


def test_two_folders_that_could_be_the_label(looked, tmp_path):
    """Are refused, with the flag that settles it."""
    _write(tmp_path / "label=3/digit=4", DIGITS)
    with pytest.raises(LayoutError, match=r"its folders label=3 and digit=4 could each be the label; .*--label-column"):
        looked()
    assert [source.name for source in looked(label_column="digit")] == ["digit"]


def test_a_map_and_a_folder_that_the_user_calls_the_label(looked, storage, tmp_path):
    """Both flags together: the map says what the folder's name means."""
    _write(tmp_path / "digit=ten", DIGITS)
    [source] = looked(label_column="digit", label_map=LabelMap("map.json", (("ten", 0),)))
    assert set(read_all(source, storage).labels.tolist()) == {0}
