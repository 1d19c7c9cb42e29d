import pytest
from scipy.stats import binomtest, chi2, norm

from job.report.mcnemar import mcnemar, p_text, p_value_that_better


def test_one_sided_is_the_exact_binomial_test():
    """Each row on which two equally good models differ falls to either with even odds."""
    # By hand: sums of binomial coefficients over powers of two.
    for only_other, only_this, p_value in (
        (0, 0, 1), (1, 0, 1 / 2), (5, 0, 1 / 32), (0, 5, 1), (2, 1, 4 / 8), (8, 2, (45 + 10 + 1) / 1024),
    ):  # fmt: skip
        assert p_value_that_better(only_other, only_this) == p_value


def test_two_sided_counts_both_tails():
    """Which of the two is called A does not matter."""
    for only_a, only_b, p_value in (
        (0, 0, 1), (1, 0, 1), (0, 5, 2 / 32), (5, 5, 1), (8, 2, 2 * (45 + 10 + 1) / 1024), (2, 8, 2 * 56 / 1024),
    ):  # fmt: skip
        result = mcnemar(only_a, only_b)
        assert (result.method, result.statistic, result.p_value) == ("exact", None, p_value)


def test_exact_values_are_those_of_scipy():
    """Far into the tails."""
    for rows in (1, 2, 3, 10, 57, 1000):
        for first in range(0, rows + 1, 1 + rows // 10):
            one_sided, two_sided = p_value_that_better(first, rows - first), mcnemar(first, rows - first).p_value
            assert one_sided == pytest.approx(binomtest(first, rows, alternative="greater").pvalue)
            assert two_sided == pytest.approx(binomtest(first, rows).pvalue)


@pytest.mark.parametrize(("first", "second"), [(5001, 5000), (5200, 5000), (4900, 5300), (60_000_000, 60_010_000)])
def test_many_rows_take_the_corrected_approximation(first, second):
    """Above ten thousand rows: chi-squared of (|a - b| - 1)^2 / (a + b), within 1 % of the exact value."""
    result, rows, gap = mcnemar(first, second), first + second, abs(first - second)
    assert result.method == "continuity-corrected"
    assert result.statistic == pytest.approx((gap - 1) ** 2 / rows)
    assert result.p_value == pytest.approx(chi2.sf(result.statistic, 1))
    assert result.p_value == pytest.approx(binomtest(first, rows).pvalue, rel=1e-2)
    assert p_value_that_better(first, second) == pytest.approx(norm.sf((first - second - 1) / rows**0.5))


def test_an_even_split_of_many_rows_has_p_value_1():
    """The continuity correction does not make the statistic negative."""
    assert mcnemar(10_000, 10_000).p_value == 1


def test_a_value_that_is_too_small_for_a_number():
    """No probability is 0."""
    assert p_text(0.0123) == "p = 0.012"
    assert p_text(mcnemar(9000, 0).p_value) == "p < 1e-300"
