import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from support.reports import make_card

from job.report.words import percent
from job.train.card.training_page import findings, train_command, training_page
from job.train.data.split import Split

REFERENCE = Path(__file__).parents[4] / "job/cli/README.md"


@pytest.fixture(scope="module")
def answers():
    """Probabilities of a network for three hundred images, some of them misclassified, and the images."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 300).astype(np.int8)
    shares = np.exp(random.normal(0, 1.9, (300, 10)) + 6 * np.eye(10)[labels])
    probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities, Split(random.integers(0, 256, (300, 784), dtype=np.uint8), labels)


def _text(page):
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<.*?>", " ", text))


def test_the_page_has_the_results(answers):
    """The figures on the test images, and those of the card."""
    probabilities, test = answers
    card = make_card(probabilities, test.labels)
    text = _text(training_page(card, "ab" * 32, probabilities, test))
    accuracy = percent(card["metrics"]["test"]["accuracy"])
    assert f"{accuracy} of 300 test images classified correctly; no problems found." in text
    assert f"Accuracy on the test images {accuracy}" in text
    assert "134,794" in text
    assert "Time to train 1 min 00 s epoch 35 of 40 kept; saved 2026-11-25 22:53 UTC" in text
    assert "validation images 3.00 % 2.00 %" in text
    assert "test images 3.10 % 2.20 %" in text
    assert "ab" * 32 in text
    assert "model.npz float32" in text


def test_mistakes_are_shown_as_images(answers):
    """The surest first, each with its row, digits and confidence; then the most confused pairs."""
    probabilities, test = answers
    page = training_page(make_card(probabilities, test.labels), "", probabilities, test)
    section = page.partition('<section aria-labelledby="mistakes">')[2]
    alts = re.findall(r'alt="A (\d), predicted as (\d) with ([\d.]+) % confidence, row (\d+)"', section)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != test.labels)
    surest = int(wrong[np.argmax(probabilities.max(axis=1)[wrong])])
    assert int(alts[0][3]) == surest
    assert (int(alts[0][0]), int(alts[0][1])) == (test.labels[surest], probabilities[surest].argmax())
    (label, prediction), times = (
        re.search(r"<h4>(\d) predicted as (\d)", page).groups(),
        re.search(r"(\d+) times?<", page)[1],
    )
    confused = (test.labels == int(label)) & (probabilities.argmax(axis=1) == int(prediction))
    assert int(times) == confused.sum()


def test_calibration_is_drawn_before_and_after_scaling(answers):
    """The probabilities before scaling are computed from those after it; at temperature 1 they are equal."""
    probabilities, test = answers
    card = make_card(probabilities, test.labels)
    card["calibration"]["temperature"] = 1.0
    drawn = re.search(r'<svg class="plot"[^>]*calibration-plot.*?</svg>', training_page(card, "", probabilities, test))[
        0
    ]
    dots = {class_: re.findall(rf'cx="([\d.]+)" cy="([\d.]+)" r="3.5" class="dot {class_}"', drawn)
            for class_ in ("first", "second")}  # fmt: skip
    assert len(dots["first"]) > 5
    assert dots["first"] == dots["second"]


def test_predictions_are_shown_as_they_come(answers):
    """The first test images of each predicted digit, and how to look one up."""
    probabilities, test = answers
    page = training_page(make_card(probabilities, test.labels), "", probabilities, test)
    section = re.search(r'<section aria-labelledby="predictions">.*?</section>', page, re.DOTALL)[0]
    counts = np.bincount(probabilities.argmax(axis=1), minlength=10)
    assert re.findall(r"Predicted as (\d) <span class=\"soft\">(\d+) image", section) == [
        (str(digit), str(count)) for digit, count in enumerate(counts) if count
    ]
    assert section.count("<img") == np.minimum(counts, 4).sum()
    assert "<code>digit-job show test.csv --row N</code>" in section


def test_a_network_without_mistakes(answers):
    """The page says so instead of showing any."""
    _, test = answers
    probabilities = np.full((300, 10), 0.001, np.float32)
    probabilities[np.arange(300), test.labels] = 0.991
    text = _text(training_page(make_card(probabilities, test.labels), "", probabilities, test))
    assert "Every test image was classified correctly, which says more about the test than about the network." in text
    assert "Most confused pairs" not in text


def test_robustness_is_shown_with_a_picture_of_each_corruption(answers):
    """The page of an older card has no such section, and no link to it."""
    probabilities, test = answers
    card = make_card(probabilities, test.labels)
    page = training_page(card, "", probabilities, test)
    section = page.partition('<section aria-labelledby="robustness">')[2].partition("</section>")[0]
    for place, name in enumerate(card["robustness"]["corruptions"]):
        assert f'alt="A {test.labels[place]} with {name.replace("_", " ")}"' in section
    text = _text(section)
    assert "shot noise 99.0&nbsp;% correct confidence 99.5&nbsp;%" in text
    assert "canny edges 15.0&nbsp;% correct confidence 57.5&nbsp;% by score: 90.0&nbsp;% correct" in text
    assert "mean error 43.00 % mean error by score 21.00 % relative error 21.5 times" in text
    assert "writers 523 writers below 95 % 37 expected by chance 21" in text
    assert "Note: 2,000 of 10,000 test images were corrupted, drawn at random." in text
    del card["robustness"]
    assert "robustness" not in training_page(card, "", probabilities, test).partition("</style>")[2].lower()


def test_findings_that_need_attention_come_first(answers):
    """The model failed its gate, was trained on substitute data, and scaling made its calibration worse."""
    probabilities, test = answers
    card = make_card(probabilities, test.labels)
    card["gate"] |= {"verdict": "not_blessed", "shortfalls": ["it is bad"]}
    card["data"]["warning"] = "<not> MNIST"
    card["calibration"] |= {"validation_after": 0.5, "test_after": 0.5}
    assert [each.text for each in findings(card) if not each.is_fine] == [
        "Not blessed: it is bad", "Trained on substitute data", "Scaling has increased the calibration error",
    ]  # fmt: skip
    page = training_page(card, "", probabilities, test)
    assert "<strong>Warning:</strong> &lt;not&gt; MNIST" in page
    assert "3 findings need attention." in page


def test_the_command_trains_the_same_network(answers):
    """With every setting that decides the weights, by existing flags, quoted for a shell."""
    probabilities, test = answers
    card = make_card(probabilities, test.labels)
    words = shlex.split(train_command(card))
    assert words[:4] == ["digit-job", "train", "--data", "in/train set.csv"]
    assert " ".join(words[4:]) == (
        "--recipe accurate --arch dense --hidden 128,128,128 --activation relu --epochs 40 --batch-size 128 "
        "--optimizer adamw --learning-rate 0.002 --weight-decay 0.1 --early-stopping 5 --class-weights none --augment "
        "--test-split 0.2 --validation-split 0.1 --seed 1 --scale 1 --label-column digit --transpose --invert"
    )
    flags = REFERENCE.read_text(encoding="utf-8").split("\n## `digit-job train`")[1].split("\n## ")[0]
    assert all(f"`{word}`" in flags or f"`{word}/" in flags for word in words if word.startswith("--"))
