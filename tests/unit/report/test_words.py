import numpy as np
import pytest

from job.report import words


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4183, "0.42 s"), (59.5, "59.50 s"), (65, "1 min 05 s"), (7380, "2 h 03 min")]
)
def test_durations(seconds, said):
    """In the unit that fits."""
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, words.DASH), ([], words.DASH), (True, "yes"), (["a", "b"], "a, b"), (3, "3"), ({"a": 1}, "a 1")],
)
def test_settings(value, said):
    """As a person would write them."""
    assert words.setting(value) == said


@pytest.mark.parametrize(
    ("psi", "said"),
    [
        (None, "nothing to compare"),
        (0.0999, "no shift"),
        (0.1, "some shift"),
        (0.25, "some shift"),
        (0.26, "large shift"),
    ],
)
def test_an_index_in_plain_words(psi, said):
    """Below 0.1 no shift, to 0.25 some, above it a large one; where there are rows enough."""
    assert words.shift(psi, 10_000, 10) == said


def test_few_rows_are_not_said_to_have_shifted():
    """Where chance alone makes an index as high as that, nothing is made of it; beyond that, a shift is one."""
    assert words.shift(0.3, 50, 10) == "too few rows to tell"
    assert words.shift(0.5, 50, 10) == "large shift"


def test_the_level_of_chance_is_that_of_samples():
    """About 5 % of the samples from the training distribution itself lie above it."""
    random = np.random.default_rng(0)
    shares = random.multinomial(1000, [0.1] * 10, 4000) / 1000
    index = ((shares - 0.1) * np.log(shares / 0.1)).sum(axis=1)
    assert (index > words.chance_level(1000, 10)).mean() == pytest.approx(0.05, abs=0.01)
