import json
import re
from html.parser import HTMLParser

import jinja2
import pytest
from support.reports import LATER, MODEL, earlier, make_report

from job.contract import Reason, Reject
from job.report.page import MOST_INPUTS, render
from job.report.words import percent

VOID = {"meta", "br", "hr", "img", "link", "wbr"}
TIMINGS = {"started": "2026-11-25T22:51:44.123456+00:00", "score_seconds": 2.5, "scored_rows": 1000}
EVIL = "<script>alert(1)</script>&\"'.csv"


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

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " if tag in {"td", "th", "h3", "p", "dt", "dd", "b", "span", "small", "li"} else ""

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


def _text(report, timings=None):
    return _parsed(render(report, timings)).text


def _drawn(page):
    return re.findall(r"<svg class=\"plot\".*?</svg>", page, re.DOTALL)


REPORTS = {
    "labels": make_report(),
    "no labels": make_report(has_labels=False),
    "no rows": make_report(rows=0),
    "one row": make_report(rows=1, files=1),
    "everything odd": make_report(
        shift=0.7,
        rejected_by_reason={"out_of_range": 1},
        reject_examples=[{"path": "a.csv", "row": 1, "line": None, "reason": "out_of_range", "detail": "300"}],
        warnings=[{"path": "a.csv", "message": "each image is one even shade"}],
    ),
    "of an earlier version": earlier(make_report()),
    "of an earlier version, no labels": earlier(make_report(has_labels=False)),
    "later keys are null": make_report(**dict.fromkeys(LATER)),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_page_is_whole_and_stands_alone(report):
    """Whatever the report, it is well-formed HTML without script or network; addresses are data or on the page."""
    page = render(report, TIMINGS)
    checker = _parsed(page)
    assert page.startswith("<!doctype html>")
    assert not {"script", "link", "iframe"} & set(checker.tags)
    assert not re.search(r"https?://|url\(|@import", page)
    ids = {value for name, value in checker.attributes if name == "id"}
    assert {value[1:] for name, value in checker.attributes if name == "href"} <= ids
    assert all(value.startswith("data:image/png;base64,") for name, value in checker.attributes if name == "src")
    assert len(ids) == sum(name == "id" for name, _ in checker.attributes)
    assert "None" not in checker.text
    assert "nan" not in checker.text


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_same_report_same_bytes(report):
    """The page depends on the report's content alone, as it comes back from the file, and on the timings."""
    assert render(report, TIMINGS) == render(json.loads(json.dumps(report)), TIMINGS)


def test_only_one_line_tells_the_time():
    """Two runs' pages differ in the line that is marked, and a page without timings lacks just that line."""
    report = make_report()
    pages = [render(report, each).splitlines() for each in (TIMINGS, {**TIMINGS, "score_seconds": 99.0}, None)]
    others = [[line for line in page if "data-wall-clock" not in line] for page in pages]
    assert others[0] == others[1] == others[2]
    assert [len(page) - len(rest) for page, rest in zip(pages, others, strict=True)] == [1, 1, 0]


def test_time_and_speed():
    """When a run began, how long it took and how fast it was; of one that resumed, what it did itself."""
    report = make_report()
    assert "2.50 s 400 rows/s; started 2026-11-25 22:51:44 UTC" in _text(report, TIMINGS)
    resumed = _text(report, {**TIMINGS, "scored_rows": 250})
    assert "100 rows/s for 250 rows, the others by a run before it" in resumed


def test_the_page_answers_in_the_order_in_which_one_asks():
    """The verdict; then what happened, whether to trust it, where it is wrong, what is odd, how to get it again."""
    page = render(make_report(), TIMINGS)
    headings = re.findall(r"<h[12].*?>(.*?)</h[12]>", page)
    assert headings[0].startswith(percent(make_report()["accuracy"]))
    assert headings[1:] == [
        "What happened", "Can it be trusted?", "Where it is wrong", "What is odd about the data",
        "How to get it again",
    ]  # fmt: skip


def test_page_tells_the_figures_of_the_report():
    """Accuracy, interval and the other headline figures appear as in the report, readable."""
    report = make_report()
    text = _text(report)
    low, high = report["accuracy_95"]
    assert f"{percent(report['accuracy'])} of 1,000 labelled rows were predicted right" in text
    assert f"95 % interval {percent(low)} to {percent(high)} (Wilson), of 1,000 labelled rows" in text
    assert f"top-2 accuracy {percent(report['top2_accuracy'])}" in text
    assert f"log loss {report['log_loss']:.4f}" in text
    assert f"macro F1 {report['macro_f1']:.4f}" in text
    assert f"calibration error {percent(report['calibration']['ece'])}" in text


def test_page_shows_the_whole_confusion_matrix():
    """Every cell has its count, and its share of the row in per cent; an empty one is a dot to look at."""
    report = make_report()
    table = re.search(r'<table class="matrix".*?</table>', render(report), re.DOTALL)[0]
    cells = [
        [each.strip() for each in re.findall(r">([^<]+)<", cell)]
        for row in re.findall(r"<tr>.*?</tr>", table)[1:]
        for cell in re.findall(r"<td.*?</td>", row)
    ]
    expected = [
        [f"{cell:,}", f"{100 * cell / sum(line):.1f}"] if cell or row == column else ["·", "0"]
        for row, line in enumerate(report["confusion_matrix"])
        for column, cell in enumerate(line)
    ]
    assert cells == expected


def test_page_lists_every_class():
    """Precision, recall, F1 and support of each digit are in the table, in this order."""
    report = make_report()
    text = _text(report)
    for name, each in report["per_class"].items():
        assert f"{name} {each['precision']:.4f} {each['recall']:.4f} {each['f1']:.4f} {each['support']:,}" in text


def test_plots_tell_what_they_show():
    """Each plot has a title and a description with its figures, for who cannot see it."""
    report = make_report()
    page = render(report)
    plots = _drawn(page)
    titles = [re.search(r"<title.*?>(.*?)</title>", each)[1] for each in plots]
    assert titles == [
        "Accuracy and its 95 % interval", "Calibration: share right by confidence", "Rows by confidence",
        "Predicted digits", "Ink: mean pixel value of an image", "Intensity: pixels by value",
    ]  # fmt: skip
    assert all(re.search(r"<desc.*?>.*\d.*</desc>", each) for each in plots)
    last = report["calibration"]["bins"][-1]
    assert f"of {last['count']:,} at {percent(last['confidence'])}: {percent(last['accuracy'])}" in plots[1]


def test_page_without_labels():
    """Without labels the page says so, and shows predictions beside training and an estimate with its assumption."""
    report = REPORTS["no labels"]
    checker = _parsed(render(report))
    assert "1,000 rows were scored, without labels to judge them by" in checker.text
    estimate = percent(report["estimated_accuracy"])
    assert f"Accuracy, an estimate ≈ {estimate}" in checker.text
    assert (
        f"Estimated accuracy: {estimate}. This is the mean confidence, an estimate under an assumption" in checker.text
    )
    assert "this input training images" in checker.text
    assert "Where it may be wrong" in checker.text
    assert "Confusion matrix" not in checker.text
    assert "surest mistakes" not in checker.text


def test_mistakes_are_pictures_with_their_place():
    """Each example is an image, with file, row, label, prediction and confidence in words, for all readers."""
    report = make_report()
    page = render(report)
    pictures = re.findall(r'<img src="data:image/png;base64,[^"]+" width="56" height="56" alt="([^"]+)"', page)
    examples = report["examples"]
    pairs = [each for pair in examples["confused_pairs"] for each in pair["examples"]]
    shown = [*examples["sure_mistakes"], *pairs, *examples["unsure"]]
    assert pictures == [
        f"A {each['label']}, taken for a {each['prediction']} at {percent(each['confidence'])}, "
        f"row {each['row']} of {each['path']}"
        for each in shown
    ]
    assert len(pictures) <= 100
    first = examples["sure_mistakes"][0]
    told = (
        f"label {first['label']} → prediction {first['prediction']} {percent(first['confidence'])} {first['path']} row"
    )
    assert told in _text(report)
    pair = examples["confused_pairs"][0]
    assert re.search(rf"{pair['label']} taken for {pair['prediction']} {pair['count']} times?", _text(report))


def test_page_tells_what_was_wrong():
    """Rejected records and bad labels are counted by reason, with examples, and where to find them all is said."""
    rejects = [Reject(3, Reason.NOT_A_NUMBER, "pixel1 is 'x'", line=5), Reject(4, Reason.BAD_LABEL, "label is 11")]
    examples = [
        {"path": "in/a.csv", "row": each.row, "line": each.line, "reason": each.reason.value, "detail": each.detail}
        for each in rejects
    ]
    text = _text(make_report(rejected_by_reason={"not_a_number": 1}, bad_labels=1, reject_examples=examples))
    assert "not_a_number 1" in text
    assert "bad_label (scored, but left out of the accuracy) 1" in text
    assert "not_a_number in/a.csv line 5 pixel1 is 'x'" in text
    assert "bad_label in/a.csv row 4 label is 11" in text
    assert "listed with its place and text in the folder rejects" in text
    assert "What could not be read" not in _text(make_report())


def test_drift_is_told_by_file_in_plain_words():
    """Each file has its index for digits, ink and intensity, and what it means; the farthest file is first."""
    report = make_report(rows=3000, shift=0.5)
    text = _text(report)
    last = report["drift"]["inputs"][-1]
    assert f"{last['path']} 1,000 {last['predicted']:.4f} no shift {last['ink']:.4f} large shift" in text
    assert "Unlike the training images: large shift of ink" in text
    assert text.index(f"{last['path']} 1,000 {last['predicted']:.4f}") < text.index(
        f"{report['inputs'][0]['path']} 1,000 {report['drift']['inputs'][0]['predicted']:.4f}"
    )
    assert "Lewis 1994, Siddiqi 2006" in text


def test_how_to_get_it_again():
    """The command, the settings that were made, the versions and the fingerprint are on the page."""
    text = _text(make_report())
    assert "digit-job score --input in --output results --model build/model" in text
    assert "threads 2" in text
    assert "numpy 2.3.5" in text
    assert "fingerprint of inputs, model and settings " + "0f" * 32 in text


def test_numbers_are_readable():
    """Large counts have separators."""
    rows = {"read": 1_234_567, "scored": 1_234_567, "rejected": 0}
    assert "1,234,567" in _text(make_report(rows=10) | {"rows": rows})


def test_warning_about_the_model_cannot_be_overlooked():
    """A model that was trained on a stand-in says so at the top."""
    page = render(make_report(model={**MODEL, "warning": "trained on optdigits, not on MNIST"}))
    assert "Mind the model: trained on optdigits, not on MNIST" in _parsed(page).text
    assert page.index("Mind the model") < page.index("What happened</h2>")


def test_model_is_told():
    """Name, network, its own test accuracy with the data, and digest are on the page."""
    text = _text(make_report())
    assert "name dense-accurate network 784-128-128-128-10 recipe accurate trained on mnist" in text
    assert "its own test accuracy 99.53 %" in text
    assert "digest " + "5e" * 32 in text


def test_of_many_inputs_the_worst_are_shown():
    """A page does not grow with the number of files; the rest are in report.json."""
    inputs = [{"path": f"{index}.csv", "rows": 10, "rejected": 0, "accuracy": index / 1000} for index in range(999)]
    drift = {**make_report()["drift"], "inputs": [
        {"path": each["path"], "intensity": 0.0, "ink": 0.0, "predicted": 0.0} for each in inputs]}  # fmt: skip
    page = render(make_report(inputs=inputs[::-1], drift=drift))
    assert f"The {MOST_INPUTS} that went worst, of 999" in _parsed(page).text
    assert "<code>0.csv</code>" in page
    assert "<code>998.csv</code>" not in page


@pytest.mark.parametrize("field", ["path", "name", "warning", "detail", "command", "example", "message"])
def test_text_from_outside_is_escaped(field):
    """A file, a model or a record may say anything: nothing of it becomes markup."""
    report = make_report()
    reject = {"path": EVIL, "row": 1, "line": None, "reason": "not_a_number", "detail": EVIL}
    changes = {
        "path": {"inputs": [{**each, "path": EVIL} for each in report["inputs"][:1]], "drift": None},
        "name": {"model": {**MODEL, "name": EVIL}},
        "warning": {"model": {**MODEL, "warning": EVIL}},
        "detail": {"rejected_by_reason": {"not_a_number": 1}, "reject_examples": [reject]},
        "command": {"run": {**report["run"], "command": EVIL, "settings": {"keep": [EVIL]}}},
        "example": {"examples": {**report["examples"], "unsure": [{**report["examples"]["unsure"][0], "path": EVIL}]}},
        "message": {"warnings": [{"path": EVIL, "message": EVIL}]},
    }
    checker = _parsed(render({**report, **changes[field]}))
    assert "script" not in checker.tags
    assert EVIL in checker.text


def test_incomplete_report_is_an_error():
    """A key that every version has is found out where it is missing, not left blank on the page."""
    report = make_report()
    del report["top2_accuracy"]
    with pytest.raises(jinja2.UndefinedError):
        render(report)


def test_warnings_about_inputs_stand_on_the_page():
    """What is odd about an input is told with its path, escaped like everything else."""
    text = _text(make_report(warnings=[{"path": "in/<a>.csv", "message": "each image is one even shade"}]))
    assert "Mind the input: in/<a>.csv : each image is one even shade" in text.replace("csv:", "csv :")


def test_averages_stand_below_the_classes():
    """As in scikit-learn's report; a report that has none has the mean F1."""
    each = {"precision": 0.1234, "recall": 0.2345, "f1": 0.3456, "support": 1000}
    text = _text(make_report(averages={"macro": each, "weighted": each}))
    assert "macro average 0.1234 0.2345 0.3456 1,000 weighted average 0.1234" in text
    assert f"macro F1 {make_report()['macro_f1']:.4f} 1,000" in _text(make_report(averages=None))


def test_ink_is_drawn_where_there_is_any():
    """Without the empty bins at both ends."""
    report = make_report()
    drawn = next(each for each in _drawn(render(report)) if "ink-plot" in each)
    described = re.search(r"<desc.*?>(.*?)</desc>", drawn)[1]
    ink = report["drift"]["ink"]
    told = [
        edge
        for edge, shares in zip(ink["edges"], zip(ink["training"], ink["input"], strict=True), strict=True)
        if any(shares)
    ]
    assert described.startswith(f"{told[0]}:")
    assert f" {told[-1]}:" in described
    assert described.count(";") == told.index(told[-1]) - told.index(told[0])
