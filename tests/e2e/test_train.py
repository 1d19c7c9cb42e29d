import json
import subprocess
import sys

import pytest
from support.command import digit_job
from support.files import make_digits, write_csv
from support.runs import files_below


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model trained on scikit-learn's digits, and what the command said."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    result = digit_job("train", "--data", "digits", "--model", folder, "--epochs", "3", "--log-format", "text")
    assert result.returncode == 0, result.stderr
    return folder, result


def test_training_says_what_it_did(trained):
    """The summary comes before training, the confusion matrix and the classification report after it."""
    folder, result = trained
    summary, matrix, table, path = (
        result.stdout.index(text)
        for text in ("Total params: 134,794", "confusion matrix", "precision    recall", f"Model:    {folder}")
    )
    assert summary < matrix < table < path
    assert "epoch 3 of 3" in result.stderr
    described = {"MODEL.md", "mistakes.png", "model.json"}
    assert set(files_below(folder)) == {*described, "model.keras", "model.npz", "model.onnx", "model.tflite"}


def test_a_sample_of_the_model_s_own_data_scores_as_the_card_says(trained, tmp_path):
    """The test split as CSV and as Parquet, scored by the command, has the accuracy on the card."""
    folder, _ = trained
    assert digit_job("sample", "--model", folder, "--output", tmp_path / "in").returncode == 0
    assert set(files_below(tmp_path / "in")) == {"test.csv", "test.parquet"}
    result = digit_job("score", "--input", tmp_path / "in", "--output", tmp_path / "out", "--model", folder)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    card = json.loads((folder / "model.json").read_text())
    assert {each["accuracy"] for each in report["inputs"]} == {card["metrics"]["test"]["accuracy"]}


def test_a_plain_keras_file_is_a_model_too(tmp_path):
    """A network saved elsewhere is converted on the way; scoring again finds its own output."""
    code = """
import sys, numpy as np, keras
keras.utils.set_random_seed(3)
model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
model.save(sys.argv[1])
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "mine.keras"], check=True, capture_output=True)
    write_csv(tmp_path / "in.csv", make_digits(20))
    arguments = ["score", "--input", tmp_path / "in.csv", "--output", tmp_path / "out", "--model"]
    first = digit_job(*arguments, tmp_path / "mine.keras")
    assert first.returncode == 0, first.stderr
    assert "nothing to do" in digit_job(*arguments, tmp_path / "mine.keras").stdout
    assert json.loads((tmp_path / "out/report.json").read_text())["model"]["recipe"] == "converted"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "nowhere"], 66, "nowhere: found no file there"),
        (["--data", "{unlabelled}"], 65, "has no labels, and training needs them"),
        (["--validation-split", "1.5"], 2, "expected a share between 0 and 1"),
        (["--recipe", "magic"], 2, "magic"),
    ],
)
def test_wrong_commands_end_with_their_exit_code_and_leave_nothing(tmp_path, arguments, code, message):
    """What is wrong is said without a traceback, and no folder that looks like a model is left."""
    unlabelled = write_csv(tmp_path / "unlabelled.csv", make_digits(20), has_labels=False)
    given = [each.format(unlabelled=unlabelled) for each in arguments]
    result = digit_job("train", "--model", tmp_path / "model", *given, "--log-format", "text")
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["unlabelled.csv"]


@pytest.mark.parametrize("flag", [["--scale", "1"], ["--transpose"], ["--label-column", "label"]])
def test_flags_about_files_reach_the_reader(tmp_path, flag):
    """What is said of files where there are none is wrong usage."""
    result = digit_job("train", "--data", "digits", "--model", tmp_path / "model", *flag)
    assert result.returncode == 2
    assert "are for files" in result.stderr


def test_a_model_that_falls_short_is_kept_but_not_scored_with(tmp_path):
    """It ends with 3 and says why; `score` refuses it by the same words, unless told otherwise."""
    short = ["train", "--data", "digits", "--epochs", "1", "--recipe", "baseline", "--min-accuracy", "0.999"]
    result = digit_job(*short, "--model", tmp_path / "model", "--log-format", "text")
    assert result.returncode == 3, result.stderr
    assert "below the 99.9 % asked for" in result.stderr
    assert "Traceback" not in result.stderr
    assert "below the 99.9 % asked for" in (tmp_path / "model/NOT_BLESSED").read_text()
    write_csv(tmp_path / "in.csv", make_digits(20))
    scoring = ["score", "--input", tmp_path / "in.csv", "--output", tmp_path / "out", "--model", tmp_path / "model"]
    refused = digit_job(*scoring)
    assert refused.returncode == 78
    assert "the model is not blessed: its accuracy is" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert digit_job(*scoring, "--allow-unblessed").returncode == 0
