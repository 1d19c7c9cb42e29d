import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from support.faulty_file_system import FaultyFileSystem, with_error
from support.outputs import scored, write_output

from job.errors import DataError, NoInput, StorageError
from job.results.compare.comparer import Comparer
from job.storage import LocalStorage

A = {
    "a.csv": scored([0, 1, 2, 3, 4], [0, 1, 2, 3, 5], [0.9, 0.8, 0.99, 0.7, 0.6]),
    "b.csv": scored([5, 6, -1], [5, -1, 7], [0.5, 0.95, 0]),
}
B = {
    "a.csv": scored([0, 7, 8, 3, 5], [0, 1, 2, 3, 5], [0.9, 0.9, 0.6, 0.7, 0.8]),
    "b.csv": scored([5, 0, 1], [5, -1, 7], [0.5, 0.8, 0.9]),
}


@pytest.fixture
def outputs(tmp_path):
    """A's and B's output folders."""
    return str(write_output(tmp_path / "a", A, name="a")), str(write_output(tmp_path / "b", B, name="b"))


def places(found):
    """File and row of the listed changed rows."""
    return [(each["path"], each["row"]) for each in found["changed_rows"]]


def test_changed_rows_are_listed_surest_first(storage, outputs):
    """Ranked by the lower of the two confidences; ties keep their order."""
    found = Comparer(storage).compare(*outputs)
    assert places(found) == [("a.csv", 1), ("b.csv", 1), ("a.csv", 2), ("a.csv", 4)]
    assert found["changed_rows"][0] == {
        "path": "a.csv", "row": 1, "label": 1,
        "prediction_a": 1, "prediction_b": 7, "confidence_a": 0.8, "confidence_b": 0.9,
    }  # fmt: skip
    assert found["changed_rows"][1]["label"] is None


def test_changed_rows_can_be_listed_in_order(storage, outputs):
    """Of inputs and rows."""
    found = Comparer(storage, order="first").compare(*outputs)
    assert places(found) == [("a.csv", 1), ("a.csv", 2), ("a.csv", 4), ("b.csv", 1)]


@pytest.mark.parametrize("order", ["first", "surest"])
@pytest.mark.parametrize("most", [0, 1, 3])
def test_at_most_so_many_changed_rows_are_listed(storage, outputs, order, most):
    """But all are counted."""
    whole = Comparer(storage, order=order).compare(*outputs)
    found = Comparer(storage, most, order).compare(*outputs)
    assert found["changed_rows"] == whole["changed_rows"][:most]
    assert found["rows"] == whole["rows"]
    assert found["rows"]["changed"] == 4


def test_each_input_has_its_own_figures(storage, outputs):
    """Of which the total's are the sum."""
    found = Comparer(storage).compare(*outputs)
    assert found["inputs"] == [
        {
            "path": "a.csv", "rows": 5, "compared": 5, "changed": 3, "agreement": 0.4, "labelled": 5,
            "accuracy": {"a": 0.8, "b": 0.6},
        },
        {
            "path": "b.csv", "rows": 3, "compared": 2, "changed": 1, "agreement": 0.5, "labelled": 1,
            "accuracy": {"a": 1, "b": 1},
        },
    ]  # fmt: skip
    assert found["rows"]["read"] == 8
    assert found["rows"]["rejected_by_a"] == 1
    assert found["a"]["model"]["name"] == "a"
    assert found["b"]["output"] == outputs[1]


@pytest.mark.parametrize("format_", ["csv", "parquet", "kaggle"])
def test_runs_with_different_prediction_formats_are_compared(storage, outputs, tmp_path, format_):
    """A Kaggle file has no labels or confidences; the labels of the other run count for both."""
    other = write_output(tmp_path / "c", B, name="b", format_=format_)
    found, again = (Comparer(storage).compare(outputs[0], each) for each in (outputs[1], str(other)))
    assert {name: found[name] for name in ("rows", "accuracy", "changes", "inputs", "verdict")} == {
        name: again[name] for name in ("rows", "accuracy", "changes", "inputs", "verdict")
    }


def test_labels_of_one_run_count_for_both(storage, outputs, tmp_path):
    """A run with --no-label is compared by the labels of the other."""
    without = {path: scored(batch.predictions, None, batch.confidences) for path, batch in B.items()}
    found = Comparer(storage).compare(outputs[0], str(write_output(tmp_path / "c", without, name="b")))
    assert found["accuracy"] == Comparer(storage).compare(*outputs)["accuracy"]


def test_an_input_of_another_size_is_noted(storage, outputs):
    """It may have been corrected between the runs."""
    change(outputs[1], lambda manifest: manifest["inputs"][0].update(size=1001))
    (note,) = Comparer(storage).compare(*outputs)["notes"]
    assert note == "a.csv had 1,000 bytes in A and 1,001 in B; rows are compared by their numbers"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a.csv": B["a.csv"]}, "a: has scored b.csv, which .*c has not; compare runs over the same inputs"),
        ({**B, "c.csv": B["a.csv"], "d.csv": B["a.csv"]}, "c: has scored c.csv, d.csv, which .*a has not"),
        ({**B, "b.csv": scored([5, 6], [5, -1])}, "b.csv: has 3 rows in .*a and 2 in .*c; compare runs over the same"),
        ({**B, "b.csv": scored([5, 6, 7], [5, -1, 8])}, "b.csv row 2: has label 7 in A and 8 in B; compare runs over"),
    ],
)
def test_runs_over_different_inputs_are_refused(storage, outputs, tmp_path, other, message):
    """The message says what differs, and where."""
    folder = write_output(tmp_path / "c", other, name="c")
    with pytest.raises(DataError, match=message):
        Comparer(storage).compare(outputs[0], str(folder))


def change(output, how):
    """Change a manifest by a function."""
    path = f"{output}/manifest.json"
    with open(path) as file:
        manifest = json.load(file)
    how(manifest)
    with open(path, "w") as file:
        json.dump(manifest, file)


@pytest.mark.parametrize("side", [0, 1])
def test_predictions_that_end_early_are_refused(storage, outputs, side):
    """The run is named, even if its manifest was changed to fit."""
    path = f"{outputs[side]}/predictions/a.csv.csv"
    with open(path) as file:
        lines = file.readlines()
    with open(path, "w") as file:
        file.writelines(lines[:-1])
    files = {each["path"]: each for each in json.loads(Path(outputs[side], "manifest.json").read_text())["outputs"]}
    with pytest.raises(DataError, match=r"a\.csv\.csv: has \d+ bytes, but had \d+ when the run finished"):
        Comparer(storage).compare(*outputs)
    size = files["predictions/a.csv.csv"]["bytes"] - len(lines[-1])
    change(outputs[side], lambda manifest: manifest["outputs"][0].update(bytes=size))
    with pytest.raises(DataError, match=rf"a\.csv: the predictions of {outputs[side]} end after 4 rows"):
        Comparer(storage).compare(*outputs)


def test_predictions_with_extra_rows_are_refused(storage, outputs):
    """Their number must be the one in the manifest."""
    for output in outputs:
        change(output, lambda manifest: manifest["inputs"][0].update(rows=4))
    with pytest.raises(DataError, match=r"a\.csv: has predictions for 5 rows, but 4 were scored"):
        Comparer(storage).compare(*outputs)


def test_a_missing_output_is_refused(storage, outputs, tmp_path):
    """Whichever of the two it is."""
    for pair in ((outputs[0], str(tmp_path / "none")), (str(tmp_path / "none"), outputs[0])):
        with pytest.raises(NoInput, match="none: is not a folder"):
            Comparer(storage).compare(*pair)


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_whatever_operation_fails_is_a_storage_error_that_names_the_file(tmp_path, format_):
    """Not an error of the data: a retry can help."""
    folders = [str(write_output(tmp_path / name, A, name=name, format_=format_)) for name in "ab"]
    messages = []
    for at in itertools.count(1):
        system = FaultyFileSystem(with_error(), at)
        try:
            Comparer(LocalStorage(system)).compare(*folders)
        except StorageError as error:
            messages.append(str(error))
        if not system.was_struck:
            break
    assert at > 20
    assert len(messages) == at - 1
    assert all(message.startswith(tuple(folders)) for message in messages)


def test_empty_inputs_compare_as_no_rows(storage, tmp_path):
    """Without an error."""
    empty = {"a.csv": scored(np.empty(0))}
    folders = [str(write_output(tmp_path / name, empty, name=name)) for name in "ab"]
    found = Comparer(storage).compare(*folders)
    assert found["verdict"]["outcome"] == "no_rows"
    assert found["inputs"][0]["rows"] == 0
