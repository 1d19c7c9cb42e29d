"""The folder of a trained model: it opens, and its card records the training."""

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from html import escape
from pathlib import Path

from support.training_data import load

from job.contract import PixelBatch
from job.model.bundle import card_digest, open_bundle, predictor_of
from job.report.confidence_bins import RIGHT, WRONG
from job.report.drift import Distribution
from job.report.held_out import HeldOut
from job.report.tally import Tally
from job.score.part import predict
from job.train.fit.checkpoint import Epoch, history_csv
from job.train.fit.recipe import RECIPES


def test_the_folder_opens_and_checks(storage, trained):
    """Digests and golden rows match."""
    bundle = open_bundle(storage, trained.result.path)
    bundle.check(predictor_of(bundle))
    described = ["MODEL.md", "curves.png", "history.csv", "mistakes.png", "model.json"]
    network = ["model.keras", "model.npz", "model.onnx", "model.tflite"]
    assert storage.list(trained.result.path) == [*described, *network, "report.html"]


def test_a_card_without_learning_rates_is_opened(storage, trained, tmp_path):
    """As earlier versions wrote it."""
    shutil.copytree(trained.result.path, tmp_path / "model")
    path = tmp_path / "model/model.json"
    card = json.loads(path.read_text())
    for epoch in card["history"]:
        assert epoch.pop("learning_rate") >= 0
    path.write_text(json.dumps({**card, "sha256": card_digest(card)}))
    bundle = open_bundle(storage, str(tmp_path / "model"))
    bundle.check(predictor_of(bundle))


def test_the_card_keeps_the_confidences_on_held_out_images(storage, trained):
    """Those of the validation split, as a scoring run of the same images counts them: right, wrong, by doubt."""
    bundle = open_bundle(storage, trained.result.path)
    images = load(storage, "digits", seed=3).validation
    section = bundle.about["held_out"]
    assert (section["split"], section["rows"], section["is_by_writer"]) == ("validation", 144, False)
    tally = Tally.of(predict(PixelBatch(images.pixels, images.labels), predictor_of(bundle)))
    held_out = HeldOut.from_json(section)
    assert held_out.right.tolist() == tally.confidence[:, RIGHT].tolist()
    assert held_out.wrong.tolist() == tally.confidence[:, WRONG].tolist()
    assert held_out.right.sum() == trained.result.validation.correct


def test_the_card_records_the_whole_training(trained):
    """The network, its data, its results, and the versions of libraries."""
    with open(f"{trained.result.path}/model.json") as file:
        card = json.load(file)
    assert (card["name"], card["recipe"]) == ("dense-accurate", "accurate")
    assert card["training"] == json.loads(
        json.dumps({**asdict(replace(RECIPES["accurate"], epochs=2)), "kept_epoch": 2})
    )
    assert card["seeds"] == {"split": 3, "weights": 3, "shuffle": 3, "deformations": 3}
    assert (card["architecture"], card["parameters"]) == ("784-128-128-128-10", 134_794)
    assert card["input"] == {"dtype": "uint8", "shape": [784], "range": [0, 255], "background": 0}
    assert card["classes"] == list("0123456789")
    assert {name: card["data"][name] for name in ("source", "name", "seed", "validation_share", "warning")} == {
        "source": "digits", "name": "digits", "seed": 3, "validation_share": 0.1, "warning": None,
    }  # fmt: skip
    assert [card["data"][f"{name}_rows"] for name in ("train", "validation", "test")] == [1293, 144, 360]
    assert sum(card["data"]["train_class_counts"]) == 1293
    assert card["metrics"]["test"] == trained.result.test.figures
    assert card["metrics"]["validation"] == trained.result.validation.figures
    assert [epoch["epoch"] for epoch in card["history"]] == [1, 2]
    assert set(card["export"]) == {"model.onnx", "model.npz", "model.tflite"}
    assert set(card["files"]) == {*card["export"], "model.keras", "history.csv", "curves.png"}
    for export in card["export"].values():
        assert export["same_digits"] == export["rows"] == 360
        assert export["max_difference"] <= 1e-5
        assert export["correct"] == trained.result.test.correct
    assert card["export"]["model.tflite"]["input"] == {"dtype": "uint8", "shape": [784], "range": [0, 255]}
    assert {"python", "digit-job", "tensorflow", "keras", "numpy", "onnxruntime", "onnx", "scikit-learn"} == set(
        card["versions"]
    )
    assert card["gate"] == {"verdict": "not_gated", "shortfalls": [], "min_accuracy": None, "compared_to": None}


def test_the_card_has_the_distribution_of_the_training_images(trained, storage):
    """Of the training split, undeformed; scoring compares its inputs with it."""
    train = load(storage, "digits", seed=3, validation_share=0.1).train
    distribution = trained.result.card["data"]["distribution"]
    assert distribution == Distribution.of_labelled(train.pixels, train.labels).to_json()
    assert distribution["labels"]["counts"] == trained.result.card["data"]["train_class_counts"]
    assert sum(distribution["ink"]["counts"]) == 1293
    assert sum(distribution["intensity"]["counts"]) == 1293 * 784


def test_the_history_is_a_table_and_a_picture(trained, storage):
    """With the figures of the card, which has the digests of both files."""
    table = storage.read(f"{trained.result.path}/history.csv")
    assert table == history_csv([Epoch(**epoch) for epoch in trained.result.card["history"]])
    files = open_bundle(storage, trained.result.path).about["files"]
    assert files["history.csv"] == hashlib.sha256(table).hexdigest()
    assert files["curves.png"] == hashlib.sha256(storage.read(f"{trained.result.path}/curves.png")).hexdigest()


def test_the_golden_rows_are_test_images_of_every_digit(storage, trained):
    """Sixteen of them."""
    golden = open_bundle(storage, trained.result.path).golden
    test = load(storage, "digits", seed=3, validation_share=0.1).test
    labels = {pixels.tobytes(): int(label) for pixels, label in zip(test.pixels, test.labels, strict=True)}
    assert len(golden.pixels) == 16
    assert {labels[pixels.tobytes()] for pixels in golden.pixels} == set(range(10))


def test_the_saved_network_is_calibrated(trained):
    """The temperature lowers the calibration error on the validation split, or hardly changes it."""
    calibration = trained.result.card["calibration"]
    assert 0.05 < calibration["temperature"] < 20
    assert calibration["validation_after"] <= calibration["validation_before"] + 0.01


def test_a_notebook_shows_the_page_of_the_training(trained):
    """As long as the folder is there; as text, the result is short."""
    result = trained.result
    page = Path(result.path, "report.html").read_text()
    assert f'srcdoc="{escape(page)}"' in result._repr_html_()
    assert replace(result, path=f"{result.path}-moved")._repr_html_() is None
    assert "\n" not in repr(result)
    assert len(repr(result)) < 600
