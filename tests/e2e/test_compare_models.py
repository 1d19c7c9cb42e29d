"""`compare MODEL_A MODEL_B --data`: the figures of two scoring runs that are then compared."""

import json

import pytest
from support.command import digit_job, invoke
from support.files import csv_text, make_digits, write_csv, write_parquet
from support.models import write_dense_model
from support.runs import settings_for

from job.errors import InputChanged
from job.model.bundle import MARKER_NAME
from job.results.compare.comparer import Comparer
from job.results.compare.two_models import compare_models
from job.telemetry.recorder import Recorder


@pytest.fixture
def other(tmp_path):
    """A model of another kind than `model`: of dense layers."""
    return write_dense_model(tmp_path / "other", seed=1)


@pytest.fixture
def data(tmp_path):
    """A folder with labelled files of two formats, one of which has a record that cannot be scored."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_parquet(folder / "a.parquet", make_digits(300, seed=1))
    lines = csv_text(make_digits(300, seed=2)).splitlines(keepends=True)
    lines[7] = lines[7].replace(",", ",x", 1)
    (folder / "b.csv").write_text("".join(lines))
    return folder


def compared(tmp_path, *arguments, returncode=0):
    """The document that `compare` writes, and its printed text."""
    result = invoke("compare", *arguments, "--json", tmp_path / "found.json", "--overwrite")
    assert result.returncode == returncode, result.stderr
    return json.loads((tmp_path / "found.json").read_text()), result.stdout


def figures(found):
    """All of a comparison but where the predictions came from."""
    return {name: value for name, value in found.items() if name not in {"a", "b"}}


@pytest.mark.parametrize("flags", [[], ["--transpose", "--scale", "255"], ["--no-label"]], ids=" ".join)
def test_the_figures_are_those_of_two_runs(tmp_path, model, other, data, flags):
    """Accuracies, intervals, McNemar's test, changed rows and the verdict, to the last digit."""
    for name, each in (("a", model), ("b", other)):
        command = ["score", data, "--output", tmp_path / name, "--model", each, *flags]
        assert invoke(*command).returncode == 0
    of_runs, _ = compared(tmp_path, tmp_path / "a", tmp_path / "b")
    of_models, text = compared(tmp_path, model, other, "--data", data, *flags)
    assert figures(of_models) == figures(of_runs)
    assert of_models["rows"]["rejected_by_both"] == 1
    assert of_models["labelled"] == (0 if "--no-label" in flags else 599)
    assert of_models["b"]["output"] is None
    assert of_models["b"]["model"] == {**of_runs["b"]["model"], "path": str(other)}
    assert text.startswith(
        f"A  {model}  (model linear-0, digest {of_runs['a']['model']['digest'][:12]})\nB  {other}  ("
    )


def test_a_model_compared_with_itself_is_the_same(tmp_path, model, data):
    """Whatever it predicts. Files, folders and patterns may be given together."""
    found, text = compared(tmp_path, model, model, "--data", data / "a.parquet", "--data", f"{data}/*.csv")
    assert (found["agreement"], found["rows"]["read"], found["verdict"]["outcome"]) == (1, 600, "same")
    assert "Agreement   100.00 %" in text


def test_nothing_is_kept_and_tensorflow_is_not_loaded(tmp_path, model, other, data):
    """The predictions lie in a temporary folder."""
    place = tmp_path / "temporary"
    place.mkdir()
    code = "import atexit, sys; atexit.register(lambda: print('tensorflow' in sys.modules))\n"
    before = sorted(data.iterdir())
    done = digit_job("compare", model, other, "--data", data, "--json", "-", code=code, TMPDIR=str(place))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("}\nFalse\n")
    assert (sorted(data.iterdir()), list(place.iterdir())) == (before, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model", "other"], "linear: is a model; to compare two models, add --data"),
        (["run", "model"], "linear: is a model; to compare two models, add --data"),
        (["run", "run", "--data", "data"], "run: is the output of a run; with --data, name two models"),
        (["model", "run", "--data", "data"], "run: is the output of a run; with --data, name two models"),
        (["run", "run", "--transpose"], "--transpose: says how to score data; add --data"),
        (["model", "other", "--data", "data", "--no-label", "--label-column", "y"], "contradict each other"),
        (["model", "other", "--data", "data", "--max-rejects", "x"], "--max-rejects x: expected a count"),
    ],
)
def test_runs_and_models_are_not_mixed(tmp_path, model, other, data, arguments, message):
    """A usage error says which of the two to name, or what to add."""
    assert invoke("score", data, "--output", tmp_path / "run", "--model", model).returncode == 0
    places = {"model": model, "other": other, "run": tmp_path / "run", "data": data}
    result = invoke("compare", *(places.get(each, each) for each in arguments))
    assert result.returncode == 2
    assert message in result.stderr


def test_too_many_rejects_end_it(model, other, data):
    """As in `score`; no place is named that is already deleted."""
    result = invoke("compare", model, other, "--data", data, "--max-rejects", "0")
    assert result.returncode == 65
    assert "1 of 600 records were rejected, more than --max-rejects 0; first: b.csv line 8: " in result.stderr
    assert invoke("compare", model, other, "--data", data, "--max-rejects", "1").returncode == 0


def test_a_model_that_is_not_blessed_needs_a_flag(model, other, data):
    """As in `score`."""
    (other / MARKER_NAME).write_text("it is bad\n")
    result = invoke("compare", model, other, "--data", data)
    assert result.returncode == 78
    assert "other: the model is not blessed" in result.stderr
    assert invoke("compare", model, other, "--data", data, "--allow-unblessed").returncode == 0


def test_a_warning_about_the_data_is_logged_once(tmp_path, model, other):
    """Not once for each model."""
    digits = make_digits(200)
    digits.pixels[:] = 255 - digits.pixels
    source = write_csv(tmp_path / "dark.csv", digits)
    result = invoke("compare", model, other, "--data", source, "--normalize", "none")
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert ["dark digits on white" in line for line in lines] == [False, True, False]
    assert f"scoring with A, {model}" in lines[0]
    assert f"scoring with B, {other}" in lines[2]


def test_data_that_changes_in_between_is_an_error(tmp_path, storage, model, other):
    """The rows of the two models would not be the same."""
    source = write_csv(tmp_path / "a.csv", make_digits(20))
    settings = [
        settings_for(source, tmp_path / name, each, format="parquet") for name, each in (("a", model), ("b", other))
    ]
    times = []

    class Changing:
        """Replaces the data before the second run."""

        def __enter__(self):
            times.append(1)
            if len(times) == 2:
                write_csv(source, make_digits(20, seed=1))
            return Recorder()

        def __exit__(self, *_): ...

    with pytest.raises(InputChanged, match=r"a\.csv: changed while the models were compared"):
        compare_models(Comparer(storage), *settings, Changing)
