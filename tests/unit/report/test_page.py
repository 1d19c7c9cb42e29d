import json
import re
from html.parser import HTMLParser

import jinja2
import pytest
from support.reports import LATER, MODEL, earlier, make_promise, make_report

from job.contract import Reason, Reject
from job.report.page import MAX_INPUTS, render
from job.report.words import percent

VOID = {"meta", "br", "hr", "img", "link", "wbr"}
TIMINGS = {"started": "2026-11-25T22:51:44.123456+00:00", "score_seconds": 2.5, "scored_rows": 1000}
EVIL = "<script>alert(1)</script>&\"'.csv"


class _Checker(HTMLParser):
    """Collects tags, attributes and text, and fails where an element is not closed in its place."""

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


def _plots(page):
    return re.findall(r"<svg class=\"plot\".*?</svg>", page, re.DOTALL)


# How to make each kind of report.
REPORTS = {
    "labels": make_report,
    "no labels": lambda: make_report(has_labels=False),
    "no rows": lambda: make_report(rows=0),
    "one row": lambda: make_report(rows=1, files=1),
    "all problems": lambda: make_report(
        shift=0.7,
        rejected_by_reason={"out_of_range": 1},
        reject_examples=[{"path": "a.csv", "row": 1, "line": None, "reason": "out_of_range", "detail": "300"}],
        warnings=[{"path": "a.csv", "message": "each image is one even shade"}],
    ),
    "of an earlier version": lambda: earlier(make_report()),
    "of an earlier version, no labels": lambda: earlier(make_report(has_labels=False)),
    "promise": lambda: make_report(promise=make_promise()),
    "promise withdrawn, no labels": lambda: make_report(
        has_labels=False, promise=make_promise(is_withdrawn=True, labelled=0, wrong=None, error=None, error_95=None)
    ),
    "later keys are null": lambda: make_report(**dict.fromkeys(LATER)),
}


@pytest.fixture(scope="module")
def report():
    """A report with labels; treat as read-only."""
    return make_report()


@pytest.fixture(scope="module")
def page(report):
    return render(report)


@pytest.fixture(scope="module")
def text(page):
    return _parsed(page).text


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_page_is_well_formed_and_self_contained(make):
    """No script, no network, and links within the page only; the same content gives the same bytes."""
    report = make()
    page = render(report, TIMINGS)
    assert page == render(json.loads(json.dumps(report)), TIMINGS)
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


def test_only_one_line_has_timings(report):
    """The pages of two runs differ in the marked line, and a page without timings lacks only that line."""
    pages = [render(report, each).splitlines() for each in (TIMINGS, {**TIMINGS, "score_seconds": 99.0}, None)]
    others = [[line for line in page if "data-wall-clock" not in line] for page in pages]
    assert others[0] == others[1] == others[2]
    assert [len(page) - len(rest) for page, rest in zip(pages, others, strict=True)] == [1, 1, 0]


def test_timings(report):
    """When a run started, how long it took and its throughput; for a resumed run, those of its own rows."""
    assert "2.50 s 400 rows/s; started 2026-11-25 22:51:44 UTC" in _text(report, TIMINGS)
    resumed = _text(report, {**TIMINGS, "scored_rows": 250})
    assert "100 rows/s for 250 rows; an earlier run scored the others" in resumed


def test_sections(report, page):
    """The verdict comes first; the contents link to every section."""
    headings = re.findall(r"<h[12].*?>(.*?)</h[12]>", page)
    assert headings[0].startswith(percent(report["accuracy"]))
    assert headings[1:] == [
        "Summary", "Accuracy and confidence", "Predictions as they come", "Mistakes", "Input data",
        "Reproduce this run",
    ]  # fmt: skip
    contents = re.search("<nav.*?</nav>", page, re.DOTALL)[0]
    assert re.findall("<a.*?>(.*?)</a>", contents) == headings[1:]


def test_page_has_the_figures_of_the_report(report, text):
    """Accuracy, interval and the other headline figures, formatted."""
    low, high = report["accuracy_95"]
    assert f"{percent(report['accuracy'])} of 1,000 labelled rows classified correctly" in text
    assert f"95 % interval {percent(low)} to {percent(high)} (Wilson), 1,000 labelled rows" in text
    assert f"top-2 accuracy {percent(report['top2_accuracy'])}" in text
    assert f"log loss {report['log_loss']:.4f}" in text
    assert f"macro F1 {report['macro_f1']:.4f}" in text
    assert f"calibration error {percent(report['calibration']['ece'])}" in text


def test_page_shows_the_whole_confusion_matrix(report, page):
    """Every cell has its count and its percentage of the row; an empty one shows a dot."""
    table = re.search(r'<table class="matrix".*?</table>', page, re.DOTALL)[0]
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


def test_a_matrix_of_large_counts_is_wider(report, page):
    """From 10,000 on, so that counts fit into cells on a phone, where the table scrolls."""
    large = [[cell * 1000 for cell in line] for line in report["confusion_matrix"]]
    assert 'class="matrix large"' in render({**report, "confusion_matrix": large})
    assert 'class="matrix"' in page


def test_page_lists_every_class(report, text):
    """Precision, recall, F1 and support of each digit, in this order."""
    for name, each in report["per_class"].items():
        assert f"{name} {each['precision']:.4f} {each['recall']:.4f} {each['f1']:.4f} {each['support']:,}" in text


def test_plots_describe_what_they_show(report, page):
    """Each plot has a title and a description with its figures, for readers who cannot see it."""
    plots = _plots(page)
    titles = [re.search(r"<title.*?>(.*?)</title>", each)[1] for each in plots]
    assert titles == [
        "Accuracy and its 95 % interval", "Calibration: accuracy by confidence", "Rows by confidence",
        "Errors by coverage", "Predicted digits", "Ink: mean pixel value of an image", "Intensity: pixels by value",
    ]  # fmt: skip
    assert all(re.search(r"<desc.*?>.*\d.*</desc>", each) for each in plots)
    last = report["calibration"]["bins"][-1]
    assert f"of {last['count']:,} at {percent(last['confidence'])}: {percent(last['accuracy'])}" in plots[1]


def test_page_without_labels():
    """Instead of figures that need labels: predictions beside training, and an estimate with its range."""
    report = make_report(has_labels=False)
    checker = _parsed(render(report))
    assert "1,000 rows scored, without labels to check them against" in checker.text
    assert "Estimated accuracy ≈ 96.10 % 93.30 % to 98.40 %, from confidences" in checker.text
    assert "The accuracy is about 96.10 % (93.30 % to 98.40 %), estimated without labels. On held-out" in checker.text
    assert "this input training images" in checker.text
    assert "Uncertain predictions" in checker.text
    assert "Confusion matrix" not in checker.text
    assert "Surest mistakes" not in checker.text


def test_page_with_an_estimate_that_is_not_to_be_trusted():
    """No figure stands in the place of the accuracy, not even the mean confidence; the page says why."""
    none = dict.fromkeys(["estimated_accuracy", "estimated_accuracy_range"])
    report = make_report(has_labels=False, **none, estimated_accuracy_withheld="the predicted digits have drifted")
    text = _parsed(render(report)).text
    assert "Accuracy unknown An estimate is not to be trusted here, because the predicted digits have drifted." in text
    assert "≈" not in text
    assert f"a mean confidence of {percent(report['mean_confidence'])} says nothing here" in text


def test_pages_of_earlier_reports_have_no_estimate():
    """What they call by that name is the mean confidence."""
    report = make_report(has_labels=False, estimated_accuracy=0.875)
    for key in ("mean_confidence", "estimated_accuracy_range", "estimated_accuracy_withheld"):
        del report[key]
    text = _parsed(render(report)).text
    assert "The mean confidence is 87.50 %." in text
    assert "stimated" not in text


def test_mistakes_are_pictures_with_their_place(report, page, text):
    """Each example is an image with file, row, label, prediction and confidence, also in words for screen readers."""
    pictures = re.findall(r'<img src="data:image/png;base64,[^"]+" width="56" height="56" alt="([^"]+)"', page)
    examples = report["examples"]
    pairs = [each for pair in examples["confused_pairs"] for each in pair["examples"]]
    ordinary = [each for digit in examples["by_prediction"] for each in digit["examples"]]
    shown = [*ordinary, *examples["sure_mistakes"], *pairs, *examples["unsure"]]
    assert pictures == [
        f"A {each['label']}, predicted as {each['prediction']} with {percent(each['confidence'])} confidence, "
        f"row {each['row']} of {each['path']}"
        for each in shown
    ]
    assert len(pictures) <= 140
    first = examples["sure_mistakes"][0]
    caption = (
        f"label {first['label']} → prediction {first['prediction']} {percent(first['confidence'])} {first['path']} row"
    )
    assert caption in text
    pair = examples["confused_pairs"][0]
    assert re.search(rf"{pair['label']} predicted as {pair['prediction']} {pair['count']} times?", text)


@pytest.mark.parametrize("has_labels", [True, False])
def test_predictions_are_shown_as_they_come(has_labels):
    """The first rows of each predicted digit, with how many there are, and how to look one up; without labels, too."""
    report = make_report(has_labels=has_labels)
    section = re.search(r'<section aria-labelledby="predictions">.*?</section>', render(report), re.DOTALL)[0]
    headings = re.findall(r"<h3>Predicted as (\d) <span class=\"soft\">([\d,]+) rows?</span>", section)
    assert headings == [(str(digit), f"{count:,}") for digit, count in enumerate(report["predicted_counts"]) if count]
    assert section.count("<img") == sum(min(4, count) for count in report["predicted_counts"])
    assert "<code>digit-job show FILE --row N</code> shows one" in section


def test_a_report_without_such_rows_has_no_section_for_them():
    """One of an earlier version, and one without a prediction."""
    report = make_report()
    del report["examples"]["by_prediction"]
    for each in (report, earlier(report), make_report(rows=0)):
        page = render(each)
        assert "Predictions as they come" not in page
        assert "#predictions" not in page


def test_rejects_are_counted_by_reason(text):
    """With examples, bad labels separately, and with the folder that lists all of them."""
    rejects = [Reject(3, Reason.NOT_A_NUMBER, "pixel1 is 'x'", line=5), Reject(4, Reason.BAD_LABEL, "label is 11")]
    examples = [
        {"path": "in/a.csv", "row": each.row, "line": each.line, "reason": each.reason.value, "detail": each.detail}
        for each in rejects
    ]
    found = _text(make_report(rejected_by_reason={"not_a_number": 1}, bad_labels=1, reject_examples=examples))
    assert "not_a_number 1" in found
    assert "bad_label (scored, but not counted in the accuracy) 1" in found
    assert "not_a_number in/a.csv line 5 pixel1 is 'x'" in found
    assert "bad_label in/a.csv row 4 label is 11" in found
    assert "The folder rejects lists every rejected record with its position and text." in found
    assert "Rejected records" in found
    assert "Rejected records" not in text


def test_skipped_lines_are_counted_apart():
    """In the tile of what was read, and by reason; a report of an earlier version has none."""
    report = make_report(rejected_by_reason={}, skipped_by_reason={"repeated_header": 3}, bad_labels=0)
    report["rows"] = {"read": 12, "scored": 9, "rejected": 0, "skipped": 3}
    found = _text(report)
    assert "3 skipped (no records)" in found
    assert "repeated_header (skipped: no record) 3" in found
    del report["rows"]["skipped"], report["skipped_by_reason"]
    assert "skipped" not in _text(report)


def test_drift_of_each_file():
    """Its index for digits, ink and intensity, and what that means; the file with the largest drift comes first."""
    report = make_report(rows=3000, shift=0.5)
    text = _text(report)
    last = report["drift"]["inputs"][-1]
    assert f"{last['path']} 1,000 {last['predicted']:.4f} no shift {last['ink']:.4f} large shift" in text
    assert "Unlike the training images: large shift of ink" in text
    assert text.index(f"{last['path']} 1,000 {last['predicted']:.4f}") < text.index(
        f"{report['inputs'][0]['path']} 1,000 {report['drift']['inputs'][0]['predicted']:.4f}"
    )
    assert "Lewis 1994, Siddiqi 2006" in text


def test_how_to_reproduce_the_run(text):
    """Command, settings, versions and fingerprint are on the page."""
    assert "digit-job score --input in --output results --model build/model" in text
    assert "threads 2" in text
    assert "numpy 2.3.5" in text
    assert "fingerprint of inputs, model and settings " + "0f" * 32 in text


def test_numbers_are_readable():
    """Large counts have thousands separators."""
    rows = {"read": 1_234_567, "scored": 1_234_567, "rejected": 0, "skipped": 0}
    assert "1,234,567" in _text(make_report(rows=10) | {"rows": rows})


def test_a_warning_about_the_model_is_at_the_top():
    """Such as one about stand-in training data."""
    page = render(make_report(model={**MODEL, "warning": "trained on optdigits, not on MNIST"}))
    assert "Warning about the model: trained on optdigits, not on MNIST" in _parsed(page).text
    assert page.index("Warning about the model:") < page.index("Summary</h2>")


def test_the_model_is_described(text):
    """Name, layers, recipe, training data, its own test accuracy, and digest."""
    assert "name dense-accurate layers 784-128-128-128-10 recipe accurate trained on mnist" in text
    assert "test accuracy 99.53 %" in text
    assert "digest " + "5e" * 32 in text


def test_of_many_inputs_the_worst_are_shown():
    """A page does not grow with the number of files; report.json has all."""
    inputs = [{"path": f"{index}.csv", "rows": 10, "rejected": 0, "accuracy": index / 1000} for index in range(999)]
    drift = {**make_report()["drift"], "inputs": [
        {"path": each["path"], "intensity": 0.0, "ink": 0.0, "predicted": 0.0} for each in inputs]}  # fmt: skip
    page = render(make_report(inputs=inputs[::-1], drift=drift))
    assert f"The {MAX_INPUTS} worst of 999" in _parsed(page).text
    assert "<code>0.csv</code>" in page
    assert "<code>998.csv</code>" not in page


def test_text_from_outside_is_escaped(report):
    """Names of files and models, and the content of records, never become markup."""
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
    for change in changes.values():
        checker = _parsed(render({**report, **change}))
        assert "script" not in checker.tags
        assert EVIL in checker.text


def test_a_report_that_lacks_a_key_is_an_error(report):
    """If every version has that key; nothing is left blank on the page."""
    with pytest.raises(jinja2.UndefinedError):
        render({name: value for name, value in report.items() if name != "top2_accuracy"})


def test_warnings_about_inputs():
    """With their path, escaped like everything else."""
    text = _text(make_report(warnings=[{"path": "in/<a>.csv", "message": "each image is one even shade"}]))
    assert "Warning: in/<a>.csv : each image is one even shade" in text.replace("csv:", "csv :")


def test_averages_are_below_the_classes():
    """As in scikit-learn's report; a report without them has the macro F1."""
    each = {"precision": 0.1234, "recall": 0.2345, "f1": 0.3456, "support": 1000}
    text = _text(make_report(averages={"macro": each, "weighted": each}))
    assert "macro average 0.1234 0.2345 0.3456 1,000 weighted average 0.1234" in text
    assert f"macro F1 {make_report()['macro_f1']:.4f} 1,000" in _text(make_report(averages=None))


def test_the_plot_of_ink_omits_empty_bins_at_both_ends(report, page):
    """Bins between others stay, even if they are empty."""
    plot = next(each for each in _plots(page) if "ink-plot" in each)
    description = re.search(r"<desc.*?>(.*?)</desc>", plot)[1]
    ink = report["drift"]["ink"]
    occupied = [
        edge
        for edge, shares in zip(ink["edges"], zip(ink["training"], ink["input"], strict=True), strict=True)
        if any(shares)
    ]
    assert description.startswith(f"{occupied[0]}:")
    assert f" {occupied[-1]}:" in description
    assert description.count(";") == ink["edges"].index(occupied[-1]) - ink["edges"].index(occupied[0])


def test_what_is_promised_stands_at_its_place():
    """The promise with its figures, a tile, and the run's point in the plot; nothing of it without the flag."""
    report = make_report(promise=make_promise())
    text, page = _text(report), render(report)
    assert "Accepted 930 93.00 % of rows scored; 70 to review; what is promised" in text
    assert report["promise"]["text"] in text
    assert "wrong among accepted 0.43 % of 930" in text
    assert "93.00 % of rows accepted, at most 1 % of them wrong, as promised below" in text
    assert "of the 93.00 % accepted, 0.43 %" in page
    assert "to review" not in _text(make_report())
    at = {each["error"]: each for each in report["risk_coverage"]["coverage_at"]}
    assert f"0.5 % {percent(at[0.005]['coverage'])} {at[0.005]['threshold']:.6f}" in text


def test_a_withdrawn_promise_needs_attention():
    """At the top and at its place; nothing claims the limit any more."""
    report = make_report(promise=make_promise(is_withdrawn=True))
    text = _text(report)
    assert text.count(report["promise"]["text"]) == 2
    assert "promise withdrawn" in text
    assert "as promised below" not in text
