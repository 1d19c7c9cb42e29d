"""The train stage as a whole: it saves a model or leaves the target as it was."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.files import Digits, make_digits, write_csv
from support.models import write_model
from support.runs import score

from job.errors import DataError, DigitJobError, ModelInvalid, OutputOccupied, StorageError
from job.model.bundle import open_bundle, predictor_of
from job.storage import LocalStorage
from job.train import training
from job.train.backend import import_keras
from job.train.card import model_folder
from job.train.export import formats
from job.train.fit.loop import FitResult
from job.train.fit.recipe import recipe_of
from job.train.phases import Phases
from job.train.train_settings import DataSettings, TrainSettings


class Watched(Phases):
    """Phases that call a function with (steps done, all steps)."""

    def __init__(self, on_batch):
        super().__init__()
        self._on_batch = on_batch

    def advanced(self, steps, all_steps):
        super().advanced(steps, all_steps)
        self._on_batch(steps, all_steps)


def _train(settings, storage, on_batch=lambda _done, _total: None):
    return training.train(settings, storage, mnist_dir=None, on_text=lambda _text: None, phases=Watched(on_batch))


@pytest.fixture
def settings(tmp_path, balanced):
    """Two hundred images, one epoch, and an older model in the target."""
    write_model(tmp_path / "models/mine")
    source = write_csv(tmp_path / "train.csv", balanced)
    return TrainSettings(DataSettings((str(source),)), str(tmp_path / "models/mine"), epochs=1, is_overwriting=True)


@pytest.fixture
def assert_untouched(tmp_path):
    """Checks that the older model is whole, and that nothing else is beside it, hidden files included."""

    def check():
        assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
        assert open_bundle(LocalStorage(), str(tmp_path / "models/mine")).name == "linear-0"

    return check


def test_the_network_learns(trained):
    """Two epochs on scikit-learn's digits are far better than guessing."""
    assert trained.result.test.accuracy > 0.7
    assert trained.result.test.rows == 360


def test_the_summary_is_reported_before_training(trained):
    """Once, with the network's layers."""
    assert len(trained.texts) == 1
    assert "134,794" in trained.texts[0]


def test_settings_reach_the_network_and_the_recipe(storage, settings, monkeypatch):
    """They override the recipe, and the card records what was used."""
    used = []

    def fit(model, recipe, *_args, **_named):
        used.append(recipe)
        return FitResult(model, (), 1)

    monkeypatch.setattr(training, "fit", fit)
    changes = {"hidden": (64, 32), "activation": "tanh", "dropout": 0.25, "optimizer": "sgd", "learning_rate": 0.5}
    card = _train(replace(settings, **changes), storage).card
    assert used[0] == recipe_of(replace(settings, **changes))
    assert {name: card["training"][name] for name in changes} == changes
    assert card["training"]["kept_epoch"] == 1
    assert card["architecture"] == "784-64-32-10"
    model = import_keras().models.load_model(f"{settings.model}/model.keras")
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.25, 0.25]
    assert model.get_layer("hidden_2").activation.__name__ == "tanh"


@pytest.mark.usefixtures("convert_once")
def test_a_convolutional_network_is_trained_and_saved_like_any_other(storage, tmp_path):
    """Calibrated, exported and checked; the scorer runs its ONNX. The same seed gives the same network."""
    settings = TrainSettings(
        DataSettings(("digits",)), str(tmp_path / "model"), arch="cnn", recipe="baseline", epochs=1
    )
    result = _train(settings, storage)
    assert (result.card["name"], result.card["parameters"]) == ("cnn-baseline", 120_458)
    assert result.test.accuracy > 0.2  # guessing: 0.1
    bundle = open_bundle(storage, result.path)
    bundle.check(predictor_of(bundle))
    assert bundle.network_path.endswith("model.onnx")
    again = open_bundle(storage, _train(replace(settings, model=str(tmp_path / "again")), storage).path)
    assert again.onnx == bundle.onnx


@pytest.mark.usefixtures("no_fit")
def test_a_new_model_replaces_the_old_one(storage, settings, tmp_path):
    """The whole folder, and nothing is left beside it."""
    result = _train(settings, storage)
    assert open_bundle(storage, result.path).name == "dense-accurate"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["OnnxPredictor", "DensePredictor", "TflitePredictor"])
@pytest.mark.usefixtures("no_fit")
def test_an_export_with_other_answers_is_never_saved(storage, settings, monkeypatch, assert_untouched, name):
    """Training fails, and the older model stays."""
    original = getattr(formats, name)

    class Wrong(original):
        def predict(self, pixels):
            return np.roll(super().predict(pixels), 1, axis=1)

    monkeypatch.setattr(formats, name, Wrong)
    with pytest.raises(ModelInvalid, match="nothing was saved"):
        _train(settings, storage)
    assert_untouched()


@pytest.mark.parametrize("shift", [0, 1])
def test_a_quantized_export_is_saved_on_request(storage, settings, trained, monkeypatch, assert_untouched, shift):
    """Nothing at all is saved if it predicts other digits than the network."""

    def fit(model, *_args, **_named):
        """What the shared training has learned."""
        model.set_weights(import_keras().models.load_model(f"{trained.result.path}/model.keras").get_weights())
        return FitResult(model, (), 0)

    def compare(model, exported, pixels, during):
        class Shifted:
            def predict(self, pixels):
                return np.roll(exported["model.int8.tflite"].predict(pixels), shift, axis=1)

        return original(model, {**exported, "model.int8.tflite": Shifted()}, pixels, during=during)

    original = model_folder.compare
    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(model_folder, "compare", compare)
    settings = replace(settings, data=DataSettings(("digits",)), quantize="int8")
    if shift:
        with pytest.raises(ModelInvalid, match=r"model\.int8\.tflite: predicts the same digit .*at least 99 % of the"):
            _train(settings, storage)
        assert_untouched()
        return
    card = _train(settings, storage).card
    assert card["export"]["model.int8.tflite"]["output"] == {
        "dtype": "uint8", "shape": [10], "scale": 1 / 256, "zero_point": 0,
    }  # fmt: skip
    text = storage.read(f"{settings.model}/MODEL.md").decode()
    assert "| model.int8.tflite | LiteRT (TensorFlow Lite), integers only | uint8 in steps of 1/256 |" in text
    assert "model.int8.tflite" in json.loads(storage.read(f"{settings.model}/model.json"))["files"]


@pytest.mark.parametrize("step", ["model.keras", "model.onnx", "model.tflite", "model.json", "commit_folder"])
@pytest.mark.usefixtures("no_fit")
def test_a_failing_disk_leaves_the_old_model(settings, assert_untouched, step):
    """At any of its writes."""

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
    assert_untouched()


def test_the_same_training_gives_the_same_model(storage, settings, tmp_path):
    """Later, with other times in its history and Keras file: output that it has finished is still finished."""
    source = write_csv(tmp_path / "digits.csv", make_digits(5))
    settings = replace(settings, epochs=1, hidden=(16,), is_augmented=False)
    digests, seconds = [], []
    for name in ("one", "two"):
        folder = _train(replace(settings, model=str(tmp_path / name)), storage).path
        bundle = open_bundle(storage, folder)
        digests.append(bundle.digest)
        seconds.append(bundle.about["history"][0]["seconds"])
        result = score(source, tmp_path / "out", folder)
        assert result.was_done == (name == "two")
    assert digests[0] == digests[1]
    assert seconds[0] != seconds[1]


def test_an_interruption_leaves_the_old_model(storage, settings, assert_untouched):
    """Ctrl-C in the middle of the first epoch."""

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(settings, storage, interrupt)
    assert_untouched()


def test_an_interrupted_training_is_resumed_or_started_over(storage, settings, tmp_path, caplog):
    """Its checkpoint lies hidden beside the older model; another run is refused, and a successful one deletes it."""

    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    caplog.set_level("INFO")
    settings = replace(settings, epochs=2, hidden=(16,), is_augmented=False)
    names = [".mine.checkpoint", "mine"]
    for again in (settings, settings, replace(settings, is_resuming=True)):
        with pytest.raises(KeyboardInterrupt):
            _train(again, storage, interrupt)
        assert sorted(path.name for path in (tmp_path / "models").iterdir()) == names
        assert open_bundle(LocalStorage(), settings.model).name == "linear-0"
    assert "starting over (--resume resumes it)" in caplog.text
    assert "resuming after epoch 1" in caplog.text
    with pytest.raises(OutputOccupied, match=r"\(seed: 1 then, 2 now\)"):
        _train(replace(settings, is_resuming=True, seed=2), storage)
    result = _train(replace(settings, is_resuming=True), storage)
    assert [epoch["epoch"] for epoch in result.card["history"]] == [1, 2]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


def test_early_stopping_is_said(storage, settings, caplog):
    """After which epoch, why, and whose weights the network has."""
    caplog.set_level("INFO")
    stopping = replace(settings, epochs=60, hidden=(16,), is_augmented=False, learning_rate=0.05, early_stopping=1)
    history = _train(stopping, storage).card["history"]
    last = len(history)
    assert last < 60
    assert (
        f"stopped early after epoch {last} of 60: no lower validation loss in 1 epoch; kept the weights of epoch "
        in (caplog.text)
    )


@pytest.mark.usefixtures("no_fit")
def test_resuming_without_a_checkpoint_starts_a_training(storage, settings, caplog):
    """So that the same command can be repeated until it succeeds."""
    caplog.set_level("INFO")
    _train(replace(settings, is_resuming=True), storage)
    assert "no training to resume; starting one" in caplog.text


def test_resuming_a_finished_training(storage, trained, caplog):
    """Trains nothing: the result is that of the model which is there, by this run's gate."""
    caplog.set_level("INFO")
    before = {path.name: path.stat().st_mtime_ns for path in Path(trained.result.path).iterdir()}
    again = replace(trained.settings, is_resuming=True, min_accuracy=1.0)
    result = _train(again, storage, on_batch=lambda *_: pytest.fail("it trains"))
    assert "model: this training has finished; there is nothing to resume" in caplog.text
    assert (result.test, result.validation) == (trained.result.test, trained.result.validation)
    assert (result.path, result.card["metrics"]) == (trained.result.path, trained.result.card["metrics"])
    assert not result.verdict.is_blessed
    assert {path.name: path.stat().st_mtime_ns for path in Path(trained.result.path).iterdir()} == before


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 3}, "epochs: 2 then, 3 now"),
        ({"recipe": "baseline"}, "name: accurate then, baseline now"),
        ({"is_resuming": True, "hidden": (64,)}, r"hidden: \[128, 128, 128\] then, \[64\] now"),
        ({"data": None}, "data: fingerprint [0-9a-f]{16} then, fingerprint [0-9a-f]{16} now"),
    ],
)
def test_another_finished_model_is_replaced_only_if_asked(storage, trained, tmp_path, balanced, change, message):
    """The error says in what it differs."""
    folder = tmp_path / "model"
    shutil.copytree(trained.result.path, folder)
    if "data" in change:
        change = {"data": DataSettings((str(write_csv(tmp_path / "train.csv", balanced)),))}
    settings = replace(trained.settings, model=str(folder), **change)
    card = (folder / "model.json").read_bytes()
    with pytest.raises(OutputOccupied, match=f"model: holds another model .*{message}.*replace it with --overwrite"):
        _train(settings, storage)
    assert (folder / "model.json").read_bytes() == card
    _train(replace(settings, is_overwriting=True), storage)
    assert (folder / "model.json").read_bytes() != card


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize("damage", ["NOT_BLESSED", "model.onnx"])
def test_a_model_that_cannot_be_used_is_replaced(storage, trained, tmp_path, damage):
    """One that failed its gate, and one that is damaged."""
    folder = tmp_path / "model"
    shutil.copytree(trained.result.path, folder)
    (folder / damage).write_bytes(b"it is bad")
    result = _train(replace(trained.settings, model=str(folder), epochs=3), storage)
    assert result.path == str(folder)
    assert result.card["training"]["epochs"] == 3


@pytest.mark.usefixtures("no_fit")
def test_the_same_training_again_needs_no_leave(storage, trained, tmp_path):
    """The new model is as good as the old one; the seed may be another."""
    folder = tmp_path / "model"
    shutil.copytree(trained.result.path, folder)
    for seed in (3, 4):
        assert _train(replace(trained.settings, model=str(folder), seed=seed), storage).card["seeds"]["split"] == seed


def test_unlabelled_data_leaves_the_old_model(storage, settings, tmp_path, balanced, assert_untouched):
    """It is refused before training."""
    write_csv(tmp_path / "train.csv", balanced, has_labels=False)
    with pytest.raises(DataError, match="has no labels"):
        _train(settings, storage)
    assert_untouched()


def _label_of_ten(path, digits):
    write_csv(path, Digits(digits.pixels, np.where(np.arange(200) == 50, 10, digits.labels)))


def _no_threes(path, digits):
    write_csv(path, digits[digits.labels != 3])


def _images_of_27_by_27(path, digits):
    names = ["label", *(f"pixel{index}" for index in range(729))]
    rows = [[label, *pixels[:729]] for pixels, label in zip(digits.pixels, digits.labels, strict=True)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))


def _not_a_number(path, digits):
    text = write_csv(path, digits).read_text()
    path.write_text(text.rstrip().rpartition(",")[0] + ",nan\n")


def _nothing(path, _digits):
    path.touch()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_label_of_ten, r"line 52 .*label is '10', expected 0-9"),
        (_no_threes, r"holds 0 images of the digit 3, expected at least 5"),
        (_images_of_27_by_27, r"found 730 columns .*expected 784"),
        (_not_a_number, r"line 201 .*pixel783 is 'nan', expected 0-255"),
        (_nothing, r"is empty"),
    ],
)
def test_unusable_images_are_refused_in_one_line(storage, tmp_path, balanced, write, message):
    """With what is wrong, and where; no file is left."""
    write(tmp_path / "train.csv", balanced)
    with pytest.raises(DigitJobError, match=r"train\.csv.*" + message) as error:
        _train(TrainSettings(DataSettings((str(tmp_path / "train.csv"),)), str(tmp_path / "model")), storage)
    assert error.value.exit_code == 65
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_an_occupied_target_is_refused_before_the_data_is_read(storage, tmp_path):
    """See test_place for everything that occupies a target."""
    (tmp_path / "target").write_text("a file")
    with pytest.raises(OutputOccupied, match="expected a model folder"):
        _train(TrainSettings(DataSettings((str(tmp_path / "no data"),)), str(tmp_path / "target")), storage)


@pytest.mark.usefixtures("no_fit")
def test_an_empty_folder_is_a_valid_target(storage, settings, tmp_path):
    """Docker creates one for a volume."""
    (tmp_path / "empty").mkdir()
    result = _train(TrainSettings(settings.data, str(tmp_path / "empty"), epochs=1), storage)
    assert result.path == str(tmp_path / "empty")


@pytest.mark.usefixtures("no_fit")
def test_the_card_has_the_accuracy_by_writer_where_writers_are_known(storage, settings, monkeypatch):
    """The page shows it, and a card without writers says nothing of them."""
    asked = []

    def with_writers(_storage, digits_dir, images):
        asked.append(digits_dir)
        return replace(images, groups=np.arange(len(images)).astype(np.str_)) if digits_dir else images

    monkeypatch.setattr(training, "with_writers", with_writers)
    result = _train(replace(settings, digits_dir="somewhere"), storage)
    assert result.card["robustness"]["groups"]["groups"] == result.test.rows
    assert "Of 40 writers of test images" in Path(result.path, "MODEL.md").read_text()
    assert "<dt>writers</dt><dd>40</dd>" in Path(result.path, "report.html").read_text()
    assert _train(settings, storage).card["robustness"]["groups"] is None
    assert asked == ["somewhere", None]


@pytest.mark.usefixtures("no_fit")
def test_a_model_that_fails_its_gate_does_not_replace_a_blessed_one(storage, settings, assert_untouched):
    """The older model stays in use; the new one lies beside it, marked, and the next one replaces that."""
    result = _train(replace(settings, min_accuracy=1.0), storage)
    assert result.path == f"{settings.model}.not_blessed"
    assert open_bundle(storage, settings.model).name == "linear-0"
    with pytest.raises(ModelInvalid, match="the model is not blessed: its accuracy is"):
        open_bundle(storage, result.path)
    assert open_bundle(storage, result.path, allows_unblessed=True).about["gate"]["verdict"] == "not_blessed"
    again = _train(replace(settings, min_accuracy=1.0), storage)
    assert again.path == result.path
    storage.remove(result.path)
    assert_untouched()


@pytest.mark.usefixtures("no_fit")
def test_a_model_that_failed_its_gate_is_replaced_by_any_model(storage, settings, tmp_path):
    """By one that fails, too; the marker goes with the model."""
    target = str(tmp_path / "models/new")
    for min_accuracy in (1.0, 1.0, None):
        result = _train(replace(settings, model=target, min_accuracy=min_accuracy), storage)
        assert result.path == target
    assert open_bundle(storage, target).about["gate"]["verdict"] == "not_gated"
    assert "NOT_BLESSED" not in storage.list(target)


@pytest.mark.usefixtures("no_fit")
def test_a_model_worse_than_another_fails_its_gate(storage, trained, tmp_path):
    """Here an untrained one."""
    result = _train(
        TrainSettings(DataSettings(("digits",)), str(tmp_path / "new"), compare_to=trained.result.path, seed=3), storage
    )
    assert "significantly worse" in result.verdict.shortfalls[0]


def test_the_same_settings_train_the_same_model(storage, trained, tmp_path):
    """Compared with the first one, it passes its gate without a single image that only one classifies correctly."""
    settings = TrainSettings(
        DataSettings(("digits",)), str(tmp_path / "same"), epochs=2, seed=3, compare_to=trained.result.path
    )
    verdict = _train(settings, storage).verdict
    assert verdict.is_blessed
    assert (verdict.comparison.only_other, verdict.comparison.only_this) == (0, 0)


@pytest.mark.usefixtures("convert_once")
def test_each_training_gets_its_own_folder_of_events(storage, settings, tmp_path):
    """Named after the model, so that TensorBoard can compare runs and does not mix them."""
    logs = str(tmp_path / "logs")
    settings = replace(settings, model=str(tmp_path / "mine"), hidden=(8,), is_augmented=False, tensorboard=logs)
    for _ in range(2):
        _train(settings, storage)
    runs = sorted(tmp_path.glob("logs/*"))
    assert len(runs) == 2
    assert all(each.name.startswith("mine-") for each in runs)
    assert {path.name for each in runs for path in each.iterdir()} == {"train", "validation", "pictures"}
