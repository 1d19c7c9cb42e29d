"""`digit-job train` as a user runs it; in a process of its own where its streams or its end are the subject."""

import json
import signal

import pytest
from support.command import digit_job, start
from support.files import make_digits, write_csv
from support.networks import trained_layers
from support.outcome import call
from support.runs import files_below

from job.train.backend import import_keras

# Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model trained on scikit-learn's digits, and the finished command."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    arguments = ["--data", "digits", "--model", folder, "--epochs", "3", "--quantize", "int8"]
    result = digit_job("train", *arguments, "--log-format", "text")
    assert result.returncode == 0, result.stderr
    return folder, result


def test_training_prints_its_results(trained):
    """The summary before training; the confusion matrix, the classification report and the path after it."""
    folder, result = trained
    summary, matrix, table, path = (
        result.stdout.index(text)
        for text in ("Total params: 134,794", "confusion matrix", "precision    recall", f"Model:    {folder}")
    )
    assert summary < matrix < table < path
    assert "epoch 3 of 3" in result.stderr
    described = {"MODEL.md", "curves.png", "history.csv", "mistakes.png", "model.json", "report.html"}
    networks = {"model.keras", "model.npz", "model.onnx", "model.tflite", "model.int8.tflite"}
    assert set(files_below(folder)) == described | networks


def test_a_killed_training_is_resumed_and_ends_with_the_same_model(trained, tmp_path):
    """It leaves no folder when killed; the model at the end is the same, bit for bit."""
    arguments = ["train", "--data", "digits", "--model", tmp_path / "model", "--epochs", "3"]
    process = start(*arguments, "--log-format", "text")
    assert any("epoch 2 of 3" in line for line in process.stderr)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    assert (tmp_path / ".model.checkpoint").exists()
    result = digit_job(*arguments, "--resume", "--log-format", "text")
    assert result.returncode == 0, result.stderr
    assert "resuming after epoch" in result.stderr
    folder, _ = trained
    for name in ("model.onnx", "model.npz"):
        assert (tmp_path / "model" / name).read_bytes() == (folder / name).read_bytes()
    assert not (tmp_path / ".model.checkpoint").exists()


def test_a_sample_of_the_model_s_own_data_has_the_accuracy_of_the_card(trained, tmp_path, capfd):
    """The test split is written as CSV and as Parquet, and both are scored."""
    folder, _ = trained
    assert call(capfd, "sample", "--model", folder, "--output", tmp_path / "in").returncode == 0
    assert set(files_below(tmp_path / "in")) == {"test.csv", "test.parquet"}
    result = call(capfd, "score", "--input", tmp_path / "in", "--output", tmp_path / "out", "--model", folder)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    card = json.loads((folder / "model.json").read_text())
    assert {each["accuracy"] for each in report["inputs"]} == {card["metrics"]["test"]["accuracy"]}


def test_a_plain_keras_file_can_be_scored_with(tmp_path, capfd):
    """It is converted on the fly; another process converts it to the same digest, and so recognises the output."""
    keras = import_keras()
    stack = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(32, "relu")]
    model = keras.Sequential([*stack, keras.layers.Dense(10, "softmax")])
    model.set_weights(trained_layers())
    model.save(tmp_path / "mine.keras")
    write_csv(tmp_path / "in.csv", make_digits(20))
    arguments = ["score", "--input", tmp_path / "in.csv", "--output", tmp_path / "out", "--model"]
    first = call(capfd, *arguments, tmp_path / "mine.keras")
    assert first.returncode == 0, first.stderr
    assert "nothing to do" in digit_job(*arguments, tmp_path / "mine.keras", PYTHONHASHSEED="7").stdout
    assert json.loads((tmp_path / "out/report.json").read_text())["model"]["recipe"] == "converted"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "nowhere"], 66, "nowhere: found no file there"),
        (["--data", "{unlabelled}"], 65, "has no labels, which are needed here"),
        (["--validation-split", "1.5"], 2, "expected a share between 0 and 1"),
        (["--recipe", "magic"], 2, "magic"),
    ],
)
def test_wrong_commands_end_with_their_exit_code_and_leave_nothing(tmp_path, capfd, arguments, code, message):
    """The error has no traceback, and no model folder is left."""
    unlabelled = write_csv(tmp_path / "unlabelled.csv", make_digits(20), has_labels=False)
    given = [each.format(unlabelled=unlabelled) for each in arguments]
    result = call(capfd, "train", "--model", tmp_path / "model", *given)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["unlabelled.csv"]


def test_flags_override_variables_and_variables_override_a_file_of_settings(tmp_path, capfd, monkeypatch):
    """The model's card records what was used."""
    (tmp_path / "best.json").write_text('{"hidden": [64, 32], "dropout": 0.1, "epochs": 7, "batch-size": 999}')
    arguments = ["train", "--data", "digits", "--model", tmp_path / "model", "--settings", tmp_path / "best.json"]
    monkeypatch.setenv("DIGIT_JOB_BATCH_SIZE", "100")
    result = call(capfd, *arguments, "--epochs", "1")
    assert result.returncode == 0, result.stderr
    card = json.loads((tmp_path / "model/model.json").read_text())
    expected = {"hidden": [64, 32], "dropout": 0.1, "epochs": 1, "batch_size": 100, "name": "accurate"}
    assert {name: card["training"][name] for name in expected} == expected
    assert card["architecture"] == "784-64-32-10"


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ('{"epoch": 1}', 78, "no such setting: 'epoch'; did you mean 'epochs'?"),
        ('{"epochs": 1.5}', 78, "epochs is '1.5': "),
        ('{"settings": "other.json"}', 78, "no such setting: 'settings'"),
        ('{"dropout": 2}', 2, "--dropout 2.0: expected at least 0"),
    ],
)
def test_a_file_with_wrong_settings_is_refused(tmp_path, capfd, content, code, message):
    """Before any work, in one line with the name of the file."""
    (tmp_path / "best.json").write_text(content)
    result = call(capfd, "train", "--data", "nowhere", "--settings", tmp_path / "best.json")
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert message in result.stderr


@pytest.mark.parametrize("flag", [["--scale", "1"], ["--transpose"], ["--invert"], ["--label-column", "label"]])
def test_flags_about_files_need_files(tmp_path, capfd, flag):
    """They are a usage error with a named data set."""
    result = call(capfd, "train", "--data", "digits", "--model", tmp_path / "model", *flag)
    assert result.returncode == 2
    assert "are for files" in result.stderr


def test_a_model_that_fails_its_gate_is_saved_but_not_scored_with(tmp_path, capfd):
    """The command ends with 3 and the reason; `score` refuses the model for the same reason, unless allowed."""
    short = ["train", "--data", "digits", "--epochs", "1", "--recipe", "baseline", "--min-accuracy", "0.999"]
    result = call(capfd, *short, "--model", tmp_path / "model")
    assert result.returncode == 3, result.stderr
    assert "below the required 99.9 %" in result.stderr
    assert "Traceback" not in result.stderr
    assert "below the required 99.9 %" in (tmp_path / "model/NOT_BLESSED").read_text()
    write_csv(tmp_path / "in.csv", make_digits(20))
    scoring = ["score", "--input", tmp_path / "in.csv", "--output", tmp_path / "out", "--model", tmp_path / "model"]
    refused = call(capfd, *scoring)
    assert refused.returncode == 78
    assert "the model is not blessed: its accuracy is" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert call(capfd, *scoring, "--allow-unblessed").returncode == 0
