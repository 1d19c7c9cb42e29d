import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.outputs import scored, write_output

from job.errors import DataError, StorageError
from job.results.predicted import predicted

BATCH = scored([3, -1, 9, 0], [3, 4, -1, 1], [0.5, 0, 0.999873, 1])


def read(storage, path, **more):
    """The columns of a whole prediction file."""
    batches = list(predicted(storage, str(path), **more))
    return [np.concatenate([getattr(each, name) for each in batches]).tolist() for name in COLUMNS]


COLUMNS = ("predictions", "confidences", "labels")


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_written_predictions_are_read_back(storage, tmp_path, format_):
    """Digits, confidences to the bit and labels; -1 or 0 where there is none."""
    folder = write_output(tmp_path, {"a": BATCH}, format_=format_)
    predictions, confidences, labels = read(storage, folder / f"predictions/a.{format_}")
    assert predictions == [3, -1, 9, 0]
    assert confidences == np.array([0.5, 0, 0.999873, 1], np.float32).tolist()
    assert labels == [3, 4, -1, 1]


def test_a_kaggle_file_has_only_digits(storage, tmp_path):
    """No confidences and no labels."""
    folder = write_output(tmp_path, {"a": BATCH}, format_="kaggle")
    assert read(storage, folder / "predictions/a.csv") == [[3, -1, 9, 0], [0, 0, 0, 0], [-1, -1, -1, -1]]


def test_a_passthrough_column_is_no_label(storage, tmp_path):
    """With --no-label --keep label the input's column comes after the run's own, and may contain anything."""
    path = tmp_path / "a.csv"
    path.write_text('prediction,confidence,reject,label,"a\nb"\n3,0.5,,cat,"x\n\ny"\n4,0.25,,"d,og",\n')
    assert read(storage, path) == [[3, 4], [0.5, 0.25], [-1, -1]]


def test_long_passthrough_columns_are_read(storage, tmp_path):
    """A record has up to 1 MiB, all of which may pass through, with each quote doubled."""
    path, text = tmp_path / "a.csv", '""' * (1 << 20)
    path.write_text(f'prediction,confidence,reject,note\n3,0.5,,"{text}"\n4,0.25,,"{text}"\n')
    assert read(storage, path) == [[3, 4], [0.5, 0.25], [-1, -1]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "its first columns are not prediction and confidence"),
        ("label,pixel0,pixel1\n1,2,3\n", "its first columns are not prediction and confidence"),
        ("prediction,confidence,label,reject\n10,0.5,1,\n", "prediction is 10, expected 0 to 9"),
        ("prediction,confidence,label,reject\n1,0.5,-2,\n", "label is -2, expected 0 to 9"),
        ("prediction,confidence,label,reject\ncat,0.5,1,\n", "conversion error to int8: invalid value"),
        ("prediction,confidence,label,reject\n1,0.5\n", "Expected 4 columns, got 2"),
    ],
)
def test_other_files_are_refused(storage, tmp_path, text, problem):
    """The message names the file and the problem."""
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=rf"a\.csv: cannot be read as predictions: .*{problem}"):
        read(storage, tmp_path / "a.csv")


@pytest.mark.parametrize(
    "text", ["secret,x\n", "prediction,confidence,label,reject\nsecret,0.5,1,\n", "prediction,confidence\n1,1,secret\n"]
)
def test_an_error_quotes_nothing_of_the_file(storage, tmp_path, text):
    """The folder may be anyone's, and lead to a file that only this user can read."""
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=r"a\.csv: cannot be read as predictions: ") as error:
        read(storage, tmp_path / "a.csv")
    assert "secret" not in str(error.value)


def test_a_damaged_parquet_file_is_refused(storage, tmp_path):
    """And one with columns of other types."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more PAR1")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as predictions"):
        read(storage, tmp_path / "a.parquet")
    pq.write_table(pa.table({"prediction": ["one"], "confidence": [1.0]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: cannot be read as predictions: Failed to parse string$"):
        read(storage, tmp_path / "b.parquet")


def test_wider_types_are_read(storage, tmp_path):
    """A file that pandas has rewritten has 64-bit numbers."""
    pq.write_table(
        pa.table({"prediction": [3, None], "confidence": [0.5, None], "label": [3, 4]}), tmp_path / "a.parquet"
    )
    assert read(storage, tmp_path / "a.parquet") == [[3, -1], [0.5, 0], [3, 4]]


def test_a_file_that_cannot_be_read_is_a_storage_error(storage, tmp_path):
    """Not an error of the data."""
    with pytest.raises(StorageError):
        read(storage, tmp_path / "none.csv")
