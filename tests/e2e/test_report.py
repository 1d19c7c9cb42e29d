import pytest
from support.command import digit_job
from support.files import make_digits, write_csv
from support.runs import files_below, score


@pytest.fixture
def results(tmp_path, model):
    """The output folder of a finished run."""
    score(write_csv(tmp_path / "a.csv", make_digits(60)), tmp_path / "results", model)
    return tmp_path / "results"


def test_the_page_is_rendered_again_byte_for_byte(results):
    """From report.json and manifest.json alone."""
    before = files_below(results)
    (results / "report.html").unlink()
    result = digit_job("report", results)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"Report: {results}/report.html\n"
    assert files_below(results) == before


def test_figures_are_drawn_for_slides(results, tmp_path):
    """One file for each, the same bytes in each process; what cannot be drawn is said."""
    for folder in ("slides", "again"):
        result = digit_job("report", results, "--figures", tmp_path / folder)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
    figures = files_below(tmp_path / "slides")
    assert {"calibration.png", "confidence.png", "confusion-matrix.png"} <= set(figures)
    assert figures == files_below(tmp_path / "again")
    for name in figures:
        assert f"Figure: {tmp_path}/again/{name}" in result.stdout


def test_figures_need_an_extra(results, tmp_path):
    """Where it is not installed, the message says how to get it; the page is there by then."""
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('hidden', name='matplotlib')")
    result = digit_job("report", results, "--figures", tmp_path / "slides", PYTHONPATH=f"{tmp_path}")
    assert result.returncode == 2
    assert (
        "this needs the figures extra (matplotlib is not installed): pip install 'digit-job[figures]'" in result.stderr
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
def test_wrong_commands_end_as_everywhere(arguments, code, message):
    """Errors and exit codes are those of scoring."""
    result = digit_job("report", *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_figures_that_cannot_be_written_are_an_error(results):
    """A file stands where the folder should be."""
    result = digit_job("report", results, "--figures", results / "report.json")
    assert result.returncode == 74
    assert "report.json" in result.stderr
