import dataclasses
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import PIXEL_NAMES, Digits, csv_text, make_digits, write_csv, write_idx, write_parquet

from job.command_line import command_for
from job.errors import LayoutError, NoInput
from job.read.inspection import in_words, inspect
from job.settings import ReadSettings


@pytest.fixture
def looked(storage):
    """A function that inspects one file."""

    def look_at(path, settings=ReadSettings()):  # a frozen value
        (found,) = inspect(storage, str(path), settings)
        return found

    return look_at


def test_csv(looked, tmp_path, digits):
    """A CSV file says what its columns are, counts its labels, and all its records where they are few."""
    found = looked(write_csv(tmp_path / "a.csv", digits))
    counts = ", ".join(f"{digit}: {(digits.labels == digit).sum()}" for digit in range(10))
    assert found.facts == {
        "format": f"CSV with a header, {(tmp_path / 'a.csv').stat().st_size:,} bytes",
        "columns": "784 pixels (pixel0 .. pixel783) + label (label)",
        "pixels": "text, taken as 0-255, as the first records show (highest value in the first 100: 255 of 255)",
        "labels": f"of the first 100 records: {counts}",
        "records": "100",
        "parts": "1 of up to 32 MiB",
    }
    assert found.warnings == []


def test_headerless_csv_without_label(looked, tmp_path, digits):
    """Columns without names are called by their number, and one that is not used is named."""
    path = write_csv(tmp_path / "a.csv", digits, has_header=False)
    found = looked(path, ReadSettings(is_label_ignored=True))
    assert found.facts["columns"] == "784 pixels (column 2 .. column 785) + 1 passed over (column 1)"
    assert found.facts["labels"] == "none"


@pytest.mark.parametrize("rows", ["", "rubbish\n"], ids=["header alone", "nothing good"])
def test_csv_without_a_good_record(looked, tmp_path, rows):
    """A label column is not denied only because no label was seen."""
    (tmp_path / "a.csv").write_text(csv_text(make_digits(0)) + rows)
    found = looked(tmp_path / "a.csv")
    assert found.facts["columns"].endswith("+ label (label)")
    assert found.facts["labels"] == "none was seen"


@pytest.mark.parametrize(("scale", "said"), [("auto", "taken as 0-255 ("), ("1", "taken as 0-1 by --scale (")])
def test_scale_of_idx_is_not_looked_for(looked, tmp_path, scale, said):
    """Bytes are taken as 0-255, whatever the first records show, unless the user says otherwise."""
    assert said in looked(write_idx(tmp_path, make_digits(3)), ReadSettings(scale=scale)).facts["pixels"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_records_of_a_long_csv_are_estimated(looked, tmp_path, pack):
    """More records than the head has are told from their size, and marked as an estimate."""
    (tmp_path / "a.csv").write_bytes(pack(csv_text(make_digits(2000)).encode()))
    found = looked(tmp_path / "a.csv")
    assert found.facts["records"] == "about 2,000"
    assert ("packed with gzip" in found.facts["format"]) == (pack is gzip.compress)


def test_parquet(looked, tmp_path, digits):
    """A Parquet file says its columns' type and its exact number of records."""
    found = looked(write_parquet(tmp_path / "a.parquet", digits, row_group_size=30))
    assert found.facts["format"].startswith("Parquet, ")
    assert found.facts["pixels"].startswith("uint8, ")
    assert found.facts["records"] == "100"


def test_parquet_of_several_types_and_other_columns(looked, tmp_path, digits):
    """All types that the pixels have are named, and the first of many columns that are passed over."""
    columns = {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    columns["pixel5"] = digits.pixels[:, 5].astype(np.int64)
    pq.write_table(pa.table({**columns, **dict.fromkeys("abcdefg", digits.labels)}), tmp_path / "a.parquet")
    found = looked(tmp_path / "a.parquet")
    assert found.facts["pixels"].startswith("int64, uint8, ")
    assert found.facts["columns"].endswith(" + 7 passed over (a, b, c, ..)")


def test_idx(looked, tmp_path, digits):
    """An IDX file names the file that its labels come from."""
    found = looked(write_idx(tmp_path, digits, is_compressed=True))
    assert found.facts["format"].startswith("IDX, packed with gzip, ")
    assert found.facts["columns"] == "images of 28x28"
    assert "from t10k-labels-idx1-ubyte.gz: 0: " in found.facts["labels"]


def test_missing_labels_are_counted(looked, tmp_path, digits):
    """A record without a label is no digit of any class."""
    lines = csv_text(digits).splitlines()
    lines[1] = lines[1][1:]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert looked(tmp_path / "a.csv").facts["labels"].endswith(", without: 1")


def test_warnings_and_rejects(looked, tmp_path, digits):
    """What is odd about the images is told, and how many records cannot be used."""
    inverted = dataclasses.replace(digits, pixels=255 - digits.pixels)
    path = write_csv(tmp_path / "a.csv", inverted)
    path.write_text(path.read_text() + "1,2,3\n")
    rejected, odd = looked(path).warnings
    assert rejected == "1 of the first 101 records would be rejected; scoring lists them"
    assert "dark digits on white" in odd


def test_a_file_of_no_records(looked, tmp_path):
    """A header alone is no error: there is only nothing to be seen."""
    nothing = Digits(np.empty((0, 784), np.uint8), np.empty(0, np.int8))
    found = looked(write_csv(tmp_path / "a.csv", nothing))
    assert found.facts["records"] == "0"
    assert found.facts["pixels"].endswith("(none was seen)")
    assert found.warnings == []


def test_facts_stand_in_a_column(looked, tmp_path, digits):
    """Each fact is a line, behind its name."""
    lines = in_words(looked(write_csv(tmp_path / "a.csv", digits)))
    assert lines[4] == "  records  100"


def test_all_files_of_a_folder(storage, tmp_path, digits):
    """Each file is an inspection of its own, in the order of their paths."""
    write_csv(tmp_path / "b.csv", digits)
    write_parquet(tmp_path / "a.parquet", digits)
    found = inspect(storage, str(tmp_path), ReadSettings())
    assert [each.path for each in found] == [str(tmp_path / name) for name in ("a.parquet", "b.csv")]


def test_what_cannot_be_read_is_an_error(storage, tmp_path):
    """No file, and a file without pixels, end as they would in scoring."""
    with pytest.raises(NoInput):
        inspect(storage, str(tmp_path / "nothing"), ReadSettings())
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LayoutError):
        inspect(storage, str(tmp_path / "a.csv"), ReadSettings())


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        (ReadSettings(), ""),
        (ReadSettings(label_column="is it?"), " --label-column 'is it?'"),
        (ReadSettings(is_label_ignored=True), " --no-label"),
        (ReadSettings(scale="1", is_transposed=True, keep=("a", "b")), " --scale 1 --transpose --keep a --keep b"),
    ],
    ids=["none", "label", "no label", "others"],
)
def test_the_command_repeats_what_the_user_said(settings, flags):
    """The command that is shown can be pasted into a shell, and reads as the inspection did."""
    wanted = f"digit-job score --input 'my digits.csv' --output results --model model{flags}"
    assert command_for("my digits.csv", settings) == wanted
