import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from support.files import write_csv
from support.models import change_card, write_model

from job.errors import ModelInvalid, NoInput, OutputOccupied, StorageError, UsageError
from job.model.bundle import mark
from job.model.onnx_predictor import OnnxPredictor
from job.settings import ReadSettings
from job.storage import LocalStorage
from job.train.backend import fix_seed, import_keras
from job.train.data.origin import find_images
from job.train.export import exporter as module
from job.train.export.exporter import export
from job.train.export.saved_model import SavedModelPredictor
from job.train.export.tflite import TflitePredictor
from job.train.judge.parity import QUANTIZED, predict
from job.train.train_settings import ExportSettings


def _export(storage, settings):
    return export(storage, settings, mnist_dir=None)


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _runs(path):
    """Whatever was exported, as its own runtime has it."""
    if path.is_dir():
        return SavedModelPredictor(_files(path))
    content = path.read_bytes()
    return OnnxPredictor(content, str(path)) if path.suffix == ".onnx" else TflitePredictor(content)


@pytest.fixture(scope="session")
def images():
    """Scikit-learn's digits."""
    return find_images(LocalStorage(), "digits").images


@pytest.fixture
def folder(trained, tmp_path):
    """A trained model folder that may be changed."""
    return shutil.copytree(trained.result.path, tmp_path / "models/mine")


@pytest.fixture(scope="session")
def plain(tmp_path_factory, images):
    """A plain .keras file, of 28x28 floats and logits, rescaling left to the caller; and what it says of the digits."""
    fix_seed(2)
    keras = import_keras()
    layers = [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(16, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    floats = images.pixels.reshape(-1, 28, 28) / np.float32(255)
    model.fit(floats, images.labels, epochs=10, verbose=0)
    path = tmp_path_factory.mktemp("plain") / "mine.keras"
    model.save(path)
    return path, keras.ops.convert_to_numpy(keras.ops.softmax(model.predict(floats, verbose=0)))


@pytest.mark.parametrize("to", ["tflite", "onnx", "saved-model"])
def test_a_model_folder_is_exported_beside_itself(storage, folder, images, to):
    """Named after it; whatever runs the file says what the folder's own network says."""
    result = _export(storage, ExportSettings(str(folder), to))
    assert result.path == str(folder.with_name(f"mine.{to.replace('-', '_')}"))
    model = import_keras().saving.load_model(folder / "model.keras")
    said = _runs(Path(result.path)).predict(images.pixels)
    assert np.allclose(said, predict(model, images.pixels), atol=1e-5)
    assert (result.parity.rows, result.parity.same_digits) == (16, 16)
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted(["mine", Path(result.path).name])


@pytest.mark.parametrize(("to", "name"), [("tflite", "model.tflite"), ("onnx", "model.onnx")])
def test_what_a_folder_holds_already_is_exported_as_it_is(storage, folder, tmp_path, to, name):
    """The file that the card vouches for, byte by byte; one that it lacks is made anew."""
    first = _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out/first")))
    assert Path(first.path).read_bytes() == (folder / name).read_bytes()
    assert first.size_bytes == (folder / name).stat().st_size
    if name == "model.tflite":
        (folder / name).unlink()
        change_card(folder, lambda card: card["files"].pop(name))
        _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out/second")))
        assert (tmp_path / "out/second").stat().st_size == pytest.approx(first.size_bytes, rel=0.01)


def test_integers_come_from_the_model_s_own_data(storage, folder, images):
    """Its training images are read again to measure values on, its test images to compare on."""
    result = _export(storage, ExportSettings(str(folder), "tflite", quantize="int8"))
    assert result.path == str(folder.with_name("mine.int8.tflite"))
    assert result.parity.rows == 360
    assert result.parity.same_digits >= QUANTIZED.same_digits * 360
    predictor = _runs(Path(result.path))
    assert not predictor.has_floats
    model = import_keras().saving.load_model(folder / "model.keras")
    same = predictor.predict(images.pixels).argmax(axis=1) == predict(model, images.pixels).argmax(axis=1)
    assert same.mean() > 0.98


def test_data_that_is_gone_asks_for_other_data(storage, folder, tmp_path):
    """A model trained elsewhere may know a path that does not exist here."""
    change_card(folder, lambda card: card["data"].update(source=str(tmp_path / "gone")))
    asked = ExportSettings(str(folder), "tflite", quantize="int8")
    with pytest.raises(NoInput, match="gone: found no file there"):
        _export(storage, asked)
    assert export(storage, asked, mnist_dir="digits").parity.rows == 360


def test_given_images_are_measured_and_compared_on(storage, folder, tmp_path, images):
    """Read as the user says: here stored column by column."""
    turned = images.rows(np.arange(300))
    turned.pixels[:] = turned.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    source = str(write_csv(tmp_path / "turned.csv", turned))
    asked = {"data": source, "read": ReadSettings(is_transposed=True), "quantize": "int8"}
    result = _export(storage, ExportSettings(str(folder), "tflite", str(tmp_path / "out.tflite"), **asked))
    assert result.parity.rows == 300
    assert result.samples.are_given
    assert np.array_equal(result.samples.to_quantize_by, images.pixels[:300])


@pytest.mark.parametrize("to", ["tflite", "onnx", "saved-model"])
def test_a_plain_keras_file_takes_pixels_afterwards(storage, plain, tmp_path, images, to):
    """Rescaling, shape and softmax go into the export, as they do for `score`."""
    path, expected = plain
    result = _export(storage, ExportSettings(str(path), to, str(tmp_path / f"out.{to}")))
    assert np.allclose(_runs(Path(result.path)).predict(images.pixels), expected, atol=1e-5)
    assert result.parity.rows > len(images)


def test_a_plain_keras_file_is_quantized_by_given_images(storage, plain, tmp_path, images):
    """It brings none; its suffix is not part of the new name."""
    path = str(shutil.copy(plain[0], tmp_path / "mine.keras"))
    result = _export(storage, ExportSettings(path, "tflite", quantize="int8", data="digits"))
    assert result.path == str(tmp_path / "mine.int8.tflite")
    said = _runs(Path(result.path)).predict(images.pixels)
    assert (said.argmax(axis=1) == plain[1].argmax(axis=1)).mean() >= 0.99
    with pytest.raises(UsageError, match=r"brings no images .* name some .* with --data"):
        ExportSettings(path, "tflite", quantize="int8")


@pytest.mark.parametrize(
    "asked",
    [
        {"to": "onnx", "quantize": "int8"},
        {"to": "saved-model", "quantize": "int8"},
        {"to": "onnx", "read": ReadSettings(is_transposed=True)},
    ],
)
def test_settings_that_do_not_go_together_are_refused(asked):
    """Before anything is opened."""
    with pytest.raises(UsageError, match=r"--quantize int8: is for --to tflite|are for the files that --data names"):
        ExportSettings("model", **asked)


@pytest.mark.parametrize("to", ["tflite", "saved-model"])
def test_what_is_there_already_is_replaced_on_request_only(storage, folder, tmp_path, to):
    """By a whole one; nothing is left beside it."""
    target = tmp_path / "out"
    asked = ExportSettings(str(folder), to, str(target))
    _export(storage, asked)
    before = _files(target) if to == "saved-model" else target.read_bytes()
    with pytest.raises(OutputOccupied, match=r"out: is there already; .* --overwrite"):
        _export(storage, asked)
    assert before == (_files(target) if to == "saved-model" else target.read_bytes())
    _export(storage, ExportSettings(str(folder), to, str(target), is_overwriting=True))
    _runs(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "out"]


def _a_folder(target):
    target.mkdir()
    (target / "thesis.tex").write_text("precious")


def _a_file(target):
    target.write_text("precious")


@pytest.mark.parametrize(
    ("to", "occupy", "expected"),
    [("tflite", _a_folder, "a file"), ("saved-model", _a_folder, "a SavedModel"), ("saved-model", _a_file, "a folder")],
)
def test_what_is_something_else_is_never_replaced(storage, folder, tmp_path, to, occupy, expected):
    """Not even on request."""
    occupy(tmp_path / "out")
    before = list(tmp_path.rglob("*"))
    with pytest.raises(OutputOccupied, match=f"expected {expected}"):
        _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out"), is_overwriting=True))
    assert list(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_a_fine_target_for_a_saved_model(storage, folder, tmp_path):
    """As Docker makes one for a volume."""
    (tmp_path / "out").mkdir()
    _runs(Path(_export(storage, ExportSettings(str(folder), "saved-model", str(tmp_path / "out"))).path))


def test_a_model_folder_stays_what_its_card_says(storage, folder):
    """No export goes into it, and none replaces one of its files."""
    for name in ("more.tflite", "model.tflite"):
        with pytest.raises(OutputOccupied, match="is in a model folder"):
            _export(storage, ExportSettings(str(folder), "tflite", str(folder / name), is_overwriting=True))


def test_another_process_may_be_faster(storage, folder, tmp_path, monkeypatch):
    """Its file stays."""
    right = module.compare

    def compare(*arguments):
        (tmp_path / "out.onnx").write_text("theirs")
        return right(*arguments)

    monkeypatch.setattr(module, "compare", compare)
    with pytest.raises(OutputOccupied, match="is there already"):
        _export(storage, ExportSettings(str(folder), "onnx", str(tmp_path / "out.onnx")))
    assert (tmp_path / "out.onnx").read_text() == "theirs"


def test_a_damaged_model_is_not_exported(storage, folder):
    """Whichever of its files is damaged."""
    content = bytearray((folder / "model.keras").read_bytes())
    content[1000] ^= 1
    (folder / "model.keras").write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"model\.keras: its SHA-256 is not the one"):
        _export(storage, ExportSettings(str(folder), "onnx"))
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_an_exchanged_network_is_not_exported(storage, folder):
    """One whose digests fit, and which answers the golden rows otherwise."""
    import hashlib

    fix_seed(5)
    from job.train.fit.network import dense

    dense((8,)).save(folder / "model.keras")
    digest = hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest()
    change_card(folder, lambda card: card["files"].update({"model.keras": digest}))
    with pytest.raises(ModelInvalid, match=r"model\.keras: its answers to the golden rows in model\.json are off"):
        _export(storage, ExportSettings(str(folder), "onnx"))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("none", "is not a model folder"),
        ("none.keras", r"there is no such file; expected a \.keras file or"),
        ("linear", r"is no \.keras file"),
        ("unlisted", r"lists no model\.keras"),
    ],
)
def test_what_is_no_model_is_refused(storage, tmp_path, location, message):
    """With what was expected."""
    write_model(tmp_path / "linear")
    change_card(write_model(tmp_path / "unlisted"), lambda card: card["files"].pop("model.keras"))
    with pytest.raises(ModelInvalid, match=f"{location}.*{message}"):
        _export(storage, ExportSettings(str(tmp_path / location), "onnx"))


def test_a_model_that_fell_short_is_exported_on_request_only(storage, folder):
    """As it is scored with on request only."""
    mark(storage, str(folder), ["it is bad"])
    with pytest.raises(ModelInvalid, match="the model is not blessed"):
        _export(storage, ExportSettings(str(folder), "onnx"))
    assert _export(storage, ExportSettings(str(folder), "onnx", allows_unblessed=True)).parity.rows == 16


@pytest.mark.parametrize("to", ["tflite", "onnx", "saved-model"])
def test_an_unfaithful_export_is_never_written(storage, folder, monkeypatch, to):
    """Nothing appears, under any name."""
    right = module._converted

    def converted(*arguments):
        files, predictor = right(*arguments)

        class Wrong:
            def predict(self, pixels):
                return np.roll(predictor.predict(pixels), 1, axis=1)

        return files, Wrong()

    monkeypatch.setattr(module, "_converted", converted)
    with pytest.raises(ModelInvalid, match="nothing was saved"):
        _export(storage, ExportSettings(str(folder), to))
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("step", ["saved_model.pb", "variables.index", "commit_folder"])
def test_a_failing_disk_leaves_nothing(folder, step):
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
        _export(Failing(), ExportSettings(str(folder), "saved-model"))
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_an_exported_onnx_file_is_of_any_onnx_runtime(storage, folder):
    """Its input and output have the names and types that job/train/README.md documents."""
    result = _export(storage, ExportSettings(str(folder), "onnx"))
    session = ort.InferenceSession(result.path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("pixels", "tensor(uint8)", ["rows", 784])
    assert session.get_outputs()[0].name == "probabilities"
