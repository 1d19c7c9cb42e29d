"""Train on all of MNIST, and score its test images, t10k, in every common format."""

import csv
import json

import pyarrow.parquet as pq
import pytest
from support.command import digit_job, start
from support.files import read_mnist, write_csv, write_parquet


@pytest.fixture(scope="module")
def trained(mnist, tmp_path_factory):
    """The model folder of the baseline recipe, trained on all of MNIST."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    result = digit_job("train", "--data", mnist, "--model", folder, "--recipe", "baseline")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def scored(trained, mnist, tmp_path_factory):
    """The output folder of a run over t10k as Kaggle's CSV, as CSV without a header, and as Parquet."""
    folder = tmp_path_factory.mktemp("scored")
    digits = read_mnist(mnist, "t10k")
    write_csv(folder / "kaggle.csv", digits)
    write_csv(folder / "headerless.csv", digits, has_header=False)
    write_parquet(folder / "table.parquet", digits)
    result = digit_job("score", "--input", folder, "--output", folder / "out", "--model", trained)
    assert result.returncode == 0, result.stderr
    return folder / "out"


def rows_of(path):
    """Prediction and label of each row."""
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=["prediction", "label"])
        return list(zip(*table.to_pydict().values(), strict=True))
    return [(int(row["prediction"]), int(row["label"])) for row in csv.DictReader(path.read_text().splitlines())]


def test_the_baseline_reaches_97_percent_on_t10k(trained):
    """As networks of this size usually do."""
    card = json.loads((trained / "model.json").read_text())
    assert card["metrics"]["test"]["accuracy"] >= 0.97
    assert card["metrics"]["test"]["rows"] == 10_000


@pytest.mark.soak
def test_the_accurate_recipe_reaches_99_percent_on_t10k(mnist, tmp_path):
    """What training does where nothing else is said; three seeds' mean stands in tests/bench/README.md."""
    process = start("train", "--data", mnist, "--model", tmp_path / "model")
    _, errors = process.communicate(timeout=1800)
    assert process.returncode == 0, errors
    card = json.loads((tmp_path / "model/model.json").read_text())
    assert card["metrics"]["test"]["accuracy"] >= 0.992


def test_the_report_agrees_with_the_prediction_files(scored, trained):
    """The accuracy counted from the prediction files is the report's, and for each file the model card's."""
    report = json.loads((scored / "report.json").read_text())
    card = json.loads((trained / "model.json").read_text())
    files = {path.name: rows_of(path) for path in (scored / "predictions").iterdir()}
    correct = sum(prediction == label for rows in files.values() for prediction, label in rows)
    assert (report["correct"], report["rows"]["scored"]) == (correct, 30_000)
    assert {each["accuracy"] for each in report["inputs"]} == {card["metrics"]["test"]["accuracy"]}


def test_the_three_files_agree_row_by_row(scored):
    """The same images get the same predictions in every format."""
    first, second, third = (rows_of(path) for path in (scored / "predictions").iterdir())
    assert first == second == third
