"""The command that the tests disturb. Each module of tests has its own `inputs`."""

import pytest
from support.runs import repeated_runs, score, stable_files


@pytest.fixture(scope="module")
def _repeated_runs():
    """For modules of tests that repeat a run many times; see `repeated_runs`."""
    with repeated_runs():
        yield


@pytest.fixture
def output(tmp_path):
    """The output folder of the command."""
    return tmp_path / "out"


@pytest.fixture
def arguments(inputs, model, output):
    """The command."""
    return [
        "score", "--input", inputs, "--output", output, "--model", model,
        "--part-bytes", "40000", "--threads", "2", "--max-rejects", "100%",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(inputs, model, tmp_path_factory):
    """The files that the command writes if nothing disturbs it."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    score(inputs, output, model)
    return stable_files(output)
