from support.reports import MODEL, make_report

from job.report.findings import findings, run_warnings, verdict


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
        rows=3000, has_labels=False, shift=0.5, bad_labels=2, first_bad_label="cat",
        warnings=[{"path": "a", "message": "b"}], model={**MODEL, "warning": "stand-in", "test_accuracy": 0.8},
    )  # fmt: skip
    report["rows"] = {"read": 3000, "scored": 2988, "rejected": 12, "skipped": 0}
    found = findings(report)
    assert [each.text for each in found] == [
        "2 of 2 labels unreadable: first 'cat'; say what they mean with --label-map FILE", "The model has a warning",
        "12 records rejected (0.40 %)",
        "1 warning about the input", "Unlike the training images: large shift of ink, large shift of intensity",
    ]  # fmt: skip
    assert run_warnings(report) == [
        "model: stand-in", found[0].text, found[2].text, found[4].text,
    ]  # fmt: skip
    expected = "2,988 rows scored, without labels to check them against; 5 findings need attention."
    assert verdict(report, found) == expected


def test_one_file_that_drifted_among_many_is_found():
    """Although all rows together are like the training images."""
    report = make_report(rows=3000)
    report["drift"]["inputs"][1]["ink"] = 0.9
    assert _texts(report)["1 file unlike the training images"] is False


def test_files_sorted_by_label_are_not_unlike_the_training_images():
    """Their accuracy says more than their share of digits; without labels, the share is all there is."""
    report = make_report(rows=3000)
    report["drift"]["inputs"][1]["predicted"] = 3.0
    assert "1 file unlike the training images" not in _texts(report)
    unlabelled = make_report(rows=3000, has_labels=False)
    unlabelled["drift"]["inputs"][1]["predicted"] = 3.0
    assert _texts(unlabelled)["1 file unlike the training images"] is False


def test_one_file_of_poor_accuracy_among_many_is_found():
    """Although the run as a whole is as accurate as the model's own test; chance alone never makes one."""
    report = make_report(rows=3000)
    report["model"] = {**MODEL, "test_accuracy": report["accuracy"]}
    assert not any("less accurate than" in text for text in _texts(report))
    report["inputs"][1]["accuracy"] = 0.4
    text = "1 file less accurate than the model's own test images: in/2025/scans.csv (40.00 %)"
    assert _texts(report)[text] is False


def test_verdict_without_scored_rows():
    """The input has no rows, or none could be scored."""
    report = make_report(rows=0)
    assert verdict(report, findings(report)) == "Nothing to score: the input has no rows."
    report["rows"] = {"read": 5, "scored": 0, "rejected": 5, "skipped": 0}
    assert verdict(report, findings(report)) == "None of 5 rows could be scored."


def test_unlabelled_rows_of_which_the_model_is_unsure_are_found():
    """Upside-down digits, say. Few rows vary by chance."""
    unsure = make_report(has_labels=False, mean_confidence=0.85, model={**MODEL, "test_accuracy": 0.97})
    assert _texts(unsure)["Less sure (85.00 %) than right on the model's own test images (97.00 %)"] is False
    assert not any(text.startswith("Less sure") for text in _texts({**unsure, "mean_confidence": 0.95}))
    few = make_report(rows=30, has_labels=False, mean_confidence=0.85, model={**MODEL, "test_accuracy": 0.97})
    assert not any(text.startswith("Less sure") for text in _texts(few))


def test_a_withheld_accuracy_is_a_finding():
    """And no other finding or verdict is about it."""
    why = "labels look counted from 1"
    report = make_report(accuracy=None, accuracy_95=None, accuracy_withheld=why)
    found = findings(report)
    assert (found[0].text, found[0].is_fine) == (f"Accuracy withheld: {why}", False)
    assert "it is in doubt what their labels mean" in verdict(report, found)
