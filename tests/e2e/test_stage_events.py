"""The log of `train`, `tune` and `export` for machines, and their display on a terminal."""

import json
import re
import signal

import pytest
from support.command import invoke, start
from support.documented_events import assert_documented
from support.log_lines import log_lines
from support.terminal import on_a_terminal, screen_lines

# Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def _train(folder, *more, **environment):
    arguments = ["--data", "digits", "--model", folder, "--recipe", "baseline", "--hidden", "16", *more]
    return invoke("train", *arguments, "--log-format", "json", **environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of up to 60 epochs that stopped early, and the lines of its log."""
    folder = tmp_path_factory.mktemp("events") / "model"
    result = _train(folder, "--epochs", "60", "--learning-rate", "0.05", "--early-stopping", "1", "--verbose")
    assert result.returncode == 0, result.stderr
    return folder, log_lines(result.stderr)


def _fields(lines, event):
    return [line["fields"] for line in lines if line["event"] == event]


def test_a_training_logs_every_epoch_its_phases_and_a_summary(trained):
    """In this order, and nothing after the summary; with the fields that are documented."""
    folder, lines = trained
    assert_documented(lines, "train")
    names = [line["event"] for line in lines if line["event"] not in {"phase", "message", "library"}]
    epochs = names.count("epoch")
    assert names == ["started", "planned", *["epoch"] * epochs, "stopped_early", "finished"]
    assert lines[-1]["event"] == "finished"
    assert [each["epoch"] for each in _fields(lines, "epoch")] == list(range(1, epochs + 1))
    types = {"epoch": int, "epochs": int, "loss": float, "accuracy": float, "validation_loss": float,
             "validation_accuracy": float, "learning_rate": float, "seconds": float}  # fmt: skip
    assert all({name: type(value) for name, value in each.items()} == types for each in _fields(lines, "epoch"))
    [stopped], [finished] = _fields(lines, "stopped_early"), _fields(lines, "finished")
    card = json.loads((folder / "model.json").read_text())
    assert (stopped["epoch"], stopped["kept_epoch"]) == (epochs, card["training"]["kept_epoch"])
    assert (finished["command"], finished["exit_code"], finished["outcome"]) == ("train", 0, "ok")
    assert (finished["model"], finished["epochs"]) == (str(folder), epochs)
    assert finished["accuracy"] == card["metrics"]["test"]["accuracy"]
    assert set(finished["phase_seconds"]) == {each["phase"] for each in _fields(lines, "phase")}
    assert sum(finished["phase_seconds"].values()) <= finished["seconds"]


def test_a_finished_training_says_that_it_is_done(trained):
    """In place of its epochs; the summary is that of the first time, but for its seconds."""
    folder, lines = trained
    settings = ["--epochs", "60", "--learning-rate", "0.05", "--early-stopping", "1"]
    again = log_lines(_train(folder, *settings, "--resume").stderr)
    assert_documented(again, "train")
    names = [line["event"] for line in again if line["event"] not in {"phase", "message", "library"}]
    assert names == ["started", "already_done", "finished"]
    timed = {"seconds", "phase_seconds", "peak_memory_bytes"}
    summaries = [
        {name: value for name, value in each[-1]["fields"].items() if name not in timed} for each in (lines, again)
    ]
    assert summaries[0] == summaries[1]


def test_verbose_says_more(trained):
    """Versions, the origin of the data, and the number of images of each digit."""
    _, lines = trained
    said = "\n".join(line["message"] for line in lines if line["level"] == "debug")
    assert re.search(r"versions: python 3\.\d+", said)
    assert "digits: taken from scikit-learn" in said
    assert "training images of 0 to 9: 128, 131" in said


def test_an_export_logs_its_phases_and_a_summary(trained, tmp_path):
    """With the fields that are documented; --quiet prints nothing, --verbose each phase."""
    folder, _ = trained
    arguments = ["export", folder, "--to", "tflite", "--output"]
    lines = log_lines(invoke(*arguments, tmp_path / "a.tflite", "--log-format", "json").stderr)
    assert_documented(lines, "export")
    names = [line["event"] for line in lines if line["event"] not in {"phase", "message", "library"}]
    assert names == ["started", "planned", "finished"]
    ended = [each for each in _fields(lines, "phase") if each["state"] == "ended"]
    assert [(each["phase"], each["item"]) for each in ended] == [
        ("loading", "TensorFlow"), ("reading", "model"), ("reading", "images"), ("exporting", "model.tflite"),
        ("comparing", "model.keras"), ("comparing", "model.tflite"), ("writing", None),
    ]  # fmt: skip
    [finished] = _fields(lines, "finished")
    assert (finished["command"], finished["output"], finished["format"]) == (
        "export", str(tmp_path / "a.tflite"), "model.tflite",
    )  # fmt: skip
    assert finished["bytes"] == (tmp_path / "a.tflite").stat().st_size
    assert (finished["images"], finished["same_digits"]) == (16, 16)
    quiet = invoke(*arguments, tmp_path / "b.tflite", "--quiet", "--log-format", "text")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    verbose = invoke(*arguments, tmp_path / "c.tflite", "-v", "--log-format", "text")
    assert re.search(r"comparing model\.tflite took .*\n", verbose.stderr)
    assert "versions: python" in verbose.stderr
    assert verbose.stderr.endswith("exported: ok\n")


def test_a_sample_can_be_quiet_or_verbose(trained, tmp_path):
    """Verbose, it says where the images were taken from."""
    folder, _ = trained
    arguments = ["sample", "--model", folder, "--log-format", "text", "--output"]
    quiet = invoke(*arguments, tmp_path / "a", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    verbose = invoke(*arguments, tmp_path / "b", "--verbose")
    assert (len(verbose.stdout.splitlines()), verbose.stderr.count("360 test images, taken from scikit-learn")) == (
        2,
        1,
    )


def test_a_search_logs_its_trials_and_a_summary(tmp_path):
    """The recipe's own settings are trial 0; another call has nothing left to do and says after which trial."""
    arguments = ["tune", "--data", "digits", "--trials", "1", "--epochs", "1", "--search", "random"]
    arguments += ["--recipe", "baseline", "--output", tmp_path / "search", "--log-format", "json"]
    lines = log_lines(invoke(*arguments).stderr)
    assert_documented(lines, "tune")
    names = [line["event"] for line in lines if line["event"] not in {"message", "library"}]
    assert names == ["started", "phase", "trial", "trial", "phase", "finished"]
    trials, [finished] = _fields(lines, "trial"), _fields(lines, "finished")
    assert [(each["trial"], each["trials"]) for each in trials] == [(0, 1), (1, 1)]
    assert all(each["settings"].keys() >= {"hidden", "learning-rate"} and each["seconds"] > 0 for each in trials)
    assert finished["accuracy"] == max(each["accuracy"] for each in trials)
    assert finished["default_accuracy"] == trials[0]["accuracy"]
    assert finished["settings_file"] == str(tmp_path / "search/best.json")
    again = log_lines(invoke(*arguments).stderr)
    assert_documented(again, "tune")
    assert [each["trial"] for each in _fields(again, "resumed")] == [1]


@pytest.mark.parametrize(
    ("arguments", "code", "error", "expected"),
    [
        (["train", "--data", "nowhere", "--model", "{folder}/m"], 66, "NoInput", {"phase": "reading"}),
        (["train", "--data", "digits", "--model", "{folder}/m", "--dropout", "7"], 2, "UsageError", {}),
        (["tune", "--data", "nowhere", "--output", "{folder}/s"], 66, "NoInput", {"phase": "searching"}),
        (["export", "{folder}", "--to", "onnx", "--output", "{folder}/o"], 78, "ModelInvalid", {"phase": "reading"}),
    ],
)
def test_the_last_line_of_a_failure_says_where_it_failed(tmp_path, arguments, code, error, expected):
    """And with which exit code; nothing is `finished`."""
    lines = log_lines(invoke(*(each.format(folder=tmp_path) for each in arguments), "--log-format", "json").stderr)
    assert_documented(lines, arguments[0])
    last = lines[-1]["fields"]
    assert [line["event"] for line in lines if line["event"] in {"failed", "finished"}] == ["failed"]
    assert (last["command"], last["exit_code"], last["error"], last["outcome"]) == (arguments[0], code, error, "failed")
    assert {name: last[name] for name in ("phase",) if name in last} == expected
    assert last["seconds"] > 0


def test_a_model_that_falls_short_ends_with_its_figures(tmp_path):
    """In the last line, beside exit code 3 and the gate's verdict."""
    result = _train(tmp_path / "model", "--epochs", "1", "--min-accuracy", "0.999")
    lines = log_lines(result.stderr)
    last = lines[-1]["fields"]
    assert (result.returncode, lines[-1]["event"], last["exit_code"]) == (3, "failed", 3)
    assert (last["verdict"], last["model"], last["outcome"]) == ("not_blessed", str(tmp_path / "model"), "failed")
    assert "below the required 99.9 %" in last["shortfalls"][0]


def test_an_interrupted_training_says_what_it_was_doing(tmp_path):
    """In its last line, with the exit code of the signal; the next one resumes, and says after which epoch."""
    arguments = ["--data", "digits", "--model", tmp_path / "model", "--epochs", "1000", "--no-augment"]
    process = start("train", *arguments, "--log-format", "json")
    for line in process.stderr:
        if '"event": "epoch"' in line:
            break
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=120)
    last = log_lines(rest)[-1]
    assert (process.returncode, last["event"]) == (143, "failed")
    assert (last["fields"]["error"], last["fields"]["can_retry"]) == ("Terminated", True)
    assert last["fields"]["phase"] == "training"


def test_a_terminal_shows_the_phases_after_the_last_epoch(tmp_path):
    """In one line with a bar that does not reach 100 % while work is left; nothing of it stays."""
    command = ["train", "--data", "digits", "--model", tmp_path / "model", "--epochs", "4", "--hidden", "16"]
    written, code = on_a_terminal(*command, "--recipe", "baseline")
    assert code == 0, written
    after = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).partition("epoch 4 of 4")[2].partition("confusion matrix")[0]
    shown = re.findall(r"(calibrating|exporting model\.\w+|comparing model\.\w+|writing)\s.*?(\d+)%", after)
    texts = dict.fromkeys(text for text, _ in shown)
    assert {"calibrating", "exporting model.onnx", "exporting model.tflite", "writing"} <= texts.keys()
    shares = [int(share) for _, share in shown]
    assert shares == sorted(shares)
    assert shares[-1] < 100
    lines = screen_lines(written)
    assert not [line for line in lines if re.search(r"[\u2800-\u28ff]|starting|calibrating|writing", line)]
    assert 'Model: "dense"' in lines
