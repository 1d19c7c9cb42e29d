import pytest
from support.outputs import scored, write_output

from job.results.compare.comparer import Comparer
from job.results.compare.text import describe_comparison


@pytest.fixture
def described(storage, tmp_path):
    """Describes the comparison of two runs over `a.csv`, given their predictions and the labels."""

    def describe(a, b, labels=None):
        folders = [
            str(write_output(tmp_path / name, {"a.csv": scored(digits, labels)}, name=name))
            for name, digits in (("first", a), ("second", b))
        ]
        return describe_comparison(Comparer(storage).compare(*folders))

    return describe


def test_figures_are_described_and_the_verdict_comes_last(described, tmp_path):
    """Rows, agreement, accuracies, the difference and the test."""
    lines = described([0, 1, 2, -1], [0, 1, 3, 3], [0, 1, 3, 3])
    assert lines[0].startswith(f"A  {tmp_path}/first  (model first, digest ")
    assert lines[3:6] == [
        "Rows        4 in 1 file; 3 scored by both; rejected by both 0, by A only 1, by B only 0",
        "Agreement   66.67 %: the same digit on 2, changed 1",
        "Accuracy    A 66.67 % of 3 labelled rows (95 % interval 20.77 to 93.85 %)",
    ]
    assert lines[7].startswith("Difference  B - A = +33.33 points (95 % interval ")
    assert lines[8] == "Correct     by both 2, by A only 0, by B only 1, by neither 0"
    assert lines[9] == "McNemar     p = 1 (exact)"
    assert lines[-1] == (
        "Verdict: no significant difference in accuracy: of the 1 row that only one of them classifies correctly, "
        "A has 0 and B 1 (McNemar's test, p = 1)."
    )


def test_changes_are_tables(described):
    """Of digits, of rows, and of inputs."""
    lines = described([0, 1, 2], [0, 1, 3])
    start = lines.index("Changed from A's digit to B's")
    assert lines[start + 1 : start + 3] == ["  A  B  rows", "  2  3     1"]
    assert "The surest 1 of 1 changed rows (counted from 0)" in lines
    assert "  a.csv    2         2    0.900000  3    0.900000" in lines
    assert "  a.csv     3               3        1    66.67 %           -           -" in lines


def test_without_labels_the_accuracy_is_unknown(described):
    """And nothing else is said of it."""
    lines = described([0, 1], [0, 1])
    assert "Accuracy    unknown: no row scored by both has a label" in lines
    assert not any(line.startswith(("Difference", "Correct", "McNemar", "Changed")) for line in lines)
    assert lines[-1] == "Verdict: A and B agree on all 2 rows."
