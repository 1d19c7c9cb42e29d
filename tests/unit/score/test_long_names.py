"""Names that are too long for a file system are refused before any work."""

import os

import pytest
from support.files import write_csv
from support.runs import score

from job.errors import DataError, NoInput, OutputOccupied
from job.storage.paths import too_long


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/" + "a" * 255, None), ("/" + "a" * 256, "name of 256 bytes"), ("/" + "é" * 128 + "/b", "name of 256 bytes"),
        ("/a" * 2047, None), ("/a" * 2048, "has 4,096 bytes"), ("/\udc80" * 2047, None),
    ],
)  # fmt: skip
def test_lengths_are_counted_in_bytes(path, problem):
    assert (problem is None and too_long(path) is None) or problem in too_long(path)


@pytest.mark.parametrize("name", ["a" * 250 + ".csv", "é" * 124 + ".csv", "a" * 252])
def test_an_input_whose_results_cannot_be_named(tmp_path, model, digits, name):
    """Its rejects would have a longer name; nothing is written."""
    source = write_csv(tmp_path / "a.csv", digits)
    long = source.rename(tmp_path / name)
    with pytest.raises(DataError, match=r"its result has a name of 2\d\d bytes, .*; rename the input"):
        score(long, tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def test_a_path_that_cannot_exist(tmp_path, model, digits):
    """As an input, and as the output."""
    source = write_csv(tmp_path / "a.csv", digits)
    for long in ("a" * 300, "/".join(["a" * 200] * 30)):
        with pytest.raises(NoInput, match="found no file there"):
            score(tmp_path / long, tmp_path / "out", model)
        with pytest.raises(OutputOccupied, match=r"of at most .* choose another --output"):
            score(source, tmp_path / long, model)
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("name", ["a\nb.csv", "a\udc80.csv", "a\u202evsc.csv", "a b\t.csv"])
def test_strange_names_are_kept(tmp_path, model, digits, name):
    """A file name is any bytes."""
    source = write_csv(tmp_path / "a.csv", digits)
    source.rename(tmp_path / name)
    score(tmp_path / name, tmp_path / "out", model)
    assert os.listdir(tmp_path / "out/predictions") == [name]
