import pytest
from bench_train.table import HEADER, render, rows_of

ABOUT = {
    "processor": "a processor", "cores": 2, "memory_gb": 24, "system": "Linux", "python": "3.11",
    "versions": {"keras": "3.15"}, "data": "mnist", "rounds": 3, "epochs": 2,
}  # fmt: skip
SPEEDS = {
    "dense: model.fit": [1000, 2000, 500],
    "dense: accurate": [3000, 8000, 1000],
    "cnn: model.fit": [10, 10, 10],
    "cnn: accurate": [15, 5, 40],
}


def test_ratios_are_to_the_same_network_in_the_same_round():
    """3, 4 and 2 times as fast are 3 times as fast, and model.fit is as fast as itself."""
    ratios = [(row["ratio"], row["ratio_range"], row["n"]) for row in rows_of(SPEEDS)]
    assert ratios == [(1, [1, 1], 3), (3, [2, 4], 3), (1, [1, 1], 3), (1.5, [0.5, 4], 3)]


@pytest.mark.parametrize(
    "text", [*HEADER, "dense: accurate", "3,000  1,000 .. 8,000", "keras 3.15", "n = 3 interleaved"]
)
def test_the_table_says_what_was_measured_and_on_what(text):
    """For people; every figure with its range."""
    assert text in render(rows_of(SPEEDS), ABOUT)
