from job.train.card.mistakes import ClassifiedImage
from job.train.card.model_card import model_card


def test_the_model_card_has_the_figures_of_the_card(trained):
    """Network, data, training, results, weaknesses and formats."""
    text = model_card(trained.result.card, trained.result.test, [ClassifiedImage(12, 4, 9, 0.98765)])
    test = trained.result.card["metrics"]["test"]
    assert text.startswith("# dense-accurate\n")
    assert "134,794 parameters (784-128-128-128-10)" in text
    assert f"| test | {100 * test['accuracy']:.2f} % of 360 |" in text
    assert "| 12 | 4 | 9 | 98.77 % |" in text
    assert "| network | dense, hidden layers of width 128, 128, 128, relu |" in text
    assert "| epochs | 2 of at most 2 |" in text
    assert "| optimizer | adamw, learning rate 0.002 falling to 0, batch size 128, weight decay 0.1 |" in text
    assert "| images | randomly deformed, anew in each epoch, 30 % of them scanned again, as with another pen" in text
    assert "![The test images that were misclassified with the highest confidence](mistakes.png)" in text
    exports = trained.result.card["export"]
    assert len(exports) == text.count("| 360 of 360 |") == 3
    assert f"| model.tflite | LiteRT (TensorFlow Lite), float32 | float32 | {100 * test['accuracy']:.2f} % |" in text
    assert "{{" not in text
    assert "\n\n\n" not in text


def test_the_model_card_begins_with_warnings(trained):
    """For a model trained on substitute data, and for one that failed its gate."""
    card = trained.result.card
    gate = {**card["gate"], "verdict": "not_blessed", "shortfalls": ["it is bad"]}
    text = model_card({**card, "gate": gate, "data": {**card["data"], "warning": "not MNIST"}}, trained.result.test, [])
    assert "> **Warning:** not MNIST" in text
    assert "> **Not blessed:** it is bad. `digit-job score` refuses this model." in text
    assert "![" in text or "Every test image was classified correctly" in text


def test_the_model_card_has_what_corruptions_do(trained):
    """With writers where they are known; a card of an earlier version has no such section."""
    card = trained.result.card
    assert card["robustness"]["clean"]["rows"] == 360
    fog = card["robustness"]["corruptions"]["fog"]
    figures = [f"{100 * fog[name]:.2f} %" for name in ("accuracy", "confidence", "scored_accuracy")]
    text = model_card(card, trained.result.test, [])
    assert f"| fog | {' | '.join(figures)} |" in text
    assert "Note: there are only 360 test images, so that all figures are rough." in text
    groups = {"name": "writer", "groups": 523, "rows": 360, "below_95": 37, "below_95_by_chance": 20.6}
    groups["worst"] = []
    groups["quantiles"] = {"0": 0.5, "0.05": 0.875, "0.25": 0.9, "0.5": 0.99, "0.75": 1.0}
    text = model_card({**card, "robustness": {**card["robustness"], "groups": groups}}, trained.result.test, [])
    assert "Of 523 writers of test images, 37 have less than 95 % of their digits" in text
    assert "21 would by\nchance if all were equally easy" in text
    earlier = {name: value for name, value in card.items() if name != "robustness"}
    assert "obustness" not in model_card(earlier, trained.result.test, [])


def test_names_are_shown_as_they_are(trained):
    """Neither a link, nor HTML, nor another row or column of the table, nor the end of a line."""
    name = "a[b](http://c)<img src=x>|d`e`\n# f\u202e_g_"
    card = {**trained.result.card, "name": name}
    card["data"] = {**card["data"], "name": name, "origin": name, "warning": name}
    text = model_card(card, trained.result.test, [])
    shown = "a\\[b\\](http://c)\\<img src=x\\>\\|d\\`e\\`\\\\x0a\\# f\\\\u202e\\_g\\_"
    assert text.startswith(f"# {shown}\n")
    assert f"> **Warning:** {shown}\n" in text
    assert f"| images | {shown}, from {shown}: " in text


def test_the_model_folder_has_a_model_card(trained, storage):
    """And the picture that it shows."""
    assert {"MODEL.md", "mistakes.png"} <= set(storage.list(trained.result.path))
