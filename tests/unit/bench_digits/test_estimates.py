from bench_digits.estimates import row
from bench_digits.scoring import Scored


def test_a_line_has_the_estimate_beside_the_accuracy():
    """With a bold range where it misses; words where the report has none."""
    lines = [
        row("USPS", "auto", Scored(100, accuracy, 0.95, estimate, limits, 0.5, "as stored", 1))
        for accuracy, estimate, limits in ((0.9, 0.92, (0.88, 0.96)), (0.8, 0.92, (0.88, 0.96)), (0.3, None, None))
    ]
    assert lines == [
        "| USPS | auto | 100 | 90.0 % | 95.0 % | 92.0 % | 88.0 % to 96.0 % |",
        "| USPS | auto | 100 | 80.0 % | 95.0 % | 92.0 % | **88.0 % to 96.0 %** |",
        "| USPS | auto | 100 | 30.0 % | 95.0 % | not to be trusted | |",
    ]
