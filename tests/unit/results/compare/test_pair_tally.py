import numpy as np

from job.results.compare.pair_tally import PairTally


def tally_of(a, b, labels):
    return PairTally.of(*(np.array(each, np.int8) for each in (a, b, labels)))


def test_counts_of_a_small_case_by_hand():
    """Two agree, one is changed, one is rejected by each run, one by both; one has no label."""
    tally = tally_of([1, 2, 3, -1, 4, -1], [1, 2, 5, 6, -1, -1], [1, -1, 5, 6, 4, 0])
    assert tally.scored.tolist() == [[1, 1], [1, 3]]
    assert (tally.read, tally.compared, tally.same, tally.changed) == (6, 3, 2, 1)
    assert tally.digits[3, 5] == 1
    assert tally.correct.tolist() == [[0, 1], [0, 1]]
    assert (tally.labelled, tally.correct_a, tally.correct_b) == (2, 1, 2)


def test_tallies_are_added():
    """And none changes nothing."""
    first, second = tally_of([1, 2], [1, 3], [1, 2]), tally_of([4], [-1], [4])
    assert first + second == tally_of([1, 2, 4], [1, 3, -1], [1, 2, 4])
    assert first + PairTally.zero() == first
