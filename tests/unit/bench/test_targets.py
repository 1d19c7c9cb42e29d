import itertools

import pytest
from bench.measure import Run, Runs
from bench.scenarios import Sizes
from bench.targets import Bound, growth, peaks_of, ratios, targets


def runs(*seconds, peaks=(None,) * 9):
    """Measured runs of one command over 1,000 rows and 2 MB."""
    return Runs(1000, 2_000_000, [Run(*each) for each in zip(seconds, peaks, strict=False)])


def test_a_ratio_is_taken_within_its_round():
    """Slow rounds are slow for everybody: rounds of 10 over 2 and 30 over 3 are 5 and 10, not 20 over 2.5."""
    assert ratios("peer", "ours")({"peer": runs(10, 30), "ours": runs(2, 3)}) == [5, 10]


def test_what_was_not_measured_gives_no_figures():
    """A command that failed, or was never run, leaves the row empty."""
    assert ratios("peer", "ours")({"peer": runs(10, 30), "ours": runs()}) == []
    assert ratios("peer", "ours")({"ours": runs(1)}) == []
    assert peaks_of("ours")({"ours": runs(1)}) == []


def test_memory_is_gathered_over_commands_and_compared_within_a_round():
    """Peaks are all runs' peaks; growth is more over less."""
    measured = {"more": runs(1, 1, peaks=[210, 220]), "less": runs(1, 1, peaks=[200, 200])}
    assert peaks_of("more", "less", "other")(measured) == [210, 220, 200, 200]
    assert growth("more", "less")(measured) == [1.05, 1.1]


@pytest.mark.parametrize(
    ("bound", "figure", "is_met"),
    [
        (Bound(15, "x", at_least=True), 15, True),
        (Bound(15, "x", at_least=True), 14.99, False),
        (Bound(400, " MB"), 400, True),
        (Bound(400, " MB"), 400.1, False),
    ],
)
def test_a_bound_may_be_touched(bound, figure, is_met):
    """At least 15 holds for 15, at most 400 for 400."""
    assert bound.is_met(figure) is is_met


@pytest.mark.parametrize(
    ("figure", "shown"), [(0.1234, "0.12x"), (9.996, "10.00x"), (15.27, "15.3x"), (1234.5, "1,234x")]
)
def test_figures_have_about_three_digits(figure, shown):
    """More would be noise."""
    assert Bound(1, "x").show(figure) == shown


def test_bounds_say_their_direction():
    """What a reader sees in the table."""
    assert str(Bound(3.5, "x", at_least=True)) == ">= 3.5x"
    assert str(Bound(600, " MB")) == "<= 600 MB"


def test_the_targets_are_meant_for_700_000_rows():
    """At full size the row group has a million rows, and growth is from 70,000 to 1.4 million."""
    sizes = Sizes()
    assert sizes.is_full
    assert (sizes.row_group, sizes.less, sizes.more) == (1_000_000, 70_000, 1_400_000)
    assert not Sizes(7000).is_full


def test_every_target_has_its_own_name():
    """Each row of the table can be told from the others, taken with the row above it."""
    names = [target.name for target in targets(Sizes())]
    assert len(set(itertools.pairwise(names))) == len(names) - 1
