"""report.json of a whole run over files of every kind, compared with the prediction files beside it."""

import base64
import json
import shlex

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.command import start
from support.files import csv_lines, make_digits, write_csv, write_parquet
from support.models import change_card, write_model
from support.runs import score, stable_files

from job.errors import ModelInvalid
from job.report.drift import Distribution

BAD = {"too_few_fields": "1,2", "out_of_range": "7" + ",999" * 784, "bad_label": "77" + ",3" * 784}


@pytest.fixture(scope="module")
def digits():
    return make_digits(300, seed=5)


@pytest.fixture(scope="module")
def model_with_distribution(tmp_path_factory):
    """A model whose card has the distribution of its training data."""
    folder = write_model(tmp_path_factory.mktemp("model_with_distribution") / "model")
    training = make_digits(800, seed=8)
    distribution = Distribution.of_labelled(training.pixels, training.labels).to_json()
    change_card(folder, lambda card: card.update(data={"name": "random", "distribution": distribution}))
    return folder


@pytest.fixture(scope="module")
def inputs(digits, tmp_path_factory):
    """A CSV file of 200 good and 15 bad records, a Parquet file of the other 100 digits, and an empty one."""
    folder = tmp_path_factory.mktemp("inputs")
    lines = csv_lines(digits[:200])
    for place in range(5):
        for each in BAD.values():
            lines.insert(10 + 30 * place, each)
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    write_parquet(folder / "b.parquet", digits[200:], row_group_size=30)
    write_parquet(folder / "c.parquet", digits[:0])
    return folder


@pytest.fixture(scope="module")
def done(inputs, model_with_distribution, tmp_path_factory):
    """The output folder of a finished run."""
    output = tmp_path_factory.mktemp("done") / "out"
    score(inputs, output, model_with_distribution, part_bytes=50_000, has_probabilities=True, format="parquet")
    return output


@pytest.fixture(scope="module")
def report(done):
    return json.loads((done / "report.json").read_text())


@pytest.fixture(scope="module")
def rows(done):
    """The prediction rows by input, in order."""
    tables = {name: pq.read_table(done / f"predictions/{name}") for name in ("a.csv.parquet", "b.parquet")}
    return {name.removesuffix(".parquet") if "csv" in name else name: each.to_pylist() for name, each in tables.items()}


@pytest.fixture(scope="module")
def labelled(rows):
    """Labels, predictions and probabilities of all labelled rows, from the prediction files."""
    found = [
        row for part in rows.values() for row in part if row["prediction"] is not None and row["label"] is not None
    ]
    probabilities = np.array([[row[f"p{digit}"] for digit in range(10)] for row in found], np.float32)
    return [row["label"] for row in found], [row["prediction"] for row in found], probabilities


def test_figures_are_scikit_learns_for_the_prediction_files(report, labelled):
    """Classification report, confusion matrix, log loss and top-2 accuracy."""
    from sklearn.metrics import classification_report, confusion_matrix, log_loss, top_k_accuracy_score

    labels, predictions, probabilities = labelled
    assert report["labelled"] == len(labels) == 300
    assert report["confusion_matrix"] == confusion_matrix(labels, predictions, labels=list(range(10))).tolist()
    expected = classification_report(labels, predictions, output_dict=True, zero_division=0)
    assert report["accuracy"] == expected["accuracy"]
    for digit, figures in report["per_class"].items():
        assert list(figures.values()) == pytest.approx(list(expected[digit].values()), abs=1e-12)
    for name in ("macro", "weighted"):
        figures = report["averages"][name]
        assert list(figures.values()) == pytest.approx(list(expected[f"{name} avg"].values()), abs=1e-12)
    assert report["macro_f1"] == report["averages"]["macro"]["f1"]
    top2 = top_k_accuracy_score(labels, probabilities, k=2, labels=list(range(10)))
    assert report["top2_accuracy"] == pytest.approx(top2, abs=1e-12)
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    assert report["log_loss"] == pytest.approx(log_loss(labels, shares, labels=list(range(10))), abs=2e-6)


def test_examples_are_rows_of_the_prediction_files(report, rows):
    """With the same figures."""
    sections = report["examples"]
    pairs = [each for pair in sections["confused_pairs"] for each in pair["examples"]]
    ordinary = [each for digit in sections["by_prediction"] for each in digit["examples"]]
    for each in sections["sure_mistakes"] + sections["unsure"] + pairs + ordinary:
        row = rows[each["path"]][each["row"]]
        assert (each["label"], each["prediction"]) == (row["label"], row["prediction"])
        assert each["confidence"] == pytest.approx(row["confidence"], abs=1e-7)
    assert len(sections["sure_mistakes"]) == len(sections["unsure"]) == 40
    assert {each["path"] for each in sections["unsure"]} == {"a.csv", "b.parquet"}
    assert len(sections["confused_pairs"]) == 5


def test_examples_show_the_pixels_that_were_scored(report, digits, rows):
    """784 bytes in base64."""
    good = [place for place, row in enumerate(rows["a.csv"]) if not row["reject"]]
    for each in report["examples"]["sure_mistakes"]:
        row = good.index(each["row"]) if each["path"] == "a.csv" else 200 + each["row"]
        assert base64.b64decode(each["pixels"]) == digits.pixels[row].tobytes()


def test_the_first_rows_of_each_predicted_digit(report, rows):
    """In the order of the inputs and their rows; at most four."""
    places = [(path, place, row["prediction"]) for path in sorted(rows) for place, row in enumerate(rows[path])]
    found = {each["prediction"]: each["examples"] for each in report["examples"]["by_prediction"]}
    assert list(found) == [digit for digit, count in enumerate(report["predicted_counts"]) if count]
    for digit, examples in found.items():
        expected = [(path, place) for path, place, prediction in places if prediction == digit][:4]
        assert [(each["path"], each["row"]) for each in examples] == expected


def test_mistakes_are_ordered_by_confidence(report, rows):
    """Of all files, by confidence, then input, then row."""
    wrong = [
        (-round(row["confidence"], 6), path, place)
        for path, part in rows.items()
        for place, row in enumerate(part)
        if row["prediction"] is not None and row["label"] not in {None, row["prediction"]}
    ]
    shown = [(-each["confidence"], each["path"], each["row"]) for each in report["examples"]["sure_mistakes"]]
    assert shown == sorted(wrong)[:40]


def test_confused_pairs_are_the_largest_cells_of_the_matrix(report):
    """The five largest off the diagonal."""
    cells = [
        (-count, label, prediction)
        for label, line in enumerate(report["confusion_matrix"])
        for prediction, count in enumerate(line)
        if label != prediction
    ]
    found = [(-each["count"], each["label"], each["prediction"]) for each in report["examples"]["confused_pairs"]]
    assert found == sorted(cells)[:5]
    for pair in report["examples"]["confused_pairs"]:
        assert len(pair["examples"]) == min(4, pair["count"])
        assert {(each["label"], each["prediction"]) for each in pair["examples"]} == {
            (pair["label"], pair["prediction"])
        }


def test_three_rejects_of_each_reason_are_shown(report):
    """The first ones, with their position and the problem, in row order."""
    found = report["reject_examples"]
    assert [each["reason"] for each in found] == ["bad_label", "out_of_range", "too_few_fields"] * 3
    assert [each["row"] for each in found] == [10, 11, 12, 40, 41, 42, 70, 71, 72]
    assert [each["line"] for each in found] == [each["row"] + 1 for each in found]
    assert found[1] == {
        "path": "a.csv", "row": 11, "line": 12, "reason": "out_of_range",
        "detail": "column 2 is 999, expected 0-255",
    }  # fmt: skip


def test_drift_is_computed_over_scored_rows(report, digits):
    """Without rejected records and empty files, but with records of which only the label is bad."""
    odd = np.full((5, 784), 3, np.uint8)
    expected = Distribution.of_labelled(np.concatenate([digits.pixels, odd]), np.zeros(305, np.int8))
    drift = report["drift"]
    for name in ("intensity", "ink"):
        counts = expected.counts[name]
        assert drift[name]["input"] == pytest.approx(counts / counts.sum())
    assert drift["predicted"]["input"] == pytest.approx(np.array(report["predicted_counts"]) / 305)
    assert [each["path"] for each in drift["inputs"]] == ["a.csv", "b.parquet", "c.parquet"]
    assert drift["inputs"][2] == {"path": "c.parquet", "intensity": None, "ink": None, "predicted": None}
    assert drift["inputs"][1]["ink"] < 0.1


def test_without_a_training_distribution_there_is_no_drift(inputs, model, tmp_path):
    """Models of earlier versions score as before."""
    result = score(inputs, tmp_path / "out", model)
    assert result.report["drift"] is None
    assert result.report["rows"]["scored"] == 305


def test_a_damaged_training_distribution_is_refused_before_any_work(inputs, tmp_path):
    """The message names the card and says what to do."""
    folder = write_model(tmp_path / "model")
    change_card(folder, lambda card: card.update(data={"distribution": {}}))
    with pytest.raises(
        ModelInvalid, match=r"model\.json: the training data's distribution cannot be read: .*; train the model again$"
    ):
        score(inputs, tmp_path / "out", folder)
    assert not (tmp_path / "out").exists()


def test_the_run_can_be_repeated_from_its_report(report, inputs, model_with_distribution, done):
    """Settings by flag, the command, the fingerprint in `_SUCCESS`, and versions."""
    run = report["run"]
    assert run["settings"]["input"] == [str(inputs)]
    assert run["settings"]["max-rejects"] == "100%"
    where = ["--input", str(inputs), "--output", "results", "--model", str(model_with_distribution)]
    more = ["--format", "parquet", "--probabilities", "--max-rejects", "100%"]
    assert run["command"] == shlex.join(["digit-job", "score", *where, *more])
    assert run["fingerprint"] == (done / "_SUCCESS").read_text().strip()
    assert {"digit-job", "python", "numpy", "pyarrow"} == set(run["versions"])


def test_the_command_in_the_report_repeats_the_run(report, done, tmp_path):
    """With another output folder it gives the same bytes."""
    words = shlex.split(report["run"]["command"])[1:]
    words[words.index("results")] = str(tmp_path / "again")
    process = start(*words)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert stable_files(tmp_path / "again") == stable_files(done)


def test_the_output_does_not_depend_on_folder_part_size_or_threads(done, inputs, model_with_distribution, tmp_path):
    """Nor on the size of blocks."""
    settings = {"has_probabilities": True, "format": "parquet"}
    score(
        inputs, tmp_path / "elsewhere", model_with_distribution, part_bytes=8_000, block_rows=7, threads=3, **settings
    )
    assert stable_files(tmp_path / "elsewhere") == stable_files(done)


def test_without_labels_there_are_no_mistakes(digits, model, tmp_path):
    """Only ordinary and the least sure predictions are shown, without a label."""
    write_csv(tmp_path / "a.csv", digits, has_labels=False)
    examples = score(tmp_path / "a.csv", tmp_path / "out", model).report["examples"]
    assert (examples["sure_mistakes"], examples["confused_pairs"]) == ([], [])
    assert len(examples["unsure"]) == 40
    ordinary = [each for digit in examples["by_prediction"] for each in digit["examples"]]
    assert {each["label"] for each in examples["unsure"] + ordinary} == {None}


def test_a_run_over_no_rows_shows_nothing(digits, model_with_distribution, tmp_path):
    """No examples, rejects or drift index."""
    write_csv(tmp_path / "a.csv", digits[:0])
    report = score(tmp_path / "a.csv", tmp_path / "out", model_with_distribution).report
    assert report["examples"] == {"by_prediction": [], "sure_mistakes": [], "unsure": [], "confused_pairs": []}
    assert report["reject_examples"] == []
    assert report["drift"]["ink"]["psi"] is None
    json.dumps(report, allow_nan=False)
