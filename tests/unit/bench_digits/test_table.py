from bench_digits.scoring import Scored
from bench_digits.table import accuracy_table, speed_table


def test_each_set_has_a_line_for_each_way():
    """As Markdown; an estimate that a report withholds is said so."""
    stored = Scored(2007, 0.449, 0.88, None, None, 0.01, "as stored", 1)
    formed = Scored(2007, 0.921, 0.9, 0.91, (0.9, 0.92), 0.5, "brought to MNIST's form", 1)
    head, rule, *lines = accuracy_table({"USPS test": {"none": stored, "mnist": formed}}).splitlines()
    assert head.count("|") == rule.count("|") == 9
    assert lines == [
        "| USPS test | 2,007 | `none` | as stored | 44.90 % | 88.00 % | withheld | 1.00 % |",
        "| USPS test | 2,007 | `mnist` | brought to MNIST's form | 92.10 % | 90.00 % | 91.00 % | 50.00 % |",
    ]


def test_ratios_are_to_the_first_way_in_the_same_round():
    """Half as fast, as fast and twice as fast are as fast."""
    lines = speed_table({"none": [100, 200, 300], "mnist": [50, 200, 600]}).splitlines()[2:]
    assert lines[0] == "| `none` | 200 | 100 to 300 | 1.000 | 1.000 to 1.000 | 3 |"
    assert lines[1] == "| `mnist` | 200 | 50 to 600 | 1.000 | 0.500 to 2.000 | 3 |"
