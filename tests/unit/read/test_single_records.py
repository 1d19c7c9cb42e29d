"""A record by its row number is the record that a whole reading has there, in every format."""

import gzip
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support.batches import read_all
from support.files import csv_text, make_digits, write_csv, write_idx, write_parquet

from job.errors import UsageError
from job.read import single_records
from job.read.single_records import read_records
from job.read.source import files_at, look
from job.settings import ReadSettings

DIGITS = make_digits(60, seed=5)


def _csv_with_bad_lines(path):
    lines = csv_text(DIGITS).splitlines()
    lines[3], lines[5] = "", lines[5][:40]  # a blank line, and a record of too few fields
    lines[20] = f"x{lines[20]}"  # no label
    path.write_text("\n".join(lines))


def _arrow(path):
    feather.write_feather(pq.read_table(write_parquet(path.with_suffix(".pq"), DIGITS)), str(path), chunksize=7)


FILES = {
    "a.csv": _csv_with_bad_lines,
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(csv_text(DIGITS).encode())),
    "a.parquet": lambda path: write_parquet(path, DIGITS, row_group_size=11),
    "a.arrow": _arrow,
    "t10k-images-idx3-ubyte": lambda path: write_idx(path.parent, DIGITS),
    "t10k-images-idx3-ubyte.gz": lambda path: write_idx(path.parent, DIGITS, is_compressed=True),
    "a.npy": lambda path: np.save(path, DIGITS.pixels),
    "a.npz": lambda path: np.savez_compressed(path, x=DIGITS.pixels, y=DIGITS.labels),
}


def _source(storage, path):
    (source,) = look(storage, files_at(storage, [str(path)]), ReadSettings())
    return source


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Parts of a few records, and blocks of fewer."""
    monkeypatch.setattr(single_records, "DEFAULT_PART_BYTES", 9_000)
    monkeypatch.setattr(single_records, "_BLOCK_ROWS", 4)


@pytest.mark.parametrize(("name", "write"), FILES.items(), ids=FILES)
def test_each_record_is_the_one_of_a_whole_reading(storage, tmp_path, name, write):
    """Its pixels, its label, and its reject with the line in the file."""
    write(tmp_path / name)
    source = _source(storage, tmp_path / name)
    expected = read_all(source, storage)
    count = len(expected.pixels)
    rows = [*range(count), 3, 3, 0]
    for record, row in zip(read_records(source, storage, rows), rows, strict=True):
        assert record.row == row
        assert np.array_equal(record.batch.pixels, expected.pixels[row : row + 1])
        if expected.labels is not None:
            assert record.batch.labels.tolist() == [expected.labels[row]]
        rejects = [each.shifted(-row, 0) for each in expected.rejects if each.row == row]
        assert list(record.batch.rejects) == rejects
    assert len(expected.rejects) == (2 if name == "a.csv" else 0)


@pytest.mark.parametrize(("name", "write"), FILES.items(), ids=FILES)
def test_a_row_out_of_range_is_refused_with_the_number_of_records(storage, tmp_path, name, write):
    """Also where other rows are in range."""
    write(tmp_path / name)
    source = _source(storage, tmp_path / name)
    count = len(read_all(source, storage).pixels)
    with pytest.raises(
        UsageError, match=re.escape(f"--row {count}: {tmp_path / name} has {count} records, counted from 0")
    ):
        read_records(source, storage, [0, count])


def test_a_file_without_records_has_none_to_show(storage, tmp_path):
    """A header alone."""
    with pytest.raises(UsageError, match=r"--row 0: .* has no records"):
        read_records(_source(storage, write_csv(tmp_path / "a.csv", make_digits(0))), storage, [0])


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "t10k-images-idx3-ubyte", "a.npy"])
def test_what_precedes_a_record_is_not_read_where_records_are_counted(storage, tmp_path, monkeypatch, name):
    """One part is read, and no further than the record."""
    FILES[name](tmp_path / name)
    source = _source(storage, tmp_path / name)
    parts, read_rows, read = [], [], type(source).read

    def counted(self, storage, part_range, block_rows):
        parts.append(part_range)
        for batch in read(self, storage, part_range, block_rows):
            read_rows.append(len(batch.pixels))
            yield batch

    monkeypatch.setattr(type(source), "read", counted)
    read_records(source, storage, [33])
    assert len(source.split(9_000)) > 4
    assert len(parts) == 1
    assert sum(read_rows) <= 12


def test_a_plain_file_is_read_no_further_than_the_last_record(storage, tmp_path, monkeypatch):
    """What follows it may even be no CSV."""
    write_csv(tmp_path / "a.csv", DIGITS)
    source = _source(storage, tmp_path / "a.csv")
    read_rows, read = [], type(source).read

    def counted(self, storage, part_range, block_rows):
        for batch in read(self, storage, part_range, block_rows):
            read_rows.append(len(batch.pixels))
            yield batch

    monkeypatch.setattr(type(source), "read", counted)
    assert [each.row for each in read_records(source, storage, [9, 2])] == [9, 2]
    assert sum(read_rows) < 20


def test_rows_of_a_partitioned_folder_have_its_label(storage, tmp_path):
    """As in a run."""
    (tmp_path / "label=7").mkdir()
    pq.write_table(pa.table({"image": [each.tobytes() for each in DIGITS.pixels]}), tmp_path / "label=7/a.parquet")
    (record,) = read_records(_source(storage, tmp_path), storage, [5])
    assert record.batch.labels.tolist() == [7]
