"""The Python API in a process of its own, as its documentation shows it."""

import inspect
import subprocess
import sys
import textwrap

import pytest
from support.files import make_digits, write_csv
from support.models import write_model

import job


def examples(documentation):
    """The indented code of a docstring."""
    paragraphs = inspect.cleandoc(documentation).split("\n\n")
    return "\n".join(textwrap.dedent(each) for each in paragraphs if each.startswith("    "))


@pytest.fixture
def run(tmp_path):
    """A function: what Python prints that runs some code where there are `digits.csv` and a model."""
    write_csv(tmp_path / "digits.csv", make_digits(60))
    write_model(tmp_path / "model")

    def python(code):
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return python


def test_the_documented_examples_run(run):
    """Score a file, print its accuracy, and read the predictions as a table."""
    code = [
        examples(job.__doc__),
        examples(job.open_results.__doc__),
        "print(each.rows, table.num_rows, *table['label'][:3])",
    ]
    accuracy, rows = run("\n".join(code)).splitlines()
    assert 0 <= float(accuracy) <= 1
    assert rows == f"60 60 {' '.join(map(str, make_digits(60).labels[:3]))}"


def test_a_program_without_logging_sees_no_log(run):
    """Nothing is printed to standard error, not even warnings."""
    printed = run(
        "import job; print(job.inspect('.')[0].path)\n"
        "print(job.score('.', 'out').report['rows']['scored'])\n"
        "try:\n    job.score('digits.csv', 'out', probabilities=True)\n"
        "except job.errors.OutputOccupied as error:\n    print(error.exit_code)\n"
    )
    assert printed.splitlines()[0].endswith("/digits.csv")
    assert printed.splitlines()[1:] == ["60", "73"]
