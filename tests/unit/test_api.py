"""The Python API: its arguments are those of the command line, and it leaves the process as it is."""

import inspect
import logging
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from support.command import invoke
from support.files import make_digits, write_csv
from support.runs import SilentObserver, stable_files

import job
import job.score.run
import job.train.training
from job.cli.app import app
from job.errors import ModelFellShort, NoInput, Stopped, UsageError
from job.settings import ReadSettings, RejectLimit, ScoreSettings, Shard
from job.train.train_settings import DataSettings, TrainSettings

PACKAGE = Path(job.__file__).parent
COMMANDS = typer.main.get_command(app).commands
# Flags of commands that concern the terminal, the log and telemetry.
TERMINAL_FLAGS = {
    "log-format", "quiet", "verbose", "profile", "metrics-file", "pushgateway", "openlineage", "settings",
    "job-name", "require-telemetry",
}  # fmt: skip


def python(code, *options, **environment):
    """What a fresh Python prints that runs some code with this package on its path."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


@pytest.fixture
def source(tmp_path):
    """A labelled CSV file."""
    return write_csv(tmp_path / "a.csv", make_digits(60))


def test_importing_the_package_is_quick():
    """It takes less than 20 ms of processor time and imports no library."""
    code = (
        "import sys, time; before = {*sys.modules}; start = time.process_time(); import job;"
        "seconds = time.process_time() - start;"
        "print(seconds, {'numpy', 'pyarrow', 'typer', 'logging', 'job.score'} & {*sys.modules} - before)"
    )
    seconds, imported = min(python(code).split(maxsplit=1) for _ in range(3))
    assert float(seconds) < 0.02
    assert imported == "set()\n"


def test_the_version_needs_no_installed_package(tmp_path):
    """A cluster may get the package as a folder on its path, without the metadata of an installed one."""
    (tmp_path / "job").symlink_to(PACKAGE)
    found = python("import job; print(job.__version__)", "-S", PYTHONPATH=str(tmp_path))
    assert found == f"{job.__version__}\n"


IMPORTS = [
    "",
    "import job.score.run",
    "from job.train import training",
    "import job.cli.app",
    "from job.score import run",
]


@pytest.mark.parametrize("imports", IMPORTS)
def test_functions_stay_callable_when_the_packages_of_their_names_are_imported(imports):
    """`job.score` and `job.train` are functions and packages; they keep their signatures."""
    code = f"""
{imports}
import inspect, job
for _ in range(2):
    for function in (job.score, job.train):
        print(callable(function), next(iter(inspect.signature(function).parameters)))
    import job.score.run, job.train.training
    assert job.score.run.run and job.train.training.train
try:
    job.score([], "out")
except job.errors.UsageError as error:
    print(error)
"""
    expected = ["True inputs", "True data"] * 2
    assert python(code).splitlines() == [*expected, "no input: name a file, a folder or a pattern"]


@pytest.mark.parametrize("name", ["score", "calibrate", "inspect", "train", "evaluate"])
def test_arguments_have_the_names_and_defaults_of_flags(name):
    """The API and the command line are one interface."""
    parameters = {
        each.opts[0].removeprefix("--"): each.default
        for each in COMMANDS[name].params
        if each.name not in {"help", "sources"}  # the inputs again, as arguments
    }
    flags = {flag: default for flag, default in parameters.items() if flag not in TERMINAL_FLAGS}
    arguments = {
        each.name.replace("_", "-"): each.default for each in inspect.signature(getattr(job, name)).parameters.values()
    }
    if name == "evaluate":
        del flags["json"], flags["overwrite"]  # it returns the document
    if name == "score":
        assert (arguments.pop("observer"), arguments.pop("check-stop"), arguments.pop("shard")) == (None,) * 3
        flags["inputs"] = flags.pop("input")
        for shard in ("shard-index", "shard-count"):
            del flags[shard]
        arguments["part-bytes"] = flags["part-bytes"]
    assert set(arguments) == set(flags)
    for flag, default in flags.items():
        if not callable(default) and default is not None:
            assert arguments[flag] == default, flag


def test_score_passes_on_every_setting(monkeypatch):
    """Each argument reaches the setting of its meaning."""
    taken = []
    monkeypatch.setattr(job.score.run, "run", lambda settings, _, observer: taken.append((settings, observer)))
    observer = SilentObserver()
    job.score(
        ["a.csv", Path("b")], Path("out"), Path("m"), keep=["id"], overwrite=False, label_column="y", scale="255",
        transpose=True, invert=True, max_rejects=7, format="parquet", probabilities=True, allow_unblessed=True,
        threads=3, part_bytes=4096, shard=(1, 2), observer=observer, escape_formulas=True,
    )  # fmt: skip
    read = ReadSettings("y", scale="255", is_transposed=True, keep=("id",), is_inverted=True)
    assert taken == [
        (
            ScoreSettings(
                ("a.csv", "b"), "out", "m", read, "parquet", has_probabilities=True,
                max_rejects=RejectLimit.parse("7"), threads=3, part_bytes=4096, allows_unblessed=True,
                shard=Shard(1, 2), model_name="m", escapes_formulas=True,
            ),
            observer,
        )
    ]  # fmt: skip
    job.score("a.csv", "out", no_label=True, overwrite=True)
    settings, _ = taken[1]
    assert (settings.inputs, settings.model, settings.read.is_label_ignored) == (("a.csv",), "model", True)
    assert settings.is_overwriting
    assert settings.threads >= 1


def test_score_writes_what_the_command_writes(source, model, tmp_path):
    """The same files with the same bytes; a second call does nothing."""
    first = job.score(source, tmp_path / "out", model, probabilities=True)
    command = ["--input", source, "--output", tmp_path / "command", "--model", model, "--probabilities"]
    assert invoke("score", *command).returncode == 0
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "command")
    assert (first.output, first.rows, first.was_done) == (str(tmp_path / "out"), 60, False)
    assert first.report["rows"]["read"] == 60
    second = job.score(source, tmp_path / "out", model, probabilities=True)
    assert (second.rows, second.was_done, second.report) == (0, True, first.report)


@pytest.mark.usefixtures("source")
def test_calls_leave_the_process_as_it_is(model, tmp_path, capfd, monkeypatch):
    """They print nothing, and change neither signal handlers nor loggers, not even for a warning."""
    logger = logging.getLogger("job")
    # Other tests set up the log of a command.
    for each in (logger, logging.getLogger()):
        monkeypatch.setattr(each, "handlers", [])
    (tmp_path / "notes.txt").write_text("not data")  # skipped with a warning

    def state():
        root = logging.getLogger()
        signals = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return signals, root.handlers[:], root.level, logger.level, logger.propagate

    before = state()
    job.inspect(tmp_path)
    job.score(tmp_path, tmp_path / "out", model)
    job.open_results(tmp_path / "out")
    assert state() == before
    assert capfd.readouterr() == ("", "")


def test_errors_are_those_of_the_command_line(source, model, tmp_path):
    """They have the same classes and messages."""
    with pytest.raises(NoInput, match="found no file there"):
        job.score(tmp_path / "missing.csv", tmp_path / "out", model)
    with pytest.raises(UsageError, match="contradict each other"):
        job.inspect(source, label_column="y", no_label=True)
    with pytest.raises(UsageError, match="--threads 0: expected at least 1"):
        job.score(source, tmp_path / "out", model, threads=0)


@pytest.fixture
def python_takes_ctrl_c():
    """SIGINT raises KeyboardInterrupt, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_takes_ctrl_c")
def test_a_program_can_stop_a_run_and_resume_it(source, model, tmp_path):
    """It raises in check_stop, or gets Ctrl-C; parts that are committed by then are kept."""

    class Interrupting(SilentObserver):
        """Sends the process Ctrl-C with the first part, and gives it a second to arrive."""

        parts = 0

        def committed(self, _):
            self.parts += 1
            if self.parts == 1:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)

    def stop():
        raise Stopped("that is enough")

    where = {"inputs": source, "output": tmp_path / "out", "model": model, "part_bytes": 4096, "threads": 1}
    with pytest.raises(Stopped, match="that is enough"):
        job.score(**where, check_stop=stop)
    watching = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        job.score(**where, observer=watching)
    assert not (tmp_path / "out/_SUCCESS").exists()
    result = job.score(**where)
    assert 0 < result.rows < 60
    assert result.report["rows"]["read"] == 60


def test_inspect_returns_what_the_command_prints(source):
    """One inspection per file, with its first images."""
    (found,) = job.inspect(source)
    assert found.path == str(source)
    assert found.facts["records"] == "60"
    assert found.head.pixels.shape == (60, 784)
    assert f"  labels   {found.facts['labels']}" in invoke("inspect", source).stdout


def test_train_passes_on_every_setting(monkeypatch):
    """Each argument reaches the setting of its meaning."""
    taken = []
    result = SimpleNamespace(check_blessed=lambda: None)

    def fake(settings, _, *, mnist_dir, **__):
        taken.append((settings, mnist_dir))
        return result

    monkeypatch.setenv("MNIST_DIR", "/data")
    monkeypatch.setattr(job.train.training, "train", fake)
    found = job.train(
        [Path("a.csv"), "b.csv"], Path("m"), test_data=Path("t.csv"), recipe="baseline", resume=True, overwrite=True,
        label_column="y", scale="1", transpose=True, invert=True,
        validation_split=0.2, arch="cnn", hidden=[64, 32], activation="elu", dropout=0.1, epochs=3, batch_size=8,
        optimizer="sgd", learning_rate=0.3, weight_decay=0.4, early_stopping=5, class_weights="balanced", augment=False,
        seed=7, min_accuracy=0.9, compare_to=Path("old"), tensorboard=Path("events"),
    )  # fmt: skip
    assert found is result
    read = ReadSettings("y", scale="1", is_transposed=True, is_inverted=True)
    assert taken == [
        (
            TrainSettings(
                DataSettings(("a.csv", "b.csv"), read, ("t.csv",), None, 0.2), "m", "baseline", "cnn", 3, 8, 7,
                is_augmented=False, is_overwriting=True, learning_rate=0.3,
                optimizer="sgd", weight_decay=0.4, hidden=(64, 32), activation="elu", dropout=0.1, early_stopping=5,
                class_weights="balanced", min_accuracy=0.9, compare_to="old", is_resuming=True, tensorboard="events",
            ),
            "/data",
        )
    ]  # fmt: skip


def test_train_raises_if_the_model_fails_its_gate(monkeypatch):
    """As the command exits with 3."""

    def fell_short():
        raise ModelFellShort("model: the model is not blessed")

    result = SimpleNamespace(check_blessed=fell_short)
    monkeypatch.setattr(job.train.training, "train", lambda *_, **__: result)
    with pytest.raises(ModelFellShort):
        job.train("digits", "model", min_accuracy=1)


def test_a_keras_file_without_the_train_extra_is_a_usage_error(source, tmp_path, monkeypatch):
    """The message names the extra."""
    path = tmp_path / "mine.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    monkeypatch.setitem(sys.modules, "job.train.card.foreign_model", None)
    with pytest.raises(UsageError, match=r"needs the train extra .*'\.\[train\]'"):
        job.score(source, tmp_path / "out", path)
