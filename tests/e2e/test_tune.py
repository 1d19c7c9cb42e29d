"""`digit-job tune` as a user runs it; in a process of its own where its end is the subject."""

import json
import signal

import pytest
from support.command import digit_job, start
from support.outcome import call
from support.runs import files_below

# Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

ARGUMENTS = ["tune", "--data", "digits", "--trials", "2", "--epochs", "1", "--search", "random", "--log-format", "text"]


# The process sends itself a signal while it logs its second line, after the first training: inside Python's logging,
# which catches any Exception.
SIGNALS_ITSELF = """
import itertools, logging, os
lines, flush = itertools.count(1), logging.StreamHandler.flush

def flush_and_signal(self):
    flush(self)
    if next(lines) == 2:
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))

logging.StreamHandler.flush = flush_and_signal
"""


def _stopped(output, number):
    """The exit code of a search that gets a signal after the first training."""
    process = start(*ARGUMENTS, "--output", output, code=SIGNALS_ITSELF, SIGNAL=f"{number:d}")
    _, stderr = process.communicate(timeout=120)
    assert "default: " in stderr
    assert "Traceback" not in stderr
    assert set(files_below(output)) == {"search.json"}
    return process.returncode


def _trials(output):
    return json.loads((output / "search.json").read_text())["trials"]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The folder of a search that was terminated and then finished, and the trials it had when it was terminated."""
    output = tmp_path_factory.mktemp("tune") / "search"
    assert _stopped(output, signal.SIGTERM) == 143
    kept = _trials(output)
    result = digit_job(*ARGUMENTS, "--output", output)
    assert result.returncode == 0, result.stderr
    return output, kept


def test_a_stopped_search_continues_from_its_record(search):
    """The same command makes the missing trials, and repeats none."""
    output, kept = search
    assert set(files_below(output)) == {"search.json", "trials.csv", "best.json"}
    assert len(kept) == 1
    assert _trials(output)[: len(kept)] == kept
    assert len(_trials(output)) == 3


def test_training_takes_the_best_settings(search, tmp_path, capfd):
    """The file is for `train --settings`; the model's card records its settings."""
    output, _ = search
    arguments = ["--data", "digits", "--model", tmp_path / "model", "--epochs", "1"]
    result = call(capfd, "train", *arguments, "--settings", output / "best.json")
    assert result.returncode == 0, result.stderr
    best = json.loads((output / "best.json").read_text())
    training = json.loads((tmp_path / "model/model.json").read_text())["training"]
    assert (training["hidden"], training["batch_size"]) == (best["hidden"], best["batch-size"])


def test_the_folder_of_another_search_is_refused(search, capfd):
    """Before any training; the error names the difference."""
    output, _ = search
    before = files_below(output)
    result = call(capfd, *ARGUMENTS, "--seed", "2", "--output", output)
    assert result.returncode == 73
    assert "seed: 1 then, 2 now" in result.stderr
    assert files_below(output) == before


def test_an_interrupted_search_has_its_own_exit_code(tmp_path):
    """As every command."""
    assert _stopped(tmp_path / "search", signal.SIGINT) == 130
