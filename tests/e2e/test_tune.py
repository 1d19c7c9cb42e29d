import json
import signal

import pytest
from support.command import digit_job, start
from support.runs import files_below

ARGUMENTS = ["tune", "--data", "digits", "--trials", "2", "--epochs", "1", "--search", "random", "--log-format", "text"]


# The process sends itself a signal while it writes its second line, which tells of the first training: in the midst of
# Python's logging, which catches whatever an Exception is raised there.
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
    """The exit code of a search that gets a signal once the first training is done."""
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
    """A search that was terminated and then finished: its folder, and the trials that it had when it was stopped."""
    output = tmp_path_factory.mktemp("tune") / "search"
    assert _stopped(output, signal.SIGTERM) == 143
    kept = _trials(output)
    result = digit_job(*ARGUMENTS, "--output", output)
    assert result.returncode == 0, result.stderr
    return output, kept


def test_a_search_that_was_stopped_goes_on_with_what_it_has(search):
    """The same command makes the trials that are missing, and no other again."""
    output, kept = search
    assert set(files_below(output)) == {"search.json", "trials.csv", "best.json"}
    assert len(kept) == 1
    assert _trials(output)[: len(kept)] == kept
    assert len(_trials(output)) == 3


def test_training_takes_the_best_settings(search, tmp_path):
    """The file is one for `train --settings`; the model's card has what stands in it."""
    output, _ = search
    asked = ["--data", "digits", "--model", tmp_path / "model", "--epochs", "1"]
    result = digit_job("train", *asked, "--settings", output / "best.json")
    assert result.returncode == 0, result.stderr
    best = json.loads((output / "best.json").read_text())
    training = json.loads((tmp_path / "model/model.json").read_text())["training"]
    assert (training["hidden"], training["batch_size"]) == (best["hidden"], best["batch-size"])


def test_the_folder_of_another_search_is_refused(search):
    """Before any training, and it says what differs."""
    output, _ = search
    before = files_below(output)
    result = digit_job(*ARGUMENTS, "--seed", "2", "--output", output)
    assert result.returncode == 73
    assert "seed: 1 then, 2 now" in result.stderr
    assert files_below(output) == before


def test_an_interrupted_search_says_so_by_its_exit_code(tmp_path):
    """As every command does."""
    assert _stopped(tmp_path / "search", signal.SIGINT) == 130
