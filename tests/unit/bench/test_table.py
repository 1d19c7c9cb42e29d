import pytest
from bench.measure import Run, Runs
from bench.network import flops_per_row
from bench.scenarios import Sizes
from bench.table import HEADER, render, rows_of
from bench.targets import Bound, Target, peaks_of, ratios

ABOUT = {
    "processor": "a processor", "cores": 2, "memory_gb": 24, "system": "Linux", "threads": 2, "sgemm_gflops": 100,
    "python": "3.11", "versions": {"numpy": "2.4"}, "data": "random", "repeats": 3, "same_digits": {"peer": 1.0},
}  # fmt: skip


@pytest.fixture
def measured():
    """Three rounds: the job against a peer; a command that is refused; one of the system."""
    ours = Runs(1000, 2_000_000, [Run(2.0, 300.0), Run(1.0, 310.0), Run(4.0, 305.0)])
    peer = Runs(1000, 2_000_000, [Run(20.0, 900.0), Run(20.0, 901.0), Run(20.0, 902.0)])
    system = Runs(1000, 2_000_000, [Run(0.1, None)])
    return {"ours": ours, "peer": peer, "refused": Runs(1000, 1, [], "not supported"), "system": system}


@pytest.fixture
def rows(measured):
    """The table of a few targets."""
    listed = [
        Target("faster", "ours", Bound(15, "x", at_least=True), ratios("peer", "ours")),
        Target("smaller", "ours", Bound(400, " MB"), peaks_of("ours"), max),
        Target("refused", "refused", Bound(1, "x", at_least=True), ratios("peer", "refused")),
        Target("left out", "absent", Bound(1, "x", at_least=True), ratios("peer", "absent")),
    ]
    return rows_of(listed, measured, flops_limit=1e9, flops_per_row=200_000)


def test_a_ratio_is_the_median_of_its_rounds(rows):
    """10, 20 and 5 times as fast are 10 times as fast, and miss 15."""
    assert rows[0]["figures"] == [10, 20, 5]
    assert (rows[0]["figure"], rows[0]["verdict"], rows[0]["range"]) == (10, "missed", "5.00x .. 20.0x")


def test_memory_is_the_highest_of_its_rounds(rows):
    """A peak is a peak."""
    assert (rows[1]["figure"], rows[1]["verdict"], rows[1]["shown"]) == (310, "met", "310 MB")


def test_what_has_no_runs_says_why(rows):
    """Refused or left out: there is a row all the same."""
    assert [row["verdict"] for row in rows[2:4]] == ["not supported", "not measured"]


def test_speed_comes_from_the_median_run(rows):
    """1,000 rows and 2 MB in 2 s, with 200,000 operations a row, on a machine of 1 GFLOP/s."""
    assert (rows[0]["min_s"], rows[0]["median_s"], rows[0]["max_s"], rows[0]["n"]) == (1, 2, 4, 3)
    assert (rows[0]["rows_per_s"], rows[0]["mb_per_s"], rows[0]["sgemm_share"]) == (500, 1, 0.1)


def test_commands_without_a_target_stand_below(rows):
    """The peers' own speed; a command of the system runs no network, and tells no memory."""
    assert [row["what"] for row in rows[4:]] == ["peer", "system"]
    assert "sgemm_share" in rows[4]
    assert not {"sgemm_share", "peak_mb"} & set(rows[5])


def test_the_text_is_one_aligned_table(rows):
    """As many columns in every line as in the first; hardware, versions and n below."""
    lines = render(rows, ABOUT, Sizes()).splitlines()
    rule = lines[2].split()
    assert len(rule) == len(HEADER)
    assert all(len(line) <= len(lines[2]) for line in lines[1 : 3 + len(rows)])
    below = "\n".join(lines[4 + len(rows) :])
    assert all(each in below for each in ("a processor", "2 threads", "numpy 2.4", "n = 3"))


def test_other_sizes_than_the_targets_own_are_pointed_out(rows):
    """A quick run's verdicts are not taken for the real ones."""
    assert "ROWS=700000" in render(rows, ABOUT, Sizes(7000))
    assert "ROWS=700000" not in render(rows, ABOUT, Sizes())


def test_arithmetic_per_row_follows_from_the_architecture(tmp_path):
    """A dense network's matrix products; of another kind nothing is claimed."""
    card = tmp_path / "model.json"
    card.write_text('{"architecture": "784-128-128-128-10"}')
    assert flops_per_row(str(tmp_path)) == 268_800
    card.write_text('{"architecture": "cnn"}')
    assert flops_per_row(str(tmp_path)) is None
