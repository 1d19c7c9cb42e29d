import numpy as np
import pyarrow as pa
import pytest
from support.files import PIXEL_NAMES, csv_lines, make_digits, write_csv, write_parquet
from support.outputs import scored, write_output
from support.runs import score

import job
from job.errors import DataError, NoInput
from job.settings import ReadSettings

DIGITS = make_digits(40)


@pytest.fixture
def source(tmp_path):
    """A CSV file with ids and remarks, of which some are empty; one record is bad, one label, too."""
    remarks = ["", '"a, b"', '"two\nlines"', '"the ""7"""', "12"] * 8
    lines = [f"{row},{line},{remarks[row]}" for row, line in enumerate(csv_lines(DIGITS))]
    lines[7] = "7,3" + ",300" * 784 + ","
    lines[9] = "9,12" + ",0" * 784 + ","
    (tmp_path / "a.csv").write_text("\n".join([",".join(["id", "label", *PIXEL_NAMES, "remark"]), *lines]))
    return tmp_path / "a.csv"


@pytest.mark.parametrize("has_probabilities", [True, False])
def test_csv_and_parquet_give_the_same_rows(source, model, tmp_path, has_probabilities):
    """All columns, with the types that the documentation gives, null where they do not apply."""
    tables = []
    for format_ in ("csv", "parquet"):
        read = ReadSettings(keep=("remark", "id"))
        settings = {"read": read, "format": format_, "has_probabilities": has_probabilities}
        score(source, tmp_path / format_, model, **settings)
        results = job.open_results(tmp_path / format_)
        assert [(each.path, each.rows) for each in results.inputs] == [("a.csv", 40)]
        tables.append(results.predictions("a.csv").read_all())
    assert tables[0].schema.equals(tables[1].schema)
    assert tables[0].equals(tables[1])
    names = ["prediction", "confidence", "label", "reject", "remark", "id"]
    assert tables[0].column_names == names + [f"p{digit}" for digit in range(10)] * has_probabilities
    rows = tables[0].to_pylist()
    assert (rows[0]["id"], rows[0]["remark"], rows[1]["remark"]) == ("0", "", "a, b")
    assert (rows[2]["remark"], rows[4]["remark"]) == ("two\nlines", "12")
    assert (rows[7]["prediction"], rows[7]["confidence"], rows[7]["reject"]) == (None, None, "out_of_range")
    assert (rows[9]["label"], rows[9]["reject"]) == (None, "bad_label")
    assert rows[0]["label"] == DIGITS.labels[0]


def test_a_passthrough_column_may_have_the_name_of_one_that_is_not_there(tmp_path, model):
    """Such as `label` of an input that is read without labels: it keeps its texts."""
    source = write_csv(tmp_path / "a.csv", DIGITS)
    score(source, tmp_path / "out", model, read=ReadSettings(is_label_ignored=True, keep=("label",)))
    table = job.open_results(tmp_path / "out").predictions("a.csv").read_all()
    assert table.column_names == ["prediction", "confidence", "reject", "label"]
    assert table["label"].to_pylist() == list(map(str, DIGITS.labels))


def test_the_kaggle_format_has_its_own_columns(tmp_path, model):
    """ImageId and Label."""
    score(write_csv(tmp_path / "a.csv", DIGITS), tmp_path / "out", model, format="kaggle")
    table = job.open_results(tmp_path / "out").predictions("a.csv").read_all()
    assert table.schema == pa.schema([("ImageId", pa.int64()), ("Label", pa.int8())])
    assert table["ImageId"].to_pylist() == list(range(1, 41))


def test_documents_are_those_of_the_files(tmp_path, model):
    """With the absolute path of the folder."""
    score(write_parquet(tmp_path / "a.parquet", DIGITS), tmp_path / "out", model)
    results = job.open_results(tmp_path / "out")
    assert results.folder == str(tmp_path / "out")
    assert results.report["rows"] == {"read": 40, "scored": 40, "rejected": 0, "skipped": 0}
    assert results.manifest["fingerprint"] == (tmp_path / "out/_SUCCESS").read_text().strip()


def test_large_files_are_read_in_batches(tmp_path):
    """The reader holds a few blocks, not the file."""
    output = write_output(tmp_path / "out", {"a.csv": scored(np.arange(700_000) % 10)})
    reader = job.open_results(output).predictions("a.csv")
    rows = [batch.num_rows for batch in reader]
    assert sum(rows) == 700_000
    assert len(rows) > 1


def test_an_unknown_input_is_named(tmp_path):
    """With those that there are."""
    output = write_output(tmp_path / "out", {"a.csv": scored([1]), "b.csv": scored([2])})
    with pytest.raises(NoInput, match=r"has no input 'c\.csv'; expected one of 2: a\.csv, b\.csv"):
        job.open_results(output).predictions("c.csv")


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_damaged_file_is_a_data_error(tmp_path, format_):
    """When it is opened or read, with its path; Arrow's errors do not get out."""
    output = write_output(tmp_path / "out", {"a": scored([1, 2, 3] * 1000)}, format_=format_)
    path = output / f"predictions/a.{format_}"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DataError, match=rf"a\.{format_}: cannot be read as predictions: "):
        job.open_results(output).predictions("a").read_all()


def test_a_file_damaged_in_its_middle_is_a_data_error_while_it_is_read(tmp_path):
    """The rows before it are read."""
    output = write_output(tmp_path / "out", {"a": scored(np.arange(700_000) % 10)})
    path = output / "predictions/a.csv"
    content = bytearray(path.read_bytes())
    content[-10:-5] = b"?????"
    path.write_bytes(content)
    reader = job.open_results(output).predictions("a")
    assert reader.read_next_batch().num_rows > 0
    with pytest.raises(DataError, match=r"a\.csv: cannot be read as predictions: "):
        reader.read_all()
