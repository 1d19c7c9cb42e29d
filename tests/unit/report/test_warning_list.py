import pytest

from job.report.warning_list import MAX_WARNINGS, WarningList, inputs_of, outcome, sentence


def _documents(warnings, run=()):
    found = WarningList()
    for path, message in warnings:
        found.add(path, message)
    return found.documents(run)


def test_one_or_two_inputs_have_a_warning_each():
    """After those about the run as a whole."""
    found = _documents([("a", "odd"), ("b", "blank"), ("c", "odd")], ["unlike"])
    assert list(map(sentence, found)) == ["unlike", "a: odd", "c: odd", "b: blank"]


def test_the_same_warning_about_many_inputs_is_one():
    """With the first names and the number of inputs; numbers within a message do not make it another one."""
    (found,) = _documents([(f"{number}.csv", f"{number} % of 1,024 are odd") for number in range(1000)])
    assert sentence(found) == "0.csv, 1.csv, 2.csv and 997 more: 0 % of 1,024 are odd"
    assert found["inputs"] == 1000


def test_warnings_of_very_many_kinds_are_bounded():
    """The last one says how many more there are."""
    found = _documents([("a", "x" * number) for number in range(1, 1000)])
    assert len(found) == MAX_WARNINGS + 1
    assert found[-1]["message"] == f"{999 - MAX_WARNINGS} more warnings of other kinds about inputs"


def test_warnings_of_earlier_versions_are_read():
    """They have one path and no count."""
    assert inputs_of({"path": "a", "message": "odd"}) == "a"


@pytest.mark.parametrize(("warnings", "text"), [(0, "ok"), (1, "ok with 1 warning"), (2, "ok with 2 warnings")])
def test_how_a_run_went(warnings, text):
    """In a word."""
    assert outcome(warnings) == text
