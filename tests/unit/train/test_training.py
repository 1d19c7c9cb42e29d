import errno
import hashlib
import json
import os
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from support.files import Digits, write_csv
from support.models import write_model

from job.errors import DataError, DigitJobError, ModelInvalid, OutputOccupied, StorageError
from job.model.bundle import open_bundle, predictor_of
from job.storage import LocalStorage
from job.storage.filesystem import LocalFileSystem
from job.train import training
from job.train.backend import fix_seed, import_keras
from job.train.card import model_folder
from job.train.export import formats as module
from job.train.fit.checkpoint import Epoch, history_csv
from job.train.fit.loop import FitResult
from job.train.fit.network import dense
from job.train.fit.recipe import RECIPES, recipe_of
from job.train.train_settings import TrainSettings


def _train(settings, storage, on_batch=lambda _done, _total: None):
    return training.train(settings, storage, mnist_dir=None, on_text=lambda _text: None, on_batch=on_batch)


@pytest.fixture
def settings(tmp_path, balanced):
    """Two hundred images, one epoch, and an older model in the target."""
    write_model(tmp_path / "models/mine")
    source = write_csv(tmp_path / "train.csv", balanced)
    return TrainSettings(str(source), str(tmp_path / "models/mine"), epochs=1)


@pytest.fixture
def no_fit(monkeypatch):
    """Leaves training out."""
    monkeypatch.setattr(training, "fit", lambda model, *_args, **_kwargs: FitResult(model, (), 0))


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
    bundle.check(predictor_of(bundle))
    described = ["MODEL.md", "curves.png", "history.csv", "mistakes.png", "model.json"]
    network = ["model.keras", "model.npz", "model.onnx", "model.tflite"]
    assert storage.list(trained.result.path) == [*described, *network, "report.html"]


def test_the_network_learns(trained):
    """Two epochs on scikit-learn's digits are far better than guessing."""
    assert trained.result.test.accuracy > 0.7
    assert trained.result.test.rows == 360


def test_the_summary_comes_before_training(trained):
    """One text, with the network's layers; then progress up to the end."""
    assert len(trained.texts) == 1
    assert "134,794" in trained.texts[0]
    assert trained.batches[-1] == (64, 64)


def test_the_card_tells_the_whole_story(trained):
    """What it is, what it learned from, how well, and with what."""
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


def test_the_card_tells_what_the_training_images_are_like(trained, storage):
    """Those of the training split alone, as they are: what scoring compares its inputs with."""
    from job.report.drift import Distribution
    from job.train.data.dataset import load

    train = load(storage, "digits", seed=3, validation_share=0.1).train
    distribution = trained.result.card["data"]["distribution"]
    assert distribution == Distribution.of_labelled(train.pixels, train.labels).to_json()
    assert distribution["labels"]["counts"] == trained.result.card["data"]["train_class_counts"]
    assert sum(distribution["ink"]["counts"]) == 1293
    assert sum(distribution["intensity"]["counts"]) == 1293 * 784


def test_the_history_is_a_table_and_a_picture(trained, storage):
    """What the card says of each epoch; the card has the digests of both."""
    table = storage.read(f"{trained.result.path}/history.csv")
    assert table == history_csv([Epoch(**epoch) for epoch in trained.result.card["history"]])
    files = open_bundle(storage, trained.result.path).about["files"]
    assert files["history.csv"] == hashlib.sha256(table).hexdigest()
    assert files["curves.png"] == hashlib.sha256(storage.read(f"{trained.result.path}/curves.png")).hexdigest()


def test_golden_rows_are_test_images_of_every_digit(storage, trained):
    """Sixteen of them."""
    from job.train.data.dataset import load

    golden = open_bundle(storage, trained.result.path).golden
    test = load(storage, "digits", seed=3, validation_share=0.1).test
    labels = {pixels.tobytes(): int(label) for pixels, label in zip(test.pixels, test.labels, strict=True)}
    assert len(golden.pixels) == 16
    assert {labels[pixels.tobytes()] for pixels in golden.pixels} == set(range(10))


def test_flags_go_before_the_recipe(storage, settings, monkeypatch):
    """What is built and trained by is what the card tells of."""
    used = []

    def fit(model, recipe, *_args, **_kwargs):
        used.append(recipe)
        return FitResult(model, (), 1)

    monkeypatch.setattr(training, "fit", fit)
    changes = {"hidden": (64, 32), "activation": "tanh", "dropout": 0.25, "optimizer": "sgd", "learning_rate": 0.5}
    card = _train(replace(settings, **changes), storage).card
    assert used[0] == recipe_of(replace(settings, **changes))
    assert card["training"] == {**asdict(used[0]), "kept_epoch": 1}
    assert card["architecture"] == "784-64-32-10"
    assert {name: card["training"][name] for name in changes} == changes
    model = import_keras().models.load_model(f"{settings.model}/model.keras")
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.25, 0.25]
    assert model.get_layer("hidden_2").activation.__name__ == "tanh"


def test_a_network_of_convolutions_is_a_model_like_any_other(storage, tmp_path):
    """Trained, calibrated, exported and checked; the scorer runs it whole. The same seed gives the same network."""
    settings = TrainSettings("digits", str(tmp_path / "model"), arch="cnn", recipe="baseline", epochs=1)
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
    """Whole, and nothing else stays in the folder above."""
    result = _train(settings, storage)
    assert open_bundle(storage, result.path).name == "dense-accurate"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["OnnxPredictor", "DensePredictor", "TflitePredictor"])
@pytest.mark.usefixtures("no_fit")
def test_an_unfaithful_export_is_never_saved(storage, settings, monkeypatch, is_untouched, name):
    """Training fails, and the older model stays."""
    right = getattr(module, name)

    class Wrong(right):
        def predict(self, pixels):
            return np.roll(super().predict(pixels), 1, axis=1)

    monkeypatch.setattr(module, name, Wrong)
    with pytest.raises(ModelInvalid, match="nothing was saved"):
        _train(settings, storage)
    assert is_untouched()


@pytest.mark.parametrize("shift", [0, 1])
def test_a_network_in_integers_is_saved_where_it_is_asked_for(storage, settings, monkeypatch, is_untouched, shift):
    """And nothing at all, where it names other digits than the network."""
    right = model_folder.compare

    def compare(model, exported, pixels):
        class Wrong:
            def predict(self, pixels):
                return np.roll(exported["model.int8.tflite"].predict(pixels), shift, axis=1)

        return right(model, {**exported, "model.int8.tflite": Wrong()}, pixels)

    monkeypatch.setattr(model_folder, "compare", compare)
    asked = replace(settings, data="digits", epochs=2, quantize="int8")
    if shift:
        with pytest.raises(ModelInvalid, match=r"model\.int8\.tflite: names the same digit .*expected 99 % of them"):
            _train(asked, storage)
        assert is_untouched()
        return
    card = _train(asked, storage).card
    assert card["export"]["model.int8.tflite"]["output"] == {
        "dtype": "uint8", "shape": [10], "scale": 1 / 256, "zero_point": 0,
    }  # fmt: skip
    text = storage.read(f"{settings.model}/MODEL.md").decode()
    assert "| model.int8.tflite | LiteRT (TensorFlow Lite), in integers alone | uint8, of 256 |" in text
    assert "model.int8.tflite" in json.loads(storage.read(f"{settings.model}/model.json"))["files"]


@pytest.mark.parametrize("step", ["model.keras", "model.onnx", "model.tflite", "model.json", "commit_folder"])
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


class Mounted(LocalStorage):
    """Takes one folder for the place where a volume is mounted; the disk fails at the `at`th file put there."""

    def __init__(self, folder, at=0):
        super().__init__(_CountsRenames(folder, at))
        self._folder = folder

    def is_mount(self, path):
        return path == self._folder


class _CountsRenames(LocalFileSystem):
    def __init__(self, folder, at):
        self._folder, self._left = folder, at

    def rename(self, source, target):
        if os.path.dirname(target) == self._folder and not target.endswith(".checkpoint"):
            self._left -= 1
            if self._left == 0:
                raise OSError(errno.EIO, "no")
        super().rename(source, target)


def test_a_model_in_a_mounted_volume(settings, tmp_path):
    """A volume can neither be replaced nor be written beside: all happens in it, and nothing older stays."""
    volume = tmp_path / "models/mine"
    (volume / "lost+found").mkdir()
    (volume / "NOT_BLESSED").write_text("of the older model")
    before = sorted(path.name for path in (tmp_path / "models").iterdir())
    _train(settings, Mounted(str(volume)))
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == before
    assert not [path.name for path in volume.iterdir() if path.name.startswith(".")]
    assert not (volume / "NOT_BLESSED").exists()
    assert open_bundle(LocalStorage(), str(volume)).name == "dense-accurate"


@pytest.mark.usefixtures("no_fit")
def test_a_volume_that_fails_holds_no_mixture(settings, tmp_path):
    """Whichever file it is that cannot be put there: what is there is one model or refused, and training mends it."""
    volume = tmp_path / "models/mine"
    for at in range(1, 30):
        shutil.rmtree(volume)
        write_model(volume)
        try:
            _train(settings, Mounted(str(volume), at))
        except StorageError:
            _opens_or_is_refused(volume)
            _train(settings, Mounted(str(volume)))
            assert open_bundle(LocalStorage(), str(volume)).name == "dense-accurate"
        else:
            break
    assert 5 < at < 29


def _opens_or_is_refused(volume):
    """A model folder is refused in a way that training mends."""
    try:
        name = open_bundle(LocalStorage(), str(volume)).name
    except ModelInvalid:
        return
    assert name in {"linear-0", "dense-accurate"}


def test_a_volume_that_holds_something_else_is_refused(settings, tmp_path):
    """As any folder."""
    volume = tmp_path / "models/mine"
    (volume / "thesis.tex").write_text("")
    with pytest.raises(OutputOccupied, match=r"thesis\.tex"):
        _train(settings, Mounted(str(volume)))


@pytest.mark.usefixtures("no_fit")
def test_a_worse_model_stands_beside_a_good_one_in_a_volume(settings, tmp_path):
    """Out of sight, and said where."""
    volume = tmp_path / "models/mine"
    result = _train(replace(settings, min_accuracy=1.0), Mounted(str(volume)))
    assert result.path == str(volume / ".mine.not_blessed")
    assert open_bundle(LocalStorage(), str(volume)).name == "linear-0"


def test_an_interruption_leaves_the_old_model(storage, settings, is_untouched):
    """Ctrl-C in the middle of the first epoch."""

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(settings, storage, interrupt)
    assert is_untouched()


def test_what_an_interrupted_training_came_to_is_used_or_made_anew(storage, settings, tmp_path, caplog):
    """It lies hidden beside the older model; another run does not take it, and one that ends well removes it."""

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
    assert "starting over, --resume goes on" in caplog.text
    assert "going on behind epoch 1" in caplog.text
    with pytest.raises(OutputOccupied, match=r"\(seed: 1 then, 2 now\)"):
        _train(replace(settings, is_resuming=True, seed=2), storage)
    result = _train(replace(settings, is_resuming=True), storage)
    assert [epoch["epoch"] for epoch in result.card["history"]] == [1, 2]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


@pytest.mark.usefixtures("no_fit")
def test_resuming_what_was_never_begun_begins_it(storage, settings, caplog):
    """So that the same command can be run until it ends well."""
    caplog.set_level("INFO")
    _train(replace(settings, is_resuming=True), storage)
    assert "there is no training to go on with; starting one" in caplog.text


def test_unusable_data_leaves_the_old_model(storage, settings, tmp_path, balanced, is_untouched):
    """Nothing is begun."""
    write_csv(tmp_path / "train.csv", balanced, has_labels=False)
    with pytest.raises(DataError, match="has no labels"):
        _train(settings, storage)
    assert is_untouched()


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
def test_unusable_images_end_in_one_line_and_leave_nothing(storage, tmp_path, balanced, write, message):
    """What is wrong, and where; no folder is begun."""
    write(tmp_path / "train.csv", balanced)
    with pytest.raises(DigitJobError, match=r"train\.csv.*" + message) as error:
        _train(TrainSettings(str(tmp_path / "train.csv"), str(tmp_path / "model")), storage)
    assert error.value.exit_code == 65
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


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


def test_a_model_that_falls_short_does_not_take_the_place_of_one_that_did_not(storage, settings, is_untouched):
    """The older model stays where it is, and goes on scoring; the new one lies beside it, marked."""
    result = _train(replace(settings, min_accuracy=1.0), storage)
    assert result.path == f"{settings.model}.not_blessed"
    assert open_bundle(storage, settings.model).name == "linear-0"
    with pytest.raises(ModelInvalid, match="the model is not blessed: its accuracy is"):
        open_bundle(storage, result.path)
    assert open_bundle(storage, result.path, allows_unblessed=True).about["gate"]["verdict"] == "not_blessed"
    again = _train(replace(settings, min_accuracy=1.0), storage)
    assert again.path == result.path
    storage.remove(result.path)
    assert is_untouched()


def test_a_model_takes_the_place_of_one_that_fell_short(storage, settings, tmp_path):
    """A folder that is marked can be trained into again, whatever comes out."""
    target = str(tmp_path / "models/new")
    for min_accuracy in (1.0, 1.0, None):
        result = _train(replace(settings, model=target, min_accuracy=min_accuracy), storage)
        assert result.path == target
    assert open_bundle(storage, target).about["gate"]["verdict"] == "not_gated"
    assert "NOT_BLESSED" not in storage.list(target)


def test_a_better_model_is_told_from_a_worse_one(storage, trained, tmp_path):
    """Compared with a model of the same images, one of random weights falls short; compared with itself, none does."""
    asked = TrainSettings("digits", str(tmp_path / "new"), epochs=1, seed=3, compare_to=trained.result.path)
    worse = _train(replace(asked, recipe="baseline", batch_size=2000), storage)
    assert "significantly worse" in worse.verdict.shortfalls[0]
    same = _train(replace(asked, model=str(tmp_path / "same"), epochs=2), storage)
    assert same.verdict.is_blessed
    assert (same.verdict.comparison.only_other, same.verdict.comparison.only_this) == (0, 0)


def test_a_calibrated_network_is_saved(trained):
    """The temperature lowers the calibration error of the validation split, or leaves it about as it was."""
    calibration = trained.result.card["calibration"]
    assert 0.05 < calibration["temperature"] < 20
    assert calibration["validation_after"] <= calibration["validation_before"] + 0.01
