from support.reports import MODEL, make_report

from job.report.findings import findings, verdict


def _texts(report):
    return {each.text: each.is_fine for each in findings(report)}


def test_a_run_like_the_models_own_test_has_no_problems():
    """And the verdict says so."""
    report = make_report(model={**MODEL, "test_accuracy": make_report()["accuracy"]})
    found = findings(report)
    assert all(each.is_fine for each in found)
    assert verdict(report, found).endswith("labelled rows classified correctly; no problems found.")


def test_accuracy_is_compared_with_the_models_own_test():
    """Worse if the test accuracy is above the interval, better if it is below, the same if it is within."""
    low, high = make_report()["accuracy_95"]
    for accuracy, start, is_fine in ((high + 0.001, "Less", False), (low - 0.01, "More", True), (low, "As", True)):
        found = _texts(make_report(model={**MODEL, "test_accuracy": accuracy}))
        assert [fine for text, fine in found.items() if text.startswith(start)] == [is_fine]


def test_findings_that_need_attention_come_first_and_are_counted():
    """Rejects, bad labels, warnings, the model's warning, and drift."""
    report = make_report(
        rows=3000, has_labels=False, shift=0.5, bad_labels=2, warnings=[{"path": "a", "message": "b"}],
        model={**MODEL, "warning": "stand-in"},
    )  # fmt: skip
    report["rows"] = {"read": 3000, "scored": 2988, "rejected": 12, "skipped": 0}
    found = findings(report)
    assert [each.text for each in found] == [
        "The model has a warning", "12 records rejected (0.40 %)", "2 labels could not be read",
        "1 warning about the input", "Unlike the training images: large shift of ink, large shift of intensity",
    ]  # fmt: skip
    expected = "2,988 rows scored, without labels to check them against; 5 findings need attention."
    assert verdict(report, found) == expected


def test_one_file_that_drifted_among_many_is_found():
    """Although all rows together are like the training images."""
    report = make_report(rows=3000)
    report["drift"]["inputs"][1]["ink"] = 0.9
    assert _texts(report)["1 file unlike the training images"] is False


def test_verdict_without_scored_rows():
    """The input has no rows, or none could be scored."""
    report = make_report(rows=0)
    assert verdict(report, findings(report)) == "Nothing to score: the input has no rows."
    report["rows"] = {"read": 5, "scored": 0, "rejected": 5, "skipped": 0}
    assert verdict(report, findings(report)) == "None of 5 rows could be scored."
