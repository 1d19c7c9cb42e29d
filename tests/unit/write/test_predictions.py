import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from job.contract import Reason, Reject, ScoredBatch, prediction_schema
from job.write.predictions import CsvPredictions, KagglePredictions, ParquetPredictions, prediction_rows, reject_line

REJECTS = (
    Reject(1, Reason.TOO_FEW_FIELDS, "3 values"),
    Reject(2, Reason.BAD_LABEL, "label is 10"),
)


def _batch(*, has_labels=True, rejects=REJECTS):
    """Four rows: good, rejected, with a bad label, without a label."""
    probabilities = np.zeros((4, 10), np.float32)
    probabilities[0, 7], probabilities[0, 1] = 0.75, 0.25
    probabilities[2, 3], probabilities[2, 4] = 0.123457, 1e-6
    probabilities[3, 0] = 1
    labels = np.array([7, 5, -1, -1], np.int8) if has_labels else None
    return ScoredBatch(np.array([7, -1, 3, 0], np.int8), probabilities, labels, rejects)


def _many(rows, seed=0):
    random = np.random.default_rng(seed)
    probabilities = np.round(random.dirichlet(np.full(10, 0.1), rows), 6).astype(np.float32)
    labels = random.integers(-1, 10, rows, dtype=np.int8)
    batch = ScoredBatch(probabilities.argmax(axis=1).astype(np.int8), probabilities, labels, ())
    return prediction_rows(batch, with_probabilities=True)


def _written(kind, rows, sizes):
    """The content of a file whose rows arrive in batches of these sizes, repeated."""
    file = io.BytesIO()
    writer = KagglePredictions(file) if kind is KagglePredictions else kind(file, rows.schema)
    start = 0
    while start < rows.num_rows:
        for size in sizes:
            writer.write(rows.slice(start, size))
            start += size
    writer.close()
    return file.getvalue()


# Rows


def test_decisions_are_by_confidence_and_null_where_rejected():
    """A row on the threshold is accepted."""
    rows = prediction_rows(_batch(), with_probabilities=False, accepted_from=np.float32(0.75))
    rows.validate(full=True)
    assert rows.schema.names == ["prediction", "confidence", "label", "decision", "reject"]
    assert rows["decision"].to_pylist() == ["accept", None, "review", "accept"]
    assert prediction_rows(_batch(), with_probabilities=False, accepted_from=np.float32(0.750001))[
        "decision"
    ].to_pylist() == ["review", None, "review", "accept"]
    none = ScoredBatch(np.zeros(0, np.int8), np.zeros((0, 10), np.float32), None, ())
    assert prediction_rows(none, with_probabilities=False, accepted_from=np.float32(0.5))["decision"].to_pylist() == []


@pytest.mark.parametrize("has_labels", [False, True])
@pytest.mark.parametrize("with_probabilities", [False, True])
def test_columns_are_those_of_the_schema(has_labels, with_probabilities):
    """The label's and the probabilities' only where they apply."""
    rows = prediction_rows(_batch(has_labels=has_labels), with_probabilities=with_probabilities)
    names = ["prediction", "confidence", *["label"] * has_labels, "reject"]
    assert rows.schema.names == names + [f"p{digit}" for digit in range(10)] * with_probabilities
    assert rows.schema == prediction_schema(has_labels=has_labels, with_probabilities=with_probabilities)


def test_rejected_rows_and_missing_labels_are_null():
    """A rejected row has only its label and reason, a bad label only its reason."""
    rows = prediction_rows(_batch(), with_probabilities=True)
    assert rows["prediction"].to_pylist() == [7, None, 3, 0]
    assert rows["confidence"].to_pylist() == pytest.approx([0.75, None, 0.123457, 1])
    assert rows["label"].to_pylist() == [7, 5, None, None]
    assert rows["reject"].to_pylist() == [None, "too_few_fields", "bad_label", None]
    assert rows["p7"].to_pylist() == [0.75, None, 0, 0]


def test_rows_without_rejects_have_null_reasons():
    """In a column of the same type."""
    rows = prediction_rows(_batch(rejects=()), with_probabilities=False)
    assert rows["reject"].null_count == 4


def test_an_empty_batch_gives_no_rows():
    """But all columns."""
    none = ScoredBatch(np.empty(0, np.int8), np.empty((0, 10), np.float32), np.empty(0, np.int8), ())
    rows = prediction_rows(none, with_probabilities=True)
    assert (rows.num_rows, rows.num_columns) == (0, 14)


def _passthrough(names=("id", 'file, "if any"')):
    """Two passthrough columns for the four rows of `_batch`."""
    return pa.record_batch([pa.array(["1", "2", None, ""]), pa.array(["a, b", 'say "7"', "two\nlines", None])], names)


def test_passthrough_columns_come_after_the_reason():
    """In their order, and before the probabilities."""
    rows = prediction_rows(replace(_batch(), passthrough=_passthrough()), with_probabilities=True)
    assert rows.schema.names[3:7] == ["reject", "id", 'file, "if any"', "p0"]
    assert rows["id"].to_pylist() == ["1", "2", None, ""]
    assert rows.schema == prediction_schema(has_labels=True, with_probabilities=True, passthrough=_passthrough().schema)


# CSV


def test_passthrough_columns_are_quoted_in_csv():
    """So that any CSV reader gives back names and texts."""
    rows = prediction_rows(replace(_batch(), passthrough=_passthrough()), with_probabilities=False)
    content = _written(CsvPredictions, rows, [3]).decode()
    found = list(csv.reader(io.StringIO(content, newline="")))
    assert found[0] == ["prediction", "confidence", "label", "reject", "id", 'file, "if any"']
    assert [row[4:] for row in found[1:]] == [["1", "a, b"], ["2", 'say "7"'], ["", "two\nlines"], ["", ""]]


@pytest.mark.parametrize("kind", [CsvPredictions, ParquetPredictions])
def test_passthrough_columns_do_not_depend_on_the_batches(kind):
    """The bytes are the same."""
    rows = prediction_rows(replace(_batch(), passthrough=_passthrough(("id", "file"))), with_probabilities=False)
    assert _written(kind, rows, [4]) == _written(kind, rows, [1]) == _written(kind, rows, [3])


def test_a_csv_file():
    """One line per record below a header; nulls are empty fields."""
    rows = prediction_rows(_batch(), with_probabilities=False)
    assert _written(CsvPredictions, rows, [4]).decode() == (
        'prediction,confidence,label,reject\n7,0.75,7,\n,,5,"too_few_fields"\n3,0.123457,,"bad_label"\n0,1,,\n'
    )


def test_a_csv_file_with_probabilities():
    """At most six decimals, in the order of the digits."""
    rows = prediction_rows(_batch(), with_probabilities=True)
    [_, first, rejected, second, _] = list(csv.reader(io.StringIO(_written(CsvPredictions, rows, [4]).decode())))
    assert first[4:] == ["0", "0.25", "0", "0", "0", "0", "0", "0.75", "0", "0"]
    assert rejected[4:] == [""] * 10
    assert [float(value) for value in second[4:]] == [0, 0, 0, 0.123457, 1e-6, 0, 0, 0, 0, 0]


def test_csv_numbers_are_read_back_exactly():
    """To the last bit of float32."""
    rows = _many(500)
    lines = list(csv.DictReader(io.StringIO(_written(CsvPredictions, rows, [500]).decode())))
    for name in ("confidence", "p0", "p9"):
        found = np.array([line[name] for line in lines], np.float32)
        np.testing.assert_array_equal(found, rows[name].to_numpy())
    assert max(len(line["p0"]) for line in lines) <= len("0.123456")


# Kaggle


def test_a_kaggle_file():
    """Images count from 1 across batches; a rejected record has an empty label."""
    rows = prediction_rows(_batch(), with_probabilities=True)
    assert _written(KagglePredictions, rows, [3, 1]) == b"ImageId,Label\n1,7\n2,\n3,3\n4,0\n"


# Parquet


def test_a_parquet_file():
    """The rows are read back with their types and nulls."""
    rows = prediction_rows(_batch(), with_probabilities=True)
    table = pq.read_table(io.BytesIO(_written(ParquetPredictions, rows, [4])))
    assert table.equals(pa.Table.from_batches([rows]))


def test_parquet_row_groups_have_65536_rows():
    """Whatever the batches."""
    rows = _many(65_536 * 2 + 10)
    content = _written(ParquetPredictions, rows, [50_000, 1, 40_000])
    footer = pq.read_metadata(io.BytesIO(content))
    assert [footer.row_group(index).num_rows for index in range(footer.num_row_groups)] == [65_536, 65_536, 10]
    assert pq.read_table(io.BytesIO(content)).equals(pa.Table.from_batches([rows]))


def test_a_full_row_group_is_followed_by_no_empty_one():
    """A file of exactly 65,536 rows has one."""
    content = _written(ParquetPredictions, _many(65_536), [65_536])
    assert pq.read_metadata(io.BytesIO(content)).num_row_groups == 1


# All


@pytest.mark.parametrize("kind", [CsvPredictions, KagglePredictions, ParquetPredictions])
@pytest.mark.parametrize("sizes", [[1000, 1, 0, 3], [70_000]], ids=str)
def test_bytes_do_not_depend_on_the_batches(kind, sizes):
    """The same rows give the same file."""
    rows = _many(70_000)
    assert _written(kind, rows, sizes) == _written(kind, rows, [16_384])


@pytest.mark.parametrize(
    ("kind", "content"),
    [(CsvPredictions, b"prediction,confidence,label,reject\n"), (KagglePredictions, b"ImageId,Label\n")],
)
def test_no_rows_give_only_a_header(kind, content):
    """For an input without records."""
    assert _written(kind, prediction_rows(_batch(), with_probabilities=False).slice(0, 0), [1]) == content


def test_no_rows_give_an_empty_parquet_file():
    """With all columns."""
    schema = prediction_schema(has_labels=True, with_probabilities=True)
    file = io.BytesIO()
    ParquetPredictions(file, schema).close()
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert (table.num_rows, table.schema.names) == (0, schema.names)


@pytest.mark.parametrize("kind", [CsvPredictions, KagglePredictions, ParquetPredictions])
def test_closing_a_writer_leaves_the_file_open(kind):
    """Its opener flushes, syncs and closes it."""
    file = io.BytesIO()
    schema = prediction_schema(has_labels=False, with_probabilities=False)
    writer = KagglePredictions(file) if kind is KagglePredictions else kind(file, schema)
    writer.close()
    assert not file.closed


# Rejects


def test_a_reject_line():
    """One line of JSON with the record's position, the problem and the record's text."""
    reject = Reject(8, Reason.OUT_OF_RANGE, "pixel3 is 256, expected 0-255", "pixel3", '7,"ä"\t256', 123, 9)
    line = reject_line("in/a.csv", reject)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "file": "in/a.csv",
        "row": 8,
        "byte_offset": 123,
        "line": 9,
        "column": "pixel3",
        "reason": "out_of_range",
        "detail": "pixel3 is 256, expected 0-255",
        "raw": '7,"ä"\t256',
    }
    assert "ä".encode() in line


def test_a_reject_line_of_a_binary_format():
    """Line, offset and text are null."""
    fields = json.loads(reject_line("a.parquet", Reject(0, Reason.MISSING_VALUE, "pixel3 is empty", "pixel3")))
    assert (fields["line"], fields["byte_offset"], fields["raw"]) == (None, None, None)


@pytest.mark.parametrize("text", ["\r\n\0\x1f", "\u2028\u2029\x85", "\ufffd", "😀", '"\\'])
def test_a_reject_line_is_one_line_whatever_the_text(text):
    """No text of a record can break the line or the JSON."""
    line = reject_line("a.csv", Reject(0, Reason.NOT_A_NUMBER, text, text, text))
    assert line.splitlines() == [line[:-1]]
    assert json.loads(line)["raw"] == text


def test_a_reject_line_of_a_file_whose_name_is_not_utf8():
    """The name is escaped, instead of failing the run."""
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    assert json.loads(reject_line(name, Reject(0, Reason.NOT_A_NUMBER, "x")))["file"] == name
