"""`digit-job evaluate` as a user runs it."""

import json

import pytest
from jsonschema import Draft202012Validator
from support.documented_events import assert_documented
from support.files import make_digits, write_csv, write_idx
from support.log_lines import log_lines
from support.models import write_dense_model
from support.outcome import assert_ended, call

import job
from job.documents.json_schema import schema_of
from job.train.judge.corruptions.catalog import CORRUPTIONS


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A model folder that knows no data."""
    return write_dense_model(tmp_path_factory.mktemp("evaluate") / "model")


@pytest.fixture
def labelled(tmp_path):
    """Sixty labelled images of three writers."""
    return _with_writers(write_csv(tmp_path / "labelled.csv", make_digits(60)))


def _with_writers(path):
    head, *lines = path.read_text().splitlines()
    rows = [f"{line},{'abc'[number % 3]}" for number, line in enumerate(lines)]
    path.write_text("\n".join([f"{head},writer", *rows]) + "\n")
    return path


def _evaluate(capfd, model, *arguments):
    return call(capfd, "evaluate", "--model", model, *arguments)


def test_the_figures_are_printed_and_written(capfd, tmp_path, model_folder, labelled):
    """The document matches its schema, and the table has a line for each set of images."""
    more = ("--data", labelled, "--group-column", "writer", "--json", tmp_path / "e.json", "--log-format", "text")
    result = _evaluate(capfd, model_folder, *more)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "e.json").read_text())
    Draft202012Validator(schema_of("evaluation")).validate(found)
    assert found["test"]["rows"] == 60
    assert found["robustness"]["groups"]["groups"] == 3
    assert found["robustness"]["optdigits"]["rows"] == 1797
    for name in ("test", "optdigits", *CORRUPTIONS):
        assert f"\n{name.replace('_', ' ')}  " in result.stdout
    assert "By writer: 3 groups, 3 (100.00 %) with an accuracy below 95 %, by chance 3; median" in result.stdout
    assert "Note: there are only 60 test images, so that all figures are rough" in result.stdout


def test_the_document_alone_can_be_printed(capfd, model_folder, labelled):
    """With `--json -`; the log says the same, as its page has it."""
    result = _evaluate(capfd, model_folder, "--data", labelled, "--json", "-", "--sample", "20", "--log-format", "json")
    found = json.loads(result.stdout)
    assert {each["rows"] for each in found["robustness"]["corruptions"].values()} == {20}
    lines = log_lines(result.stderr)
    assert_documented(lines, "evaluate")
    assert lines[-1]["message"] == "evaluated: ok"
    assert lines[-1]["fields"]["mean_error"] == found["robustness"]["mean_error"]


def test_an_evaluation_is_written_over_and_nothing_else(capfd, tmp_path, model_folder, labelled):
    """Without --overwrite."""
    for path, code in ((tmp_path / "e.json", 0), (tmp_path / "e.json", 0), (labelled, 73)):
        result = _evaluate(capfd, model_folder, "--data", labelled, "--sample", "1", "--json", path, "--quiet")
        assert_ended(result, code)
        assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 78, "comes without data; name labelled images with --data"),
        (["--data", "nowhere"], 66, "nowhere: found no file there"),
        (["--data", "{unlabelled}"], 65, "has no labels, which are needed here"),
        (["--data", "{labelled}", "--group-column", "hand"], 65, "has no column 'hand'"),
        (["--data", "{idx}", "--group-column", "hand"], 65, "leave --group-column out"),
        (["--data", "digits", "--group-column", "hand"], 2, "--group-column are for files"),
        (["--group-column", "writer"], 2, "--group-column need files named by --data"),
        (["--sample", "0"], 2, "--sample"),
    ],
)
def test_wrong_commands_end_with_their_exit_code(capfd, tmp_path, model_folder, labelled, arguments, code, message):
    """The error says which flag or step settles it."""
    unlabelled = write_csv(tmp_path / "unlabelled.csv", make_digits(20), has_labels=False)
    (tmp_path / "idx").mkdir()
    places = {"unlabelled": unlabelled, "labelled": labelled, "idx": write_idx(tmp_path / "idx", make_digits(20))}
    result = _evaluate(capfd, model_folder, *(each.format(**places) for each in arguments))
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_no_model_is_refused(capfd, tmp_path):
    """As by `score`."""
    assert_ended(_evaluate(capfd, tmp_path, "--data", "digits", "--log-format", "text"), 78, "is an empty folder")


def test_the_api_returns_the_document(model_folder, labelled):
    """The same as the command writes, and nothing is printed."""
    found = job.evaluate(model_folder, labelled, group_column="writer", sample=10)
    Draft202012Validator(schema_of("evaluation")).validate(found)
    assert (found["test"]["rows"], found["robustness"]["clean"]["rows"]) == (60, 10)
    assert found["robustness"]["groups"]["name"] == "writer"
