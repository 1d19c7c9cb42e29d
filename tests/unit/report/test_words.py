from job.report.words import DASH, count, duration, figure, many, percent, setting


def test_numbers():
    """Shares in per cent, counts with separators, figures with four decimals; None is a dash."""
    assert (percent(0.98765), count(1234567), figure(0.5)) == ("98.77 %", "1,234,567", "0.5000")
    assert (percent(None), count(None), figure(None)) == (DASH, DASH, DASH)


def test_counts_with_their_noun():
    """One, many, and a plural of its own."""
    assert (many(1, "file"), many(2000, "file")) == ("1 file", "2,000 files")
    assert many(2, "finding needs", "findings need") == "2 findings need"


def test_durations():
    """In the unit that fits."""
    for seconds, text in ((0.4183, "0.42 s"), (59.5, "59.50 s"), (65, "1 min 05 s"), (7380, "2 h 03 min")):
        assert duration(seconds) == text


def test_settings():
    """As a person would write them."""
    values = {"yes": True, "a, b": ["a", "b"], "3": 3, "a 1": {"a": 1}}
    assert [setting(value) for value in values.values()] == list(values)
    assert (setting(None), setting([])) == (DASH, DASH)
