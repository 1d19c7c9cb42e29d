import json

import numpy as np
import pytest
from support.files import write_csv
from support.models import write_model

from job.errors import DataError, ModelInvalid, OutputOccupied, StorageError
from job.model.bundle import open_bundle
from job.model.predictor import OnnxPredictor
from job.settings import TrainSettings
from job.storage import LocalStorage
from job.train import parity, run
from job.train.backend import fix_seed
from job.train.fit import FitResult
from job.train.network import dense


def _train(settings, storage, on_batch=lambda _done, _total: None):
    return run.train(settings, storage, mnist_dir=None, on_text=lambda _text: None, on_batch=on_batch)


@pytest.fixture
def settings(tmp_path, balanced):
    """Two hundred images, one epoch, and an older model in the target."""
    write_model(tmp_path / "models/mine")
    source = write_csv(tmp_path / "train.csv", balanced)
    return TrainSettings(str(source), str(tmp_path / "models/mine"), epochs=1)


@pytest.fixture
def no_fit(monkeypatch):
    """Leaves training out."""
    monkeypatch.setattr(run, "fit", lambda model, *_args, **_kwargs: FitResult(model, ()))


@pytest.fixture
def is_untouched(tmp_path):
    """Whether the older model is whole and alone: no other name, hidden ones included."""

    def check():
        assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
        return open_bundle(LocalStorage(), str(tmp_path / "models/mine")).name == "linear-0"

    return check


def test_the_folder_is_a_model_that_opens_and_checks(storage, trained):
    """Digests and golden rows hold."""
    bundle = open_bundle(storage, trained.result.path)
    bundle.check(OnnxPredictor(bundle.onnx, "test"))
    assert storage.list(trained.result.path) == ["model.json", "model.keras", "model.onnx"]


def test_the_network_learns(trained):
    """Two epochs on scikit-learn's digits are far better than guessing."""
    assert trained.result.test.accuracy > 0.7
    assert trained.result.test.rows == 360


def test_the_summary_comes_before_training(trained):
    """One text, with the network's layers; then progress up to the end."""
    assert len(trained.texts) == 1
    assert "134,794" in trained.texts[0]
    assert trained.batches[-1] == (42, 42)


def test_the_card_tells_the_whole_story(trained):
    """What it is, what it learned from, how well, and with what."""
    with open(f"{trained.result.path}/model.json") as file:
        card = json.load(file)
    assert (card["name"], card["recipe"]) == ("dense-baseline", "baseline")
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
    assert card["export"]["onnx"]["same_digits"] == card["export"]["onnx"]["rows"] == 360
    assert card["export"]["onnx"]["max_difference"] <= 1e-5
    assert {"python", "digit-job", "tensorflow", "keras", "numpy", "onnxruntime", "onnx", "scikit-learn"} == set(
        card["versions"]
    )
    assert card["gate"] == {"verdict": "not_gated", "min_accuracy": None}


def test_golden_rows_are_test_images_of_every_digit(storage, trained):
    """Sixteen of them."""
    from job.train.dataset import load

    golden = open_bundle(storage, trained.result.path).golden
    test = load(storage, "digits", seed=3, validation_share=0.1).test
    labels = {pixels.tobytes(): int(label) for pixels, label in zip(test.pixels, test.labels, strict=True)}
    assert len(golden.pixels) == 16
    assert {labels[pixels.tobytes()] for pixels in golden.pixels} == set(range(10))


@pytest.mark.usefixtures("no_fit")
def test_a_new_model_replaces_the_old_one(storage, settings, tmp_path):
    """Whole, and nothing else stays in the folder above."""
    result = _train(settings, storage)
    assert open_bundle(storage, result.path).name == "dense-baseline"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


@pytest.mark.usefixtures("no_fit")
def test_an_unfaithful_export_is_never_saved(storage, settings, monkeypatch, is_untouched):
    """Training fails, and the older model stays."""

    class Wrong(OnnxPredictor):
        def predict(self, pixels):
            return np.roll(super().predict(pixels), 1, axis=1)

    monkeypatch.setattr(parity, "OnnxPredictor", Wrong)
    with pytest.raises(ModelInvalid, match="nothing was saved"):
        _train(settings, storage)
    assert is_untouched()


@pytest.mark.parametrize("step", ["model.keras", "model.onnx", "model.json", "commit_folder"])
@pytest.mark.usefixtures("no_fit")
def test_a_failing_disk_leaves_the_old_model(settings, is_untouched, step):
    """Whichever write it is that fails."""

    class Failing(LocalStorage):
        def commit(self, path, *, beside=None):
            if path.endswith(step):
                raise StorageError(f"{path}: no")
            return super().commit(path, beside=beside)

        def commit_folder(self, staging, target):
            if step == "commit_folder":
                raise StorageError(f"{target}: no")
            super().commit_folder(staging, target)

    with pytest.raises(StorageError):
        _train(settings, Failing())
    assert is_untouched()


def test_an_interruption_leaves_the_old_model(storage, settings, is_untouched):
    """Ctrl-C in the middle of training."""

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(settings, storage, interrupt)
    assert is_untouched()


def test_unusable_data_leaves_the_old_model(storage, settings, tmp_path, balanced, is_untouched):
    """Nothing is begun."""
    write_csv(tmp_path / "train.csv", balanced, has_labels=False)
    with pytest.raises(DataError, match="has no labels"):
        _train(settings, storage)
    assert is_untouched()


def _occupied_by_a_file(folder):
    folder.write_text("a file")


def _occupied_by_files(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")


def _occupied_by_files_beside_a_model(folder):
    write_model(folder)
    (folder / "thesis.tex").write_text("precious")


def _occupied_by_another_kind_of_model(folder):
    folder.mkdir()
    (folder / "model.json").write_text("{}")


@pytest.mark.parametrize(
    "occupy",
    [
        _occupied_by_a_file,
        _occupied_by_files,
        _occupied_by_files_beside_a_model,
        _occupied_by_another_kind_of_model,
    ],
)
def test_what_is_no_model_is_never_replaced(storage, tmp_path, occupy):
    """Refused before any work: the data is not even looked at."""
    target = tmp_path / "target"
    occupy(target)
    before = {path: path.read_bytes() for path in [target, *target.rglob("*")] if path.is_file()}
    with pytest.raises(OutputOccupied, match="expected a model folder"):
        _train(TrainSettings(str(tmp_path / "no data"), str(target)), storage)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.usefixtures("no_fit")
def test_an_empty_folder_is_a_fine_target(storage, settings, tmp_path):
    """As Docker makes one for a volume."""
    (tmp_path / "empty").mkdir()
    result = _train(TrainSettings(settings.data, str(tmp_path / "empty"), epochs=1), storage)
    assert result.path == str(tmp_path / "empty")


def test_the_weights_drawn_depend_on_the_seed():
    """What `fix_seed` fixes is where training starts."""
    drawn = []
    for seed in (1, 1, 2):
        fix_seed(seed)
        drawn.append(dense((8,)).get_weights()[0].tobytes())
    assert drawn[0] == drawn[1] != drawn[2]
