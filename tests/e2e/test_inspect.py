import json

import pytest
from support.command import digit_job
from support.files import csv_text, make_digits, write_csv, write_parquet
from support.packed import PACKERS
from support.runs import stable_files


def test_inspect_ends_with_the_command_that_scores(tmp_path, model):
    """Every file is described and drawn, and the last line, given to a shell, scores them."""
    write_csv(tmp_path / "a.csv", make_digits(20))
    write_parquet(tmp_path / "b.parquet", make_digits(20))
    result = digit_job("inspect", tmp_path, "--no-label")
    assert result.returncode == 0, result.stderr
    assert str(tmp_path / "a.csv") in result.stdout
    assert "Parquet, " in result.stdout
    assert "█" in result.stdout or "@" in result.stdout
    command = result.stdout.splitlines()[-1].split()
    assert command == f"digit-job score --input {tmp_path} --output results --model model --no-label".split()
    command[command.index("results")], command[command.index("model")] = str(tmp_path / "out"), str(model)
    assert digit_job(*command[1:]).returncode == 0


def test_where_only_ascii_can_be_written_the_digits_are_shades(tmp_path):
    """Standard output that is not UTF-8 gets no half blocks, and no error."""
    write_csv(tmp_path / "a.csv", make_digits(3))
    result = digit_job("inspect", tmp_path / "a.csv", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert result.stdout.isascii()
    assert "label" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing argument"),
        (["missing.csv"], 66, "missing.csv: found no file there"),
        (["a.csv", "--label-column", "x", "--no-label"], 2, "contradict each other"),
    ],
)
def test_wrong_commands_end_as_everywhere(arguments, code, message):
    """Errors and exit codes are those of scoring."""
    result = digit_job("inspect", *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_suspicion_is_logged_reported_and_kept(tmp_path, model):
    """What is odd about an input stands in log, report.json, page and summary, and again when it is done."""
    digits = make_digits(100)
    write_csv(tmp_path / "a.csv", type(digits)(255 - digits.pixels, digits.labels))
    arguments = ["score", "--input", tmp_path / "a.csv", "--output", tmp_path / "out", "--model", model]
    result = digit_job(*arguments)
    assert result.returncode == 0, result.stderr
    (warning,) = json.loads((tmp_path / "out/report.json").read_text())["warnings"]
    assert warning["path"] == "a.csv"
    assert "dark digits on white" in warning["message"]
    assert warning["message"] in result.stderr
    assert warning["message"] in (tmp_path / "out/report.html").read_text()
    assert f"Mind the input: a.csv: {warning['message']}" in digit_job(*arguments).stdout


def test_warnings_do_not_depend_on_parts(tmp_path, model):
    """The first records are the same ones whether they are a part or many."""
    digits = make_digits(1100)
    write_csv(tmp_path / "a.csv", type(digits)(255 - digits.pixels, digits.labels))
    common = ["score", "--input", tmp_path / "a.csv", "--output", tmp_path / "out", "--model", model, "--overwrite"]
    assert digit_job(*common).returncode == 0
    whole = stable_files(tmp_path / "out")
    (tmp_path / "out/_SUCCESS").unlink()
    assert digit_job(*common, "--part-bytes", "100000").returncode == 0
    assert stable_files(tmp_path / "out") == whole
    assert json.loads(whole["report.json"])["warnings"]


@pytest.mark.parametrize("kind", PACKERS)
def test_packed_files_score_as_what_they_hold(tmp_path, model, kind):
    """A CSV file packed in any way gives the rows that the plain file gives."""
    text = csv_text(make_digits(30)).encode()
    (tmp_path / "plain.csv").write_bytes(text)
    (tmp_path / "packed.csv").write_bytes(PACKERS[kind](text))
    result = digit_job("score", "--input", tmp_path, "--output", tmp_path / "out", "--model", model)
    assert result.returncode == 0, result.stderr
    predictions = tmp_path / "out/predictions"
    assert (predictions / "packed.csv").read_bytes() == (predictions / "plain.csv").read_bytes()
