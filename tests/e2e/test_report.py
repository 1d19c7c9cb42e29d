import pytest
from support.command import digit_job, invoke
from support.files import make_digits, write_csv
from support.runs import files_below, score


@pytest.fixture
def results(tmp_path, model):
    """The output folder of a finished run."""
    score(write_csv(tmp_path / "a.csv", make_digits(60)), tmp_path / "results", model)
    return tmp_path / "results"


def test_the_page_is_rendered_again_byte_for_byte(results):
    """It depends on report.json and manifest.json alone."""
    before = files_below(results)
    (results / "report.html").unlink()
    result = digit_job("report", results)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"Report: {results}/report.html\n"
    assert files_below(results) == before


def test_figures_are_drawn_for_slides(results, tmp_path):
    """One file for each figure, with the same bytes in every process."""
    for command, folder in ((digit_job, "slides"), (invoke, "again")):
        result = command("report", results, "--figures", tmp_path / folder)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
    figures = files_below(tmp_path / "slides")
    assert {"calibration.png", "confidence.png", "confusion-matrix.png"} <= set(figures)
    assert figures == files_below(tmp_path / "again")
    for name in figures:
        assert f"Figure: {tmp_path}/again/{name}" in result.stdout


def test_figures_need_an_extra(results, tmp_path):
    """If it is not installed, the message has the command that installs it."""
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('hidden', name='matplotlib')")
    result = digit_job("report", results, "--figures", tmp_path / "slides", PYTHONPATH=f"{tmp_path}")
    assert result.returncode == 2
    assert (
        "this needs the figures extra (matplotlib is not installed): pip install '.[figures]' in a checkout, "
        in result.stderr
    )
    assert not (tmp_path / "slides").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing argument"),
        (["missing"], 66, "is not a folder; name the --output folder of a finished `digit-job score`"),
        (["s3://bucket/results"], 2, "s3:// is not supported"),
    ],
)
def test_invalid_commands_end_with_an_exit_code_and_a_message(arguments, code, message):
    """As for the other commands, and without a traceback."""
    result = invoke("report", *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_figures_that_cannot_be_written_are_an_error(results):
    """For example, because there is a file in place of the folder."""
    result = invoke("report", results, "--figures", results / "report.json")
    assert result.returncode == 73
    assert "report.json" in result.stderr
