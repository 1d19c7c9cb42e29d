import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from support.reports import make_card

from job.report.words import percent
from job.train.card.training_page import command, findings, training_report
from job.train.data.split import Split

REFERENCE = Path(__file__).parents[4] / "job/cli/README.md"


@pytest.fixture(scope="module")
def said():
    """What a network says of three hundred images, some of them wrong: probabilities and images."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 300).astype(np.int8)
    shares = np.exp(random.normal(0, 1.9, (300, 10)) + 6 * np.eye(10)[labels])
    probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities, Split(random.integers(0, 256, (300, 784), dtype=np.uint8), labels)


def _text(page):
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<.*?>", " ", text))


def test_the_page_tells_what_came_out(said):
    """Its figures are those of the test images, and of the card."""
    probabilities, test = said
    card = make_card(probabilities, test.labels)
    text = _text(training_report(card, "ab" * 32, probabilities, test))
    accuracy = percent(card["metrics"]["test"]["accuracy"])
    assert f"{accuracy} of 300 test images were named right; nothing odd was seen." in text
    assert f"Accuracy on the test images {accuracy}" in text
    assert "134,794" in text
    assert "Time to train 1 min 00 s epoch 35 of 40 kept; saved 2026-11-25 22:53 UTC" in text
    assert "validation images 3.00 % 2.00 %" in text
    assert "test images 3.10 % 2.20 %" in text
    assert "ab" * 32 in text
    assert "model.npz float32" in text


def test_mistakes_are_pictures(said):
    """The surest first, each with its row, digits and confidence; and the pairs that are confused most often."""
    probabilities, test = said
    page = training_report(make_card(probabilities, test.labels), "", probabilities, test)
    alts = re.findall(r'alt="A (\d), taken for a (\d) at ([\d.]+) %, row (\d+)"', page)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != test.labels)
    surest = int(wrong[np.argmax(probabilities.max(axis=1)[wrong])])
    assert int(alts[0][3]) == surest
    assert (int(alts[0][0]), int(alts[0][1])) == (test.labels[surest], probabilities[surest].argmax())
    (label, prediction), times = (
        re.search(r"<h4>(\d) taken for (\d)", page).groups(),
        re.search(r"(\d+) times?<", page)[1],
    )
    confused = (test.labels == int(label)) & (probabilities.argmax(axis=1) == int(prediction))
    assert int(times) == confused.sum()


def test_calibration_is_drawn_before_and_after_scaling(said):
    """What a network said before its temperature follows from what it says now; at temperature 1 they are the same."""
    probabilities, test = said
    card = make_card(probabilities, test.labels)
    card["calibration"]["temperature"] = 1.0
    drawn = re.search(
        r'<svg class="plot"[^>]*calibration-plot.*?</svg>', training_report(card, "", probabilities, test)
    )[0]
    dots = {class_: re.findall(rf'cx="([\d.]+)" cy="([\d.]+)" r="3.5" class="dot {class_}"', drawn)
            for class_ in ("first", "second")}  # fmt: skip
    assert len(dots["first"]) > 5
    assert dots["first"] == dots["second"]


def test_a_network_that_names_all_right(said):
    """Has no mistakes to show."""
    _, test = said
    probabilities = np.full((300, 10), 0.001, np.float32)
    probabilities[np.arange(300), test.labels] = 0.991
    text = _text(training_report(make_card(probabilities, test.labels), "", probabilities, test))
    assert "It named every test image right, which says more of the test than of the network." in text
    assert "most confused pairs" not in text


def test_what_is_to_look_into_comes_first(said):
    """A model that fell short, one of a stand-in's data, one whose confidences got worse."""
    probabilities, test = said
    card = make_card(probabilities, test.labels)
    card["gate"] |= {"verdict": "not_blessed", "shortfalls": ["it is bad"]}
    card["data"]["warning"] = "<not> MNIST"
    card["calibration"] |= {"validation_after": 0.5, "test_after": 0.5}
    assert [each.text for each in findings(card) if not each.is_fine] == [
        "Not blessed: it is bad", "Trained on a stand-in", "Its confidences are further off than before scaling",
    ]  # fmt: skip
    page = training_report(card, "", probabilities, test)
    assert "<strong>Mind the data:</strong> &lt;not&gt; MNIST" in page
    assert "3 things to look into." in page


def test_the_command_that_trains_the_same_again(said):
    """Says all that decides about the network, by flags that there are, quoted for a shell."""
    probabilities, test = said
    card = make_card(probabilities, test.labels)
    words = shlex.split(command(card))
    assert words[:4] == ["digit-job", "train", "--data", "in/train set.csv"]
    assert " ".join(words[4:]) == (
        "--recipe accurate --arch dense --hidden 128,128,128 --activation relu --epochs 40 --batch-size 128 "
        "--optimizer adamw --learning-rate 0.002 --weight-decay 0.1 --early-stopping 5 --class-weights none --augment "
        "--validation-split 0.1 --seed 1 --scale 1 --label-column digit --transpose"
    )
    flags = REFERENCE.read_text(encoding="utf-8").split("\n## `digit-job train`")[1].split("\n## ")[0]
    assert all(f"`{word}`" in flags or f"`{word}/" in flags for word in words if word.startswith("--"))
