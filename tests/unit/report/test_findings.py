from support.reports import MODEL, make_report

from job.report.findings import findings, verdict


def _texts(report):
    return {each.text: each.is_fine for each in findings(report)}


def test_a_run_like_the_models_own_test_has_nothing_odd():
    """Then the verdict says so."""
    report = make_report(model={**MODEL, "test_accuracy": make_report()["accuracy"]})
    found = findings(report)
    assert all(each.is_fine for each in found)
    assert verdict(report, found).endswith("were predicted right; nothing odd was seen.")


def test_a_model_that_does_worse_than_on_its_own_test_is_found_out():
    """Where its test accuracy lies above the interval; below it is better, within it the same."""
    low, high = make_report()["accuracy_95"]
    for accuracy, start, is_fine in ((high + 0.001, "Less", False), (low - 0.01, "More", True), (low, "As", True)):
        found = _texts(make_report(model={**MODEL, "test_accuracy": accuracy}))
        assert [fine for text, fine in found.items() if text.startswith(start)] == [is_fine]


def test_what_is_to_look_into_comes_first_and_is_counted():
    """Rejects, labels, warnings, the model's warning, and drift."""
    report = make_report(
        rows=3000, has_labels=False, shift=0.5, bad_labels=2, warnings=[{"path": "a", "message": "b"}],
        model={**MODEL, "warning": "stand-in"},
    )  # fmt: skip
    report["rows"] = {"read": 3000, "scored": 2988, "rejected": 12}
    found = findings(report)
    assert [each.text for each in found] == [
        "The model comes with a warning", "12 records rejected (0.40 %)", "2 labels could not be read",
        "1 warning about the input", "Unlike the training images: large shift of ink, large shift of intensity",
    ]  # fmt: skip
    assert verdict(report, found).endswith(
        "2,988 rows were scored, without labels to judge them by; 5 things to look into."
    )


def test_one_file_that_drifted_among_many_is_found():
    """Though all rows together are like the training images."""
    report = make_report(rows=3000)
    report["drift"]["inputs"][1]["ink"] = 0.9
    assert _texts(report)["1 file unlike the training images"] is False


def test_nothing_to_judge():
    """No rows, or none that could be scored."""
    report = make_report(rows=0)
    assert verdict(report, findings(report)) == "There was nothing to score: the input has no rows."
    report["rows"] = {"read": 5, "scored": 0, "rejected": 5}
    assert verdict(report, findings(report)) == "None of 5 rows could be scored."
