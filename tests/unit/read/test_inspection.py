"""What an inspection says of a file of each format."""

import dataclasses
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import PIXEL_NAMES, Digits, csv_text, make_digits, write_csv, write_idx, write_parquet

from job.errors import LayoutError, NoInput
from job.read.inspection import inspect
from job.settings import ReadSettings


@pytest.fixture
def looked(storage):
    """A function that inspects one file."""

    def look_at(path, settings=ReadSettings()):  # a frozen value
        (found,) = inspect(storage, str(path), settings)
        return found

    return look_at


def test_csv(looked, tmp_path, digits):
    """Of a CSV file: its columns, a count of its labels, and of all its records if they are few."""
    found = looked(write_csv(tmp_path / "a.csv", digits))
    counts = ", ".join(f"{digit}: {(digits.labels == digit).sum()}" for digit in range(10))
    assert found.facts == {
        "format": f"CSV with a header, {(tmp_path / 'a.csv').stat().st_size:,} bytes",
        "columns": "784 pixels (pixel0 .. pixel783) + label (label)",
        "pixels": "text, taken as 0-255, as the first records show (highest value in the first 100: 255 of 255)",
        "form": "as stored: 0 % of the first images are in MNIST's form, scaled to 20x20 and centred by mass",
        "labels": f"of the first 100 records: {counts}",
        "records": "100",
        "parts": "1 of up to 32 MiB",
    }
    assert found.warnings == []


def test_headerless_csv_without_label(looked, tmp_path, digits):
    """Columns without names are numbered, and a skipped one is mentioned."""
    path = write_csv(tmp_path / "a.csv", digits, has_header=False)
    found = looked(path, ReadSettings(is_label_ignored=True))
    assert found.facts["columns"] == "784 pixels (column 2 .. column 785) + 1 skipped (column 1)"
    assert found.facts["labels"] == "none"


@pytest.mark.parametrize("rows", ["", "garbage\n"], ids=["header alone", "nothing good"])
def test_csv_without_a_good_record(looked, tmp_path, rows):
    """A label column is mentioned even if it has no label."""
    (tmp_path / "a.csv").write_text(csv_text(make_digits(0)) + rows)
    found = looked(tmp_path / "a.csv")
    assert found.facts["columns"].endswith("+ label (label)")
    assert found.facts["labels"] == "none was seen"


@pytest.mark.parametrize(("scale", "text"), [("auto", "taken as 0-255 ("), ("1", "taken as 0-1 by --scale (")])
def test_scale_of_idx(looked, tmp_path, scale, text):
    """Bytes are 0-255, whatever the first records show, unless the user says otherwise."""
    assert text in looked(write_idx(tmp_path, make_digits(3)), ReadSettings(scale=scale)).facts["pixels"]


@pytest.mark.parametrize("pack", [bytes, lambda text: gzip.compress(text, 1)], ids=["plain", "gzip"])
def test_records_of_a_long_csv_are_estimated(looked, tmp_path, pack):
    """If there are more records than were read, their number is an estimate, marked as one."""
    (tmp_path / "a.csv").write_bytes(pack(csv_text(make_digits(2000)).encode()))
    found = looked(tmp_path / "a.csv")
    assert found.facts["records"] == "about 2,000"
    assert ("compressed with gzip" in found.facts["format"]) == (pack is not bytes)


def test_parquet(looked, tmp_path, digits):
    """Of a Parquet file: the type of its pixels and the exact number of records."""
    found = looked(write_parquet(tmp_path / "a.parquet", digits, row_group_size=30))
    assert found.facts["format"].startswith("Parquet, ")
    assert found.facts["pixels"].startswith("uint8, ")
    assert found.facts["records"] == "100"


def test_parquet_of_several_types_and_other_columns(looked, tmp_path, digits):
    """All types of the pixels are named, and the first of many skipped columns."""
    columns = {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    columns["pixel5"] = digits.pixels[:, 5].astype(np.int64)
    pq.write_table(pa.table({**columns, **dict.fromkeys("abcdefg", digits.labels)}), tmp_path / "a.parquet")
    found = looked(tmp_path / "a.parquet")
    assert found.facts["pixels"].startswith("int64, uint8, ")
    assert found.facts["columns"].endswith(" + 7 skipped (a, b, c, ..)")


def test_idx(looked, tmp_path, digits):
    """Of an IDX file: the file that its labels come from."""
    found = looked(write_idx(tmp_path, digits, is_compressed=True))
    assert found.facts["format"].startswith("IDX, compressed with gzip, ")
    assert found.facts["columns"] == "images of 28x28"
    assert "from t10k-labels-idx1-ubyte.gz: 0: " in found.facts["labels"]


def test_missing_labels_are_counted(looked, tmp_path, digits):
    """Records without a label are counted apart from the digits."""
    lines = csv_text(digits).splitlines()
    lines[1] = lines[1][1:]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert looked(tmp_path / "a.csv").facts["labels"].endswith(", without: 1")


def test_warnings_and_rejects(looked, tmp_path, digits):
    """The warnings are those of the images, after the number of records that would be rejected."""
    inverted = dataclasses.replace(digits, pixels=255 - digits.pixels)
    path = write_csv(tmp_path / "a.csv", inverted)
    path.write_text(path.read_text() + "1,2,3\n")
    rejected, odd = looked(path, ReadSettings(normalize="none")).warnings
    assert rejected == "1 of the first 101 records would be rejected; scoring lists them"
    assert "dark digits on white" in odd


def test_inverted_images(looked, tmp_path, digits):
    """With --invert there is no warning; the highest value is the file's own."""
    path = write_csv(tmp_path / "a.csv", Digits(255 - np.maximum(digits.pixels, 5), digits.labels))
    (warning,) = looked(path, ReadSettings(normalize="none")).warnings
    assert warning.endswith("if so, add --invert")
    found = looked(path, ReadSettings(is_inverted=True))
    assert found.facts["pixels"].endswith("(highest value in the first 100: 250 of 255), inverted")
    assert not any("--invert" in each for each in found.warnings)


def test_a_file_of_no_records(looked, tmp_path):
    """A header alone is no error."""
    nothing = Digits(np.empty((0, 784), np.uint8), np.empty(0, np.int8))
    found = looked(write_csv(tmp_path / "a.csv", nothing))
    assert found.facts["records"] == "0"
    assert found.facts["pixels"].endswith("(none was seen)")
    assert found.warnings == []


def test_facts_as_lines(looked, tmp_path, digits):
    """Each fact is a line after its name, and the values are aligned."""
    lines = looked(write_csv(tmp_path / "a.csv", digits)).fact_lines()
    assert lines[5] == "  records  100"


def test_all_files_of_a_folder(storage, tmp_path, digits):
    """Each file has its own inspection, in the order of paths."""
    write_csv(tmp_path / "b.csv", digits)
    write_parquet(tmp_path / "a.parquet", digits)
    found = inspect(storage, str(tmp_path), ReadSettings())
    assert [each.path for each in found] == [str(tmp_path / name) for name in ("a.parquet", "b.csv")]


def test_errors(storage, tmp_path):
    """A missing file, and a file without pixels, raise what they would raise in scoring."""
    with pytest.raises(NoInput):
        inspect(storage, str(tmp_path / "nothing"), ReadSettings())
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LayoutError):
        inspect(storage, str(tmp_path / "a.csv"), ReadSettings())
