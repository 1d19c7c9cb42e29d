"""`digit-job tune` as a user runs it; in a process of its own where its end is the subject."""

import csv
import json
import signal

import numpy as np
import pytest
from support.command import digit_job, start
from support.outcome import call
from support.runs import files_below

# Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

# Four trials, one of which is the recipe's own settings, in two folds.
ARGUMENTS = [
    "tune", "--data", "digits", "--recipe", "baseline", "--epochs", "1", "--log-format", "text", "--verbose",
    "--search", "grid", "--folds", "2", "--vary", "hidden=128-128-128,32", "--vary", "learning-rate=0.001,0.01",
]  # fmt: skip

# The process sends itself a signal while it logs the first fold of the first trial: inside Python's logging, which
# catches any Exception.
SIGNALS_ITSELF = """
import logging, os
format_record, flush, lines = logging.Handler.format, logging.StreamHandler.flush, []

def format_and_keep(self, record):
    lines.append(format_record(self, record))
    return lines[-1]

def flush_and_signal(self):
    flush(self)
    if lines and "default, fold 1 of 2" in lines.pop():
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))

logging.Handler.format = format_and_keep
logging.StreamHandler.flush = flush_and_signal
"""


def _stopped(output, number):
    """The exit code of a search that gets a signal after its first training, in the middle of a trial."""
    process = start(*ARGUMENTS, "--output", output, code=SIGNALS_ITSELF, SIGNAL=f"{number:d}")
    _, stderr = process.communicate(timeout=120)
    assert "default, fold 1 of 2: " in stderr
    assert "default, fold 2" not in stderr
    assert "Traceback" not in stderr
    assert set(files_below(output)) == {"search.json"}
    return process.returncode


def _trials(output):
    return json.loads((output / "search.json").read_text())["trials"]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The folder of a search that was terminated and then finished, the trials it had then, and what it printed."""
    output = tmp_path_factory.mktemp("tune") / "search"
    assert _stopped(output, signal.SIGTERM) == 143
    kept = _trials(output)
    result = digit_job(*ARGUMENTS, "--output", output)
    assert result.returncode == 0, result.stderr
    return output, kept, result


def test_a_stopped_search_continues_from_its_record(search):
    """The same command makes the missing trainings, and repeats none."""
    output, kept, result = search
    assert set(files_below(output)) == {"search.json", "search.html", "trials.csv", "best.json"}
    assert [len(each["folds"]) for each in kept] == [1]
    trials = _trials(output)
    assert trials[0]["folds"][0] == kept[0]["folds"][0]
    assert [len(each["folds"]) for each in trials] == [2, 2, 2, 2]
    assert "resuming trial default after fold 1" in result.stderr
    assert "default, fold 1 of 2" not in result.stderr


def test_a_grid_ends_with_a_ranked_table(search):
    """In the terminal and as CSV: by the mean of the folds; also their standard deviation, as scikit-learn has it."""
    output, _, result = search
    rows = list(csv.DictReader((output / "trials.csv").read_text().splitlines()))
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["rank", "trial", "accuracy", "sd"]
    assert [line.split()[0] for line in lines[1:5]] == [row["rank"] for row in rows]
    folds = np.array([[float(row["accuracy_1"]), float(row["accuracy_2"])] for row in rows])
    assert np.allclose([float(row["accuracy"]) for row in rows], folds.mean(axis=1))
    assert np.allclose([float(row["accuracy_sd"]) for row in rows], folds.std(axis=1))
    assert {(row["hidden"], row["learning_rate"]) for row in rows} == {
        (hidden, rate) for hidden in ("128-128-128", "32") for rate in ("0.001", "0.01")
    }
    assert "1,437 training images in 2 folds" in result.stderr
    page = (output / "search.html").read_text()
    assert all(f"<td>{row['hidden']}</td><td>{row['learning_rate']}</td>" in page for row in rows)


def test_training_takes_the_best_settings(search, tmp_path, capfd):
    """The file is for `train --settings`; the model's card records its settings."""
    output, *_ = search
    arguments = ["--data", "digits", "--model", tmp_path / "model", "--epochs", "1"]
    result = call(capfd, "train", *arguments, "--settings", output / "best.json")
    assert result.returncode == 0, result.stderr
    best = json.loads((output / "best.json").read_text())
    training = json.loads((tmp_path / "model/model.json").read_text())["training"]
    assert (training["hidden"], training["learning_rate"]) == (best["hidden"], best["learning-rate"])


def test_the_folder_of_another_search_is_refused(search, capfd):
    """Before any training; the error names the difference."""
    output, *_ = search
    before = files_below(output)
    result = call(capfd, *ARGUMENTS, "--seed", "2", "--output", output)
    assert result.returncode == 73
    assert "seed: 1 then, 2 now" in result.stderr
    assert files_below(output) == before


def test_an_interrupted_search_has_its_own_exit_code(tmp_path):
    """As every command."""
    assert _stopped(tmp_path / "search", signal.SIGINT) == 130


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--search", "grid", "--trials", "3"], 2, "--trials 3: --search grid tries every combination"),
        (["--search", "grid", "--validation-split", "0.2"], 2, "this search has 3 folds"),
        (["--vary", "batch_size=32"], 2, "'batch_size' is not a setting that can vary"),
        (["--vary", "dropout=0.5,1.5"], 2, "search space: --dropout 1.5: expected at least 0 and less than 1"),
        (["--space", "/missing/space.json"], 78, "no such file"),
    ],
)
def test_a_wrong_space_is_refused_at_once(tmp_path, capfd, arguments, code, message):
    """Before the data, which does not exist, is looked for."""
    result = call(capfd, "tune", "--data", "/missing.csv", "--output", tmp_path / "search", *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert not (tmp_path / "search").exists()


def test_the_space_can_be_printed_edited_and_used(tmp_path, capfd):
    """Without data; what is printed is what would be searched."""
    printed = call(capfd, "tune", "--search", "grid", "--arch", "cnn", "--print-space")
    space = json.loads(printed.stdout)
    assert space == {"dropout": [0.0, 0.2], "learning-rate": [0.001, 0.002]}
    (tmp_path / "space.json").write_text(json.dumps(space | {"hidden": [[], [64]]}))
    again = call(capfd, "tune", "--space", tmp_path / "space.json", "--vary", "dropout=0.1", "--print-space")
    assert again.returncode == 2
    assert "search space: --hidden" in again.stderr
    again = call(
        capfd, "tune", "--arch", "cnn", "--space", tmp_path / "space.json", "--vary", "dropout=0.1", "--print-space"
    )
    assert json.loads(again.stdout) == {"dropout": [0.1], "learning-rate": [0.001, 0.002], "hidden": [[], [64]]}
