import json

import pytest
from support.command import digit_job, invoke
from support.files import csv_text, make_digits, write_csv, write_parquet
from support.packed import PACKERS
from support.runs import stable_files


def test_inspect_ends_with_the_command_that_scores(tmp_path, model):
    """Every file is described and drawn, and the last line is a command that scores them."""
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
    assert invoke(*command[1:]).returncode == 0


def test_digits_are_drawn_in_ascii_if_the_terminal_has_no_utf_8(tmp_path):
    """Shades replace the half blocks of Unicode."""
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
def test_invalid_commands_end_with_an_exit_code_and_a_message(arguments, code, message):
    """As for the other commands, and without a traceback."""
    result = invoke("inspect", *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_an_input_warning_is_shown_everywhere(tmp_path, model):
    """In the log, report.json, the page and the summary; in the summary also when the run was already done."""
    digits = make_digits(100)
    write_csv(tmp_path / "a.csv", type(digits)(255 - digits.pixels, digits.labels))
    arguments = ["score", "--input", tmp_path / "a.csv", "--output", tmp_path / "out", "--model", model]
    arguments += ["--normalize", "none"]
    result = invoke(*arguments)
    assert result.returncode == 0, result.stderr
    (warning,) = json.loads((tmp_path / "out/report.json").read_text())["warnings"]
    assert warning["path"] == "a.csv"
    assert "dark digits on white" in warning["message"]
    assert warning["message"] in result.stderr
    assert warning["message"] in (tmp_path / "out/report.html").read_text()
    assert f"Warning: a.csv: {warning['message']}" in invoke(*arguments).stdout


def test_input_warnings_do_not_depend_on_parts(tmp_path, model):
    """They are about a file's first records, whether these are in one part or in several."""
    digits = make_digits(1100)
    write_csv(tmp_path / "a.csv", type(digits)(255 - digits.pixels, digits.labels))
    common = ["score", "--input", tmp_path / "a.csv", "--output", tmp_path / "out", "--model", model, "--overwrite"]
    common += ["--normalize", "none"]
    assert invoke(*common).returncode == 0
    whole = stable_files(tmp_path / "out")
    (tmp_path / "out/_SUCCESS").unlink()
    assert invoke(*common, "--part-bytes", "100000").returncode == 0
    assert stable_files(tmp_path / "out") == whole
    assert json.loads(whole["report.json"])["warnings"]


@pytest.mark.parametrize("kind", PACKERS)
def test_compressed_files_score_as_their_content(tmp_path, model, kind):
    """A compressed CSV file gives the same predictions as the plain file."""
    text = csv_text(make_digits(30)).encode()
    (tmp_path / "plain.csv").write_bytes(text)
    (tmp_path / "packed.csv").write_bytes(PACKERS[kind](text))
    result = invoke("score", "--input", tmp_path, "--output", tmp_path / "out", "--model", model)
    assert result.returncode == 0, result.stderr
    predictions = tmp_path / "out/predictions"
    assert (predictions / "packed.csv").read_bytes() == (predictions / "plain.csv").read_bytes()
