import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from support.searches import SPACE, make_search, make_trial

from job.train.train_settings import Range
from job.train.tune.search_page import findings, search_page


class _Tables(HTMLParser):
    """The rows of each table by its label, the figures' titles, and every tag."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.tags, self.label, self.cell = {}, [], None, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "div" and dict(attributes).get("class") == "wide":
            self.label = dict(attributes)["aria-label"]
            self.tables[self.label] = []
        elif tag == "tr":
            self.tables[self.label].append([])
        elif tag in {"td", "th"}:
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self.tables[self.label][-1].append(re.sub(r"\s+", " ", self.cell).strip())
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def test_the_page_has_every_trial_from_the_best():
    """With its rank, the mean and deviation of its folds, and its settings."""
    rows = _Tables(search_page(make_search())).tables["All trials"]
    assert rows[0] == ["rank", "trial", "accuracy", "hidden", "learning rate", "epochs", "parameters", "seconds"]
    assert [row[1] for row in rows[1:]] == ["5", "default", "4", "2", "6", "1", "3"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "2", "4", "5", "6", "7"]
    assert rows[1] == ["1", "5", "94.50 % ± 0.50", "128-128", "0.003", "10", "1,005", "3.0"]
    assert rows[-1][2] == "diverged"


def test_the_best_is_compared_with_the_default():
    """And the command trains it."""
    page = search_page(make_search())
    text = re.sub(r"\s+", " ", re.sub(r"<.*?>", " ", page))
    assert "Best of 7 trials: 94.50 % of 400 images in 2 folds classified correctly" in text
    assert "2.00 percentage points more than the default" in text
    assert "<code>digit-job train --data in/a.csv --settings /out/search/best.json</code>" in page
    default = re.sub(r"\s+", " ", re.sub(r"<.*?>", " ", search_page(make_search(best=0))))
    assert "the recipe's own settings" in default
    assert "No trial is better than the default" in default


def test_a_grid_of_two_settings_is_a_heat_map():
    """By row and column; the best has the darkest colour. Other searches have none."""
    page = search_page(make_search())
    rows = _Tables(page).tables["Accuracy by two settings"]
    assert rows == [
        ["hidden", "0.001", "0.003", "0.01"],
        ["64", "77.50 ± 2.50", "90.50 ± 0.50", "diverged"],
        ["128-128", "92.50 ± 0.00", "94.50 ± 0.50", "85.50 ± 0.50"],
    ]
    assert re.findall(r'class="(right\d)">94.50', page) == ["right6"]
    assert re.findall(r'class="(right\d)">77.50', page) == ["right0"]
    assert "Accuracy by two settings" not in search_page(make_search(search="random"))
    assert "Accuracy by two settings" not in search_page(make_search({**SPACE, "epochs": (10, 20)}))


@pytest.mark.parametrize("rates", [SPACE["learning-rate"], Range(0.0001, 0.01, is_log=True), Range(0.0, 0.1)])
def test_each_setting_is_a_plot_of_all_trials(rates):
    """A dot for each that did not diverge, with its name; the best is emphasised, the default has its own colour."""
    page = search_page(make_search({**SPACE, "learning-rate": rates}))
    for name in ("hidden", "learning rate"):
        drawn = re.search(rf"<svg(?:(?!</svg>).)*<title[^>]*>Accuracy by {name}</title>.*?</svg>", page, re.DOTALL)[0]
        dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="3.5" class="([\w ]+)"><title>(\w+): ', drawn)
        assert sorted(each[3] for each in dots) == ["1", "2", "4", "5", "6", "default"]
        assert [each[3] for each in dots if each[2] == "dot first"] == ["5"]
        assert [each[3] for each in dots if each[2] == "expected"] == ["default"]
        assert all(0 < float(x) < 360 and 0 < float(y) < 250 for x, y, _, _ in dots)
    best, worst = (next(each for each in dots if each[3] == number) for number in ("5", "1"))
    if isinstance(rates, Range):
        assert float(best[1]) < float(worst[1])
    else:
        assert float(best[0]) > float(worst[0])


def test_settings_with_one_choice_have_no_plot():
    """There is nothing to see."""
    page = search_page(make_search({**SPACE, "hidden": ((64,),)}))
    assert "Accuracy by hidden" not in page
    assert "Accuracy by learning rate" in page


def test_what_needs_attention_is_found():
    """A best value at the end of its range, and trials that diverged."""
    assert [each.text for each in findings(make_search())] == ["1 trial diverged", "Cross-validated in 2 folds"]
    at_the_end = {**SPACE, "learning-rate": (0.0001, 0.001, 0.003)}
    assert findings(make_search(at_the_end))[0].text == "Learning rate 0.003 is the highest choice"
    near = {**SPACE, "learning-rate": Range(0.0001, 0.00301, is_log=True)}
    assert findings(make_search(near))[0].text == "Learning rate 0.003 is near the end of its range"
    two = {**SPACE, "learning-rate": (0.001, 0.003)}
    assert findings(make_search(two))[0].text == "1 trial diverged"


def test_everything_from_outside_is_escaped():
    """Names of files come from anybody; the page has no scripts and loads nothing."""
    name = '"><script>alert(1)</script>&.csv'
    page = search_page(replace(make_search(), sources=(name,), path=f"/out/{name}", warning=name))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    tags = _Tables(page).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object"}
    policy = next(each["content"] for tag, each in tags if each.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert all(each["href"].startswith("#") for tag, each in tags if tag == "a")
    assert "in\x1b" not in search_page(replace(make_search(), sources=("in\x1b[31m.csv",)))


@pytest.mark.parametrize("right", [[200], [0], [20]])
def test_extreme_accuracies_are_drawn(right):
    """All right, all wrong, as good as chance; a single fold and a single trial."""
    trials = (make_trial(0, [64], 0.001, *right),)
    page = search_page(make_search(trials=trials, best=0, folds=1))
    assert page.count("<circle") == 2
    assert "nan" not in page.partition("<main>")[2].lower()
