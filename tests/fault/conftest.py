"""What is attacked: a command, of which each module of these tests says the inputs."""

import pytest
from support.runs import score, stable_files


@pytest.fixture
def output(tmp_path):
    """Where the command under attack writes."""
    return tmp_path / "out"


@pytest.fixture
def arguments(inputs, model, output):
    """The command under attack."""
    return [
        "score", "--input", inputs, "--output", output, "--model", model,
        "--part-bytes", "40000", "--threads", "2", "--max-rejects", "100%",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(inputs, model, tmp_path_factory):
    """What the command leaves when nothing happens to it."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    score(inputs, output, model)
    return stable_files(output)
