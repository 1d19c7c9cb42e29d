import io

import numpy as np
import pytest
from PIL import Image

from job.train.card.model_card import Mistake, model_card, picture, surest_mistakes


def test_the_surest_mistakes_come_first():
    """Only wrong answers count, in the order of their confidence, and of their place where that is equal."""
    labels = np.array([0, 1, 2, 3], np.int8)
    probabilities = np.full((4, 10), 0.01, np.float32)
    for row, (digit, confidence) in enumerate([(0, 0.99), (7, 0.6), (7, 0.9), (7, 0.6)]):
        probabilities[row, digit] = confidence
    found = surest_mistakes(probabilities, labels)
    assert [(each.row, each.label, each.prediction) for each in found] == [(2, 2, 7), (1, 1, 7), (3, 3, 7)]
    assert found[0].confidence == pytest.approx(0.9)


def test_there_are_at_most_twenty():
    """A network that is wrong everywhere does not fill a book."""
    probabilities = np.eye(10, dtype=np.float32)[np.zeros(100, int)]
    assert len(surest_mistakes(probabilities, np.ones(100, np.int8))) == 20


@pytest.mark.parametrize(("count", "size"), [(1, (906, 96)), (10, (906, 96)), (11, (906, 186))])
def test_pictures_are_dark_on_white_and_ten_in_a_row(count, size):
    """The first image stands at the top left, magnified three times."""
    pixels = np.zeros((count, 784), np.uint8)
    pixels[0, 0] = 255
    with Image.open(io.BytesIO(picture(pixels))) as sheet:
        assert sheet.size == size
        values = np.asarray(sheet)
    assert (values[6:9, 6:9] == 0).all()
    assert (values == 0).sum() == 9
    assert set(np.unique(values)) == {0, 255}


def test_the_card_of_a_trained_model_tells_people_what_they_need(trained):
    """Its figures are those of the card, and its mistakes are shown."""
    text = model_card(trained.result.card, trained.result.test, [Mistake(12, 4, 9, 0.98765)])
    test = trained.result.card["metrics"]["test"]
    assert text.startswith("# dense-accurate\n")
    assert "134,794 parameters (784-128-128-128-10)" in text
    assert f"| test | {100 * test['accuracy']:.2f} % of 360 |" in text
    assert "| 12 | 4 | 9 | 98.77 % |" in text
    assert "| network | dense, hidden layers 128, 128, 128 wide, relu |" in text
    assert "| epochs | 2 of at most 2 |" in text
    assert "| steps | adamw, step size 0.002 falling to 0, batches of 128, weight decay 0.1 |" in text
    assert "| images | deformed at random, anew in each epoch |" in text
    assert "![The test images that were named wrong most surely](mistakes.png)" in text
    exports = trained.result.card["export"]
    assert len(exports) == text.count("| 360 of 360 |") == 3
    assert f"| model.tflite | LiteRT (TensorFlow Lite), in float32 | float32 | {100 * test['accuracy']:.2f} % |" in text
    assert "{{" not in text
    assert "\n\n\n" not in text


def test_a_card_says_at_its_head_what_is_wrong_with_a_model(trained):
    """A model of a stand-in's data, and one that fell short."""
    card = trained.result.card
    gate = {**card["gate"], "verdict": "not_blessed", "shortfalls": ["it is bad"]}
    text = model_card({**card, "gate": gate, "data": {**card["data"], "warning": "not MNIST"}}, trained.result.test, [])
    assert "> **Mind:** not MNIST" in text
    assert "> **Not blessed:** it is bad. `digit-job score` refuses this model." in text
    assert "![" in text or "It named every test image right" in text


def test_a_model_folder_holds_its_card(trained, storage):
    """MODEL.md, and the picture that it shows."""
    assert {"MODEL.md", "mistakes.png"} <= set(storage.list(trained.result.path))
