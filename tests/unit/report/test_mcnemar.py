import pytest
from scipy.stats import binomtest, chi2, norm

from job.report.mcnemar import mcnemar, p_value_that_better

SPLITS = [(right, rows - right) for rows in (1, 2, 3, 10, 57, 1000) for right in range(0, rows + 1, 1 + rows // 10)]


@pytest.mark.parametrize(
    ("only_other", "only_this", "p_value"),
    # By hand: sums of binomial coefficients over powers of two.
    [(0, 0, 1), (1, 0, 1 / 2), (5, 0, 1 / 32), (0, 5, 1), (2, 1, 4 / 8), (8, 2, (45 + 10 + 1) / 1024)],
)
def test_one_sided_is_the_exact_binomial_test(only_other, only_this, p_value):
    """Of the rows on which two models differ, each falls to either with even odds if they are equally good."""
    assert p_value_that_better(only_other, only_this) == p_value


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    # The same by hand, of both tails.
    [(0, 0, 1), (1, 0, 1), (0, 5, 2 / 32), (5, 5, 1), (8, 2, 2 * (45 + 10 + 1) / 1024), (2, 8, 2 * 56 / 1024)],
)
def test_two_sided_counts_both_tails(only_a, only_b, p_value):
    """Which of the two is called A does not matter."""
    result = mcnemar(only_a, only_b)
    assert (result.method, result.statistic, result.p_value) == ("exact", None, p_value)


@pytest.mark.parametrize(("first", "second"), SPLITS)
def test_exact_values_are_those_of_scipy(first, second):
    """An implementation of its own agrees with a well-known one, far into the tails."""
    rows = first + second
    assert p_value_that_better(first, second) == pytest.approx(binomtest(first, rows, alternative="greater").pvalue)
    assert mcnemar(first, second).p_value == pytest.approx(binomtest(first, rows).pvalue)


@pytest.mark.parametrize(("first", "second"), [(5001, 5000), (5200, 5000), (4900, 5300), (60_000_000, 60_010_000)])
def test_many_rows_take_the_corrected_approximation(first, second):
    """Above ten thousand rows: chi-squared of (|a - b| - 1)^2 / (a + b), as close to the exact value as matters."""
    result, rows, gap = mcnemar(first, second), first + second, abs(first - second)
    assert result.method == "continuity-corrected"
    assert result.statistic == pytest.approx((gap - 1) ** 2 / rows)
    assert result.p_value == pytest.approx(chi2.sf(result.statistic, 1))
    assert result.p_value == pytest.approx(binomtest(first, rows).pvalue, rel=1e-2)
    assert p_value_that_better(first, second) == pytest.approx(norm.sf((first - second - 1) / rows**0.5))


def test_an_even_split_of_many_rows_says_nothing():
    """The correction takes no more than there is."""
    assert mcnemar(10_000, 10_000).p_value == 1
