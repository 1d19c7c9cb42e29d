"""The reports in Chromium: at desktop and phone width, in light and dark mode, and printed.

The tests save screenshots of every page in build/screenshots.
"""

import base64
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from sklearn.datasets import load_digits
from support.files import write_csv
from support.reports import MODEL, earlier, grown, make_card, make_promise, make_report
from support.runs import score
from support.scored import scored_batch
from support.searches import make_search

from job.prepare.prepare_page import prepare_page
from job.prepare.prepare_settings import PrepareSettings
from job.prepare.prepared_part import Example, PreparedCounts, thumbnail
from job.report.examples import Examples
from job.report.page import render
from job.report.review_rows import contact_sheet, review_rows
from job.settings import ReadSettings, RejectLimit
from job.storage import LocalStorage
from job.train.card.training_page import training_page
from job.train.data.labelled_files import read_labelled
from job.train.data.split import Split
from job.train.tune.search_page import search_page

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
WIDTHS = {"desktop": 1280, "phone": 360}
TIMINGS = {"started": "2026-11-25T22:51:44.123456+00:00", "score_seconds": 2.5, "scored_rows": 3000}
# No background activity, such as update checks.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
LONG = "a-long-name-without-a-place-to-break-it-" * 4 + ".csv"
REJECTS = [
    {
        "path": "in/2025/scans.csv",
        "row": 12,
        "line": 14,
        "reason": "out_of_range",
        "detail": "pixel17 is 300, expected 0-255",
    },
    {
        "path": LONG,
        "row": 19,
        "line": None,
        "reason": "too_few_fields",
        "detail": "783 values, expected 785" + "9" * 200,
    },
]
WARNINGS = [{"path": LONG, "message": "the digits are dark on white; expected light ink on a dark background"}]


def _training_page():
    digits = load_digits()
    random = np.random.default_rng(0)
    pixels, labels = grown(digits.images[:900]), digits.target[:900].astype(np.int8)
    shares = np.exp(random.normal(0, 1.9, (900, 10)) + 7.5 * np.eye(10)[labels])
    probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return training_page(make_card(probabilities, labels), "5e" * 32, probabilities, Split(pixels, labels))


def _sheet():
    random = np.random.default_rng(0)
    digits = load_digits()
    batch = scored_batch(random, 60, rejected=0)
    rows = review_rows(Examples.of(batch, grown(digits.images[:60])), [LONG], 40, are_labels_judged=True)
    return contact_sheet([replace(each, id="scan 1/a digit.png") for each in rows])


def _prepare_page(names=("3/IMG_0001.jpg", f"3/{LONG}", "<b>.png"), rejects=()):
    digits = load_digits()
    random = np.random.default_rng(0)
    grey = random.integers(180, 220, (90, 60)).astype(np.uint8)
    pictures = [
        Example(name, label, "3000x4000", thumbnail(grey), (pixels.tobytes(),))
        for name in names
        for label, pixels in zip((None, *digits.target[:10].tolist()), grown(digits.images[:11]), strict=True)
    ]
    sizes = Counter({f"{width}x4000": width for width in range(3000, 3020)})
    counts = PreparedCounts(33 + len(rejects), len(rejects), 33, Counter({"JPEG RGB": 33}), sizes, Counter({"3": 33}))
    settings = PrepareSettings(("scans",), "digits.parquet", max_rejects=RejectLimit.parse("1%"))
    return prepare_page(f"/data/{LONG}/digits.parquet", settings, counts, pictures, rejects)


def _with_problems():
    """A report with all kinds of warnings, rejects and drift, and a path without line break opportunities."""
    report = make_report(
        rows=3000, shift=0.6, warnings=WARNINGS, bad_labels=2, reject_examples=REJECTS,
        rejected_by_reason={"out_of_range": 7, "too_few_fields": 5}, model={**MODEL, "warning": "not MNIST"},
    )  # fmt: skip
    report["inputs"][0]["path"] = report["drift"]["inputs"][0]["path"] = LONG
    report["examples"]["unsure"][0]["path"] = LONG
    report["run"]["command"] += f" --input {LONG}"
    return report


PAGES = {
    "labels": lambda: render(make_report(rows=10_000), TIMINGS),
    "promise": lambda: render(make_report(promise=make_promise()), TIMINGS),
    "no-labels": lambda: render(make_report(rows=10_000, has_labels=False, shift=0.2), TIMINGS),
    "withdrawn": lambda: render(
        make_report(has_labels=False, promise=make_promise(is_withdrawn=True, labelled=0, error=None)), TIMINGS
    ),
    "problems": lambda: render(_with_problems(), TIMINGS),
    "earlier": lambda: render(earlier(make_report())),
    "empty": lambda: render(make_report(rows=0), TIMINGS),
    "training": _training_page,
    "search": lambda: search_page(make_search()),
    "sheet": _sheet,
    "prepare": _prepare_page,
    "prepare-rejects": lambda: _prepare_page((), [f"3/{LONG} is empty (0 bytes)", "a.png is not a picture"]),
}


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium. Without it, the tests fail in CI and are skipped elsewhere."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        assert not os.environ.get("CI"), "CI needs Chromium: apt-get install chromium"
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found, args=QUIET) as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every page as a file."""
    folder = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(make(), encoding="utf-8")
    return folder


@pytest.fixture
def open_page(browser):
    """Opens a file; the page's `problems` are its errors, console messages, and requests other than the file itself."""
    contexts = []

    def opened(path, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.problems = []

        def note_request(request):
            if not request.url.startswith(("file:", "data:")):
                page.problems.append(request.url)

        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("requestfailed", lambda request: page.problems.append(request.url))
        page.on("request", note_request)
        page.goto(f"file://{path}")
        return page

    yield opened
    for context in contexts:
        context.close()


def _check(page):
    """The page fits its window, has text for every image, no errors, no requests, and passes axe-core."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("[...document.images].filter(each => !each.alt || !each.naturalWidth).length") == 0
    assert page.evaluate("[...document.querySelectorAll('details')].forEach(each => each.open = true)") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.problems == []


def _check_colours(page):
    """All text has enough contrast."""
    found = Axe().run(page, options={"runOnly": ["color-contrast"]})
    assert found.violations_count == 0, found.generate_report()


def _save_screenshot(page, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable(open_page, folder, name, width):
    """In light and dark mode: no overflow, error, request, missing text or accessibility violation."""
    page = open_page(folder / f"{name}.html", viewport={"width": WIDTHS[width], "height": 900}, color_scheme="light")
    _save_screenshot(page, f"{name}-{width}-light")
    page.emulate_media(color_scheme="dark")
    _save_screenshot(page, f"{name}-{width}-dark")
    _check_colours(page)
    page.emulate_media(color_scheme="light")
    _check(page)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_no_scripts_and_no_network(open_page, folder, name):
    """Without both, it looks the same."""
    pictures = [
        open_page(folder / f"{name}.html", viewport={"width": 1280, "height": 900}, **settings).screenshot()
        for settings in ({}, {"java_script_enabled": False, "offline": True})
    ]
    assert pictures[0] == pictures[1]


def test_a_page_prints(open_page, folder):
    """On A4 with the usual margins: nothing is cut off, dark on white, without the contents."""
    page = open_page(folder / "labels.html", viewport={"width": 718, "height": 1047}, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="light")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    paper = page.pdf(path=SCREENSHOTS / "labels.pdf", format="A4", print_background=True)
    assert paper.startswith(b"%PDF")


def test_the_page_of_a_run_is_readable(open_page, tmp_path, digits, model):
    """As the scoring stage writes it."""
    write_csv(tmp_path / "a.csv", digits)
    score(tmp_path / "a.csv", tmp_path / "out", model)
    page = open_page(tmp_path / "out" / "report.html", viewport={"width": 360, "height": 900})
    _check(page)
    assert page.locator("[data-wall-clock]").count() == 1


def test_labels_typed_on_a_contact_sheet_are_saved_with_their_images(open_page, folder, tmp_path):
    """A digit moves on to the next picture, anything else is ignored; `train --add` reads the file."""
    page = open_page(folder / "sheet.html", accept_downloads=True)
    fields = page.locator("input")
    assert page.locator("#save").is_disabled()
    fields.nth(3).focus()
    page.keyboard.type("7x2")
    page.keyboard.press("Tab")
    page.keyboard.type("0")
    assert page.locator("#save").text_content() == "Save 3 of 40 labels as corrected.csv"
    with page.expect_download() as download:
        page.locator("#save").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    images, unlabelled = read_labelled(LocalStorage(), str(path), ReadSettings(normalize="none"))
    assert (path.name, images.labels.tolist(), unlabelled) == ("corrected.csv", [7, 2, 0], 0)
    shown = [fields.nth(place).get_attribute("data-pixels") for place in (3, 4, 6)]
    assert [pixels.tobytes() for pixels in images.pixels] == [base64.b64decode(each) for each in shown]
    assert page.problems == []
