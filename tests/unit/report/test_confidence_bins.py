import numpy as np

from job.report.confidence_bins import CONFIDENCE_BINS, DOUBTS, MILLION, bins_of, confidence_of, in_twentieths


def test_every_confidence_of_six_decimals_is_in_the_first_bin_that_reaches_its_doubt():
    """A bin includes its highest doubt, which is its lowest confidence."""
    confidences = np.arange(MILLION + 1)
    expected = np.searchsorted(DOUBTS, MILLION - confidences)
    np.testing.assert_array_equal(bins_of(confidences), expected)


def test_bins_are_fine_near_1():
    """Up to ten millionths of doubt each has its own bin, above that none is wider than an eighth of its doubt."""
    assert DOUBTS[:11] == tuple(range(11))
    assert (np.diff(DOUBTS)[11:] <= 0.125 * np.array(DOUBTS[11:-1]) + 2).all()
    assert DOUBTS[-1] == MILLION
    assert CONFIDENCE_BINS < 256


def test_each_bin_is_within_a_twentieth_of_confidence():
    """So that counts by bin give those of the reports' histograms."""
    for index, doubt in enumerate(DOUBTS):
        surest = MILLION - (DOUBTS[index - 1] + 1 if index else 0)
        lowest = MILLION - doubt
        assert min(surest // 50_000, 19) == min(lowest // 50_000, 19)
        one = np.zeros(CONFIDENCE_BINS, np.int64)
        one[index] = 7
        assert in_twentieths(one)[min(lowest // 50_000, 19)] == 7


def test_a_confidence_out_of_range_is_in_the_nearest_bin():
    """Where the probabilities of a network from elsewhere add up to slightly more than 1."""
    assert bins_of(np.array([MILLION + 1, -1])).tolist() == [0, CONFIDENCE_BINS - 1]
    assert confidence_of(5) == 0.999995
