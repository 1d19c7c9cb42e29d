import re
from html.parser import HTMLParser

import jinja2
import numpy as np
import pytest

from job.contract import Reason, Reject, ScoredBatch
from job.report.metrics import figures
from job.report.page import render
from job.report.tally import Tally

VOID = {"meta", "br", "hr", "img", "link"}


class _Checker(HTMLParser):
    """Notes tags and text, and fails where an element is not closed in its place."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " if tag in {"td", "th"} else ""

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def _parsed(page):
    checker = _Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    checker.text = re.sub(r"\s+", " ", checker.text)
    return checker


def _report(*, rows=200, has_labels=True, rejects=(), **more):
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, rows)
    shares = np.exp(random.normal(0, 1, (rows, 10)) + 4 * np.eye(10)[labels])
    probabilities = np.round(shares / shares.sum(axis=1, keepdims=True), 6).astype(np.float32)
    predictions = probabilities.argmax(axis=1).astype(np.int8)
    for reject in rejects:
        if reject.reason.is_fatal:
            predictions[reject.row], probabilities[reject.row] = -1, 0
    batch = ScoredBatch(predictions, probabilities, labels.astype(np.int8) if has_labels else None, tuple(rejects))
    model = {
        "digest": "d" * 64, "name": "linear", "recipe": None, "architecture": None, "data": None, "warning": None,
        "test_accuracy": None,
    }  # fmt: skip
    found = figures(Tally.of(batch))
    inputs = [{"path": "in/a.csv", "rows": rows, "rejected": len(rejects), "accuracy": found["accuracy"]}]
    return {**found, "inputs": inputs, "warnings": [], "model": model, **more}


REPORTS = {
    "labels": _report(),
    "no labels": _report(has_labels=False),
    "no rows": _report(rows=0),
    "rejects": _report(rejects=[Reject(0, Reason.NOT_A_NUMBER, ""), Reject(1, Reason.BAD_LABEL, "")]),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_page_is_whole_and_stands_alone(report):
    """Whatever the report, the page is well-formed HTML without script, link or network."""
    page = render(report)
    checker = _parsed(page)
    assert page.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe"} & set(checker.tags)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not {"src", "href"} & {name for name, _ in checker.attributes}
    assert "None" not in checker.text
    assert "nan" not in checker.text


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_same_report_same_bytes(report):
    """The page depends on the report alone."""
    assert render(report) == render(report)


def test_page_tells_the_figures_of_the_report():
    """Accuracy, interval and the other headline figures appear as in the report, readable."""
    report = _report()
    text = _parsed(render(report)).text
    low, high = report["accuracy_95"]
    assert f"{100 * report['accuracy']:.2f} % of 200 labelled rows were predicted right" in text
    assert f"interval {100 * low:.2f} % to {100 * high:.2f} %" in text
    for figure in ("top2_accuracy", "log_loss", "macro_f1"):
        value = report[figure]
        assert (f"{100 * value:.2f} %" if figure == "top2_accuracy" else f"{value:.4f}") in text
    assert f"{100 * report['calibration']['ece']:.2f} %calibration error" in text


def test_page_shows_the_whole_confusion_matrix():
    """Every cell is in the table, row by row; an empty one off the diagonal is a dot."""
    report = _report()
    table = re.search(r'<table class="matrix".*?</table>', render(report), re.DOTALL)[0]
    cells = [re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", table)]
    expected = [
        str(cell) if cell or row == column else "·"
        for row, line in enumerate(report["confusion_matrix"])
        for column, cell in enumerate(line)
    ]
    assert cells == expected


def test_page_lists_every_class():
    """Precision, recall, F1 and support of each digit are in the table."""
    report = _report()
    text = _parsed(render(report)).text
    for figure in report["per_class"].values():
        assert f"{figure['precision']:.4f}" in text
        assert f"{figure['recall']:.4f}" in text


def test_page_without_labels():
    """Without labels the page says so, and shows what was predicted and the estimated accuracy instead."""
    report = REPORTS["no labels"]
    checker = _parsed(render(report))
    assert "200 rows were scored, none of them with a label, so there is no accuracy to tell." in checker.text
    assert "Predicted digits" in checker.text
    assert f"mean confidence is {100 * report['estimated_accuracy']:.2f} %" in checker.text
    assert "Confusion matrix" not in checker.text


def test_page_tells_what_was_wrong():
    """Rejected records and bad labels are counted by reason, and where to find them is said."""
    text = _parsed(render(REPORTS["rejects"])).text
    assert "What was wrong with the data" in text
    assert "not_a_number 1" in text
    assert "bad_label (scored, but left out of the accuracy) 1" in text
    assert "What was wrong with the data" not in _parsed(render(REPORTS["labels"])).text


def test_numbers_are_readable():
    """Large counts have separators."""
    report = _report(rows_read=0)
    report["rows"] = {"read": 1_234_567, "scored": 1_234_567, "rejected": 0}
    assert "1,234,567" in _parsed(render(report)).text


def test_warning_about_the_model_cannot_be_overlooked():
    """A model that was trained on a stand-in says so at the top."""
    report = _report()
    report["model"] |= {"warning": "trained on optdigits, not on MNIST"}
    page = render(report)
    assert "Mind the model: trained on optdigits, not on MNIST" in _parsed(page).text
    assert page.index("Mind the model") < page.index("Confusion matrix")


def test_model_is_told():
    """Name, architecture, its own test accuracy with the data, and digest are on the page."""
    report = _report()
    report["model"] |= {"architecture": "dense", "test_accuracy": 0.9812, "data": "mnist"}
    text = _parsed(render(report)).text
    assert "linear, dense; 98.12 % on its own test split (mnist)" in text
    assert "digest " + "d" * 64 in text


@pytest.mark.parametrize("field", ["path", "name", "warning"])
def test_text_from_outside_is_escaped(field):
    """A file or model may be called anything: nothing of it becomes markup."""
    report, evil = _report(), "<script>alert(1)</script>&\"'.csv"
    if field == "path":
        report["inputs"][0]["path"] = evil
    else:
        report["model"][field] = evil
    checker = _parsed(render(report))
    assert "script" not in checker.tags
    assert evil in checker.text


def test_incomplete_report_is_an_error():
    """A key that is missing from the report is found out, not left blank on the page."""
    report = _report()
    del report["top2_accuracy"]
    with pytest.raises(jinja2.UndefinedError):
        render(report)


def test_warnings_about_inputs_stand_on_the_page():
    """What is odd about an input is told with its path, escaped like everything else."""
    checker = _parsed(render(_report(warnings=[{"path": "in/<a>.csv", "message": "each image is one even shade"}])))
    assert "Mind the input: in/<a>.csv: each image is one even shade" in checker.text
