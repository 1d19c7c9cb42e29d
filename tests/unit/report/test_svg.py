import math

import pytest
from markupsafe import Markup

from job.report.svg import Scale, drawing, element, path


def test_elements_are_escaped():
    """Text and attributes never become markup."""
    assert element("text", "<b>", x=1.0, title='"&') == Markup('<text x="1" title="&#34;&amp;">&lt;b&gt;</text>')


def test_numbers_are_rounded():
    """To hundredths, and zero has no sign."""
    assert element("circle", cx=1 / 3, cy=-0.001, r=2, class_="dot") == '<circle cx="0.33" cy="0" r="2" class="dot"/>'


def test_a_line_has_gaps_where_values_are_nan():
    """It starts again behind them."""
    assert path([(0, 1.0), (1, 2.0), (2, math.nan), (3, 4.0)], "line") == '<path d="M0 1L1 2M3 4" class="line"/>'


def test_logarithmic_scale():
    """Equal steps for equal ratios; never beyond the ends."""
    scale = Scale(1, 100, 0.0, 100.0, is_log=True)
    assert [scale(value) for value in (1, 10, 100, 1000, 0.1)] == pytest.approx([0, 50, 100, 100, 0])


def test_a_drawing_is_named_and_described():
    """For readers who cannot see it."""
    svg = drawing("a", "Title", "Words & figures.", (10.0, 20.0), [])
    assert 'aria-labelledby="a-title" aria-describedby="a-desc"' in svg
    assert '<title id="a-title">Title</title><desc id="a-desc">Words &amp; figures.</desc>' in svg
