import hashlib
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from support.files import write_csv
from support.models import change_card, linear_onnx, write_model

from job.errors import ModelInvalid, NoInput, OutputOccupied, StorageError
from job.model.bundle import mark
from job.model.onnx_predictor import OnnxPredictor
from job.settings import ReadSettings
from job.storage import LocalStorage
from job.train.backend import fix_seed, import_keras, predict
from job.train.export import exporter
from job.train.export.exporter import export
from job.train.export.saved_model import SavedModelPredictor
from job.train.export.tflite import TflitePredictor
from job.train.fit.network import dense
from job.train.judge.parity import QUANTIZED
from job.train.phases import Phases
from job.train.train_settings import ExportSettings


def _export(storage, settings):
    return export(storage, settings, mnist_dir=None, phases=Phases())


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _load(path):
    """An export, loaded into its runtime."""
    if path.is_dir():
        return SavedModelPredictor(_files(path))
    content = path.read_bytes()
    return OnnxPredictor(content, str(path)) if path.suffix == ".onnx" else TflitePredictor(content)


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of a trained model folder, which may be changed."""
    return shutil.copytree(trained.result.path, tmp_path / "models/mine")


@pytest.fixture(scope="session")
def plain(tmp_path_factory, optdigits):
    """A plain .keras file with 28x28 floats as input and logits as output; and its answers to the digits, divided."""
    fix_seed(2)
    keras = import_keras()
    layers = [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(16, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    floats = optdigits.pixels.reshape(-1, 28, 28) / np.float32(255)
    model.fit(floats, optdigits.labels, epochs=10, verbose=0)
    path = tmp_path_factory.mktemp("plain") / "mine.keras"
    model.save(path)
    return path, keras.ops.convert_to_numpy(keras.ops.softmax(model.predict(floats, verbose=0)))


@pytest.mark.parametrize("to", ["tflite", "onnx", "saved-model"])
def test_a_model_folder_is_exported_beside_itself(storage, folder, optdigits, to):
    """Named after it; the export gives the answers of the folder's own network."""
    result = _export(storage, ExportSettings(str(folder), to))
    assert result.path == str(folder.with_name(f"mine.{to.replace('-', '_')}"))
    model = import_keras().saving.load_model(folder / "model.keras")
    answers = _load(Path(result.path)).predict(optdigits.pixels)
    assert np.allclose(answers, predict(model, optdigits.pixels), atol=1e-5)
    assert (result.parity.rows, result.parity.same_digits) == (16, 16)
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted(["mine", Path(result.path).name])


@pytest.mark.parametrize(("to", "name"), [("tflite", "model.tflite"), ("onnx", "model.onnx")])
def test_a_file_of_the_model_folder_is_exported_unchanged(storage, folder, tmp_path, to, name):
    """It is the one that the card lists; a file that the folder lacks is converted."""
    first = _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out/first")))
    assert Path(first.path).read_bytes() == (folder / name).read_bytes()
    assert first.size_bytes == (folder / name).stat().st_size
    if name == "model.tflite":
        (folder / name).unlink()
        change_card(folder, lambda card: card["files"].pop(name))
        _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out/second")))
        assert (tmp_path / "out/second").stat().st_size == pytest.approx(first.size_bytes, rel=0.01)


def test_a_model_folder_is_quantized_by_its_own_data(storage, folder, optdigits):
    """Ranges are measured on its training images, and the export is compared on its test images."""
    result = _export(storage, ExportSettings(str(folder), "tflite", quantize="int8"))
    assert result.path == str(folder.with_name("mine.int8.tflite"))
    assert result.parity.rows == 360
    assert result.parity.same_digits >= QUANTIZED.min_same_digits * 360
    predictor = _load(Path(result.path))
    assert not predictor.has_floats
    model = import_keras().saving.load_model(folder / "model.keras")
    same = predictor.predict(optdigits.pixels).argmax(axis=1) == predict(model, optdigits.pixels).argmax(axis=1)
    assert same.mean() > 0.98


def test_quantizing_needs_the_data_or_a_substitute(storage, folder, tmp_path):
    """A model trained elsewhere may name a path that does not exist here."""
    change_card(folder, lambda card: card["data"].update(sources=[str(tmp_path / "gone")]))
    settings = ExportSettings(str(folder), "tflite", quantize="int8")
    with pytest.raises(NoInput, match="gone: found no file there"):
        _export(storage, settings)
    assert export(storage, settings, mnist_dir="digits", phases=Phases()).parity.rows == 360


def test_given_images_are_used_to_quantize_and_to_compare(storage, folder, tmp_path, optdigits):
    """Read by the given settings: here they are transposed."""
    turned = optdigits.rows(np.arange(300))
    turned.pixels[:] = turned.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    source = str(write_csv(tmp_path / "turned.csv", turned))
    options = {"data": (source,), "read": ReadSettings(is_transposed=True), "quantize": "int8"}
    result = _export(storage, ExportSettings(str(folder), "tflite", str(tmp_path / "out.tflite"), **options))
    assert result.parity.rows == 300
    assert result.samples.are_given
    assert np.array_equal(result.samples.to_quantize_by, optdigits.pixels[:300])


@pytest.mark.parametrize("to", ["tflite", "onnx", "saved-model"])
def test_the_export_of_a_plain_keras_file_takes_pixels(storage, plain, tmp_path, optdigits, to):
    """Rescaling, reshaping and softmax are part of it, as for `score`."""
    path, expected = plain
    result = _export(storage, ExportSettings(str(path), to, str(tmp_path / f"out.{to}")))
    assert np.allclose(_load(Path(result.path)).predict(optdigits.pixels), expected, atol=1e-5)
    assert result.parity.rows > len(optdigits)


def test_a_plain_keras_file_is_quantized_by_given_images(storage, plain, tmp_path, optdigits):
    """It comes without any; the new name does not include its suffix."""
    path = str(shutil.copy(plain[0], tmp_path / "mine.keras"))
    result = _export(storage, ExportSettings(path, "tflite", quantize="int8", data=("digits",)))
    assert result.path == str(tmp_path / "mine.int8.tflite")
    answers = _load(Path(result.path)).predict(optdigits.pixels)
    assert (answers.argmax(axis=1) == plain[1].argmax(axis=1)).mean() >= 0.99


@pytest.mark.parametrize("to", ["tflite", "saved-model"])
def test_an_existing_export_is_replaced_on_request_only(storage, folder, tmp_path, to):
    """By a complete one, and nothing is left beside it."""
    target = tmp_path / "out"
    settings = ExportSettings(str(folder), to, str(target))
    _export(storage, settings)
    before = _files(target) if to == "saved-model" else target.read_bytes()
    with pytest.raises(OutputOccupied, match=r"out: already exists; .* --overwrite"):
        _export(storage, settings)
    assert before == (_files(target) if to == "saved-model" else target.read_bytes())
    _export(storage, ExportSettings(str(folder), to, str(target), is_overwriting=True))
    _load(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "out"]


def _a_folder(target):
    target.mkdir()
    (target / "thesis.tex").write_text("precious")


def _a_file(target):
    target.write_text("precious")


@pytest.mark.parametrize("to", ["tflite", "onnx"])
@pytest.mark.parametrize("content", [b"precious", b"PK\x03\x04 model.keras", b"\x1c\0\0\0TFL2", b"\x08\x08"])
def test_a_file_of_another_kind_is_never_replaced(storage, folder, tmp_path, to, content):
    """Not even on request: it may be the network itself, or data."""
    (tmp_path / "out").write_bytes(content)
    with pytest.raises(OutputOccupied, match=f"out: already exists and is not an export to {to}; choose another"):
        _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out"), is_overwriting=True))
    assert (tmp_path / "out").read_bytes() == content


@pytest.mark.parametrize(("to", "other"), [("tflite", "onnx"), ("onnx", "tflite")])
def test_an_export_to_another_format_is_never_replaced(storage, folder, tmp_path, to, other):
    """The user has mixed up the names."""
    content = (folder / f"model.{other}").read_bytes()
    (tmp_path / "out").write_bytes(content)
    with pytest.raises(OutputOccupied, match=f"is not an export to {to}"):
        _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out"), is_overwriting=True))
    _export(storage, ExportSettings(str(folder), other, str(tmp_path / "out"), is_overwriting=True))
    assert (tmp_path / "out").read_bytes() == content


@pytest.mark.parametrize(
    ("to", "occupy", "expected"),
    [("tflite", _a_folder, "a file"), ("saved-model", _a_folder, "a SavedModel"), ("saved-model", _a_file, "a folder")],
)
def test_anything_but_an_export_is_never_replaced(storage, folder, tmp_path, to, occupy, expected):
    """Not even on request."""
    occupy(tmp_path / "out")
    before = list(tmp_path.rglob("*"))
    with pytest.raises(OutputOccupied, match=f"expected {expected}"):
        _export(storage, ExportSettings(str(folder), to, str(tmp_path / "out"), is_overwriting=True))
    assert list(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_a_valid_target_for_a_saved_model(storage, folder, tmp_path):
    """Docker creates one for a volume."""
    (tmp_path / "out").mkdir()
    _load(Path(_export(storage, ExportSettings(str(folder), "saved-model", str(tmp_path / "out"))).path))


def test_a_model_folder_keeps_the_files_that_its_card_lists(storage, folder):
    """No export is written into it, or replaces one of its files."""
    for name in ("more.tflite", "model.tflite"):
        with pytest.raises(OutputOccupied, match="is inside a model folder"):
            _export(storage, ExportSettings(str(folder), "tflite", str(folder / name), is_overwriting=True))


def test_a_file_that_another_process_writes_meanwhile_stays(storage, folder, tmp_path, monkeypatch):
    """The export fails instead of replacing it."""
    original = exporter.compare

    def compare(*arguments):
        (tmp_path / "out.onnx").write_text("theirs")
        return original(*arguments)

    monkeypatch.setattr(exporter, "compare", compare)
    with pytest.raises(OutputOccupied, match="already exists"):
        _export(storage, ExportSettings(str(folder), "onnx", str(tmp_path / "out.onnx")))
    assert (tmp_path / "out.onnx").read_text() == "theirs"


def test_a_damaged_model_is_not_exported(storage, folder):
    """Digests are checked first."""
    content = bytearray((folder / "model.keras").read_bytes())
    content[1000] ^= 1
    (folder / "model.keras").write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"model\.keras: its SHA-256 does not match"):
        _export(storage, ExportSettings(str(folder), "onnx"))
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_an_exchanged_network_is_not_exported(storage, folder):
    """Its digest matches, but its answers to the golden rows do not."""
    fix_seed(5)
    dense((8,)).save(folder / "model.keras")
    digest = hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest()
    change_card(folder, lambda card: card["files"].update({"model.keras": digest}))
    with pytest.raises(
        ModelInvalid, match=r"model\.keras: its probabilities for the golden rows in model\.json differ"
    ):
        _export(storage, ExportSettings(str(folder), "onnx"))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("none", "is not a model folder"),
        ("none.keras", "no such file; expected a model folder, or a Keras"),
        ("linear", "its zip archive is damaged"),
        ("mine.onnx", "is an ONNX file, which `score` takes as it is"),
        ("unlisted", r"lists no model\.keras"),
    ],
)
def test_anything_but_a_model_is_refused(storage, tmp_path, location, message):
    """The error says what was expected."""
    write_model(tmp_path / "linear")
    (tmp_path / "mine.onnx").write_bytes(linear_onnx())
    change_card(write_model(tmp_path / "unlisted"), lambda card: card["files"].pop("model.keras"))
    with pytest.raises(ModelInvalid, match=f"{location}.*{message}"):
        _export(storage, ExportSettings(str(tmp_path / location), "onnx"))


def test_a_model_that_failed_its_gate_is_exported_on_request_only(storage, folder):
    """The same holds for scoring."""
    mark(storage, str(folder), ["it is bad"])
    with pytest.raises(ModelInvalid, match="the model is not blessed"):
        _export(storage, ExportSettings(str(folder), "onnx"))
    assert _export(storage, ExportSettings(str(folder), "onnx", allows_unblessed=True)).parity.rows == 16


@pytest.mark.parametrize("to", ["tflite", "onnx", "saved-model"])
def test_an_export_with_other_answers_is_never_written(storage, folder, monkeypatch, to):
    """Not even under a temporary name."""
    original = exporter._converted

    def converted(*arguments):
        files, predictor = original(*arguments)

        class Wrong:
            def predict(self, pixels):
                return np.roll(predictor.predict(pixels), 1, axis=1)

        return files, Wrong()

    monkeypatch.setattr(exporter, "_converted", converted)
    with pytest.raises(ModelInvalid, match="nothing was saved"):
        _export(storage, ExportSettings(str(folder), to))
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("step", ["saved_model.pb", "variables.index", "commit_folder"])
def test_a_failing_disk_leaves_nothing(folder, step):
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
        _export(Failing(), ExportSettings(str(folder), "saved-model"))
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_an_exported_onnx_file_has_the_documented_input_and_output(storage, folder):
    """Their names and types are those of the documentation."""
    result = _export(storage, ExportSettings(str(folder), "onnx"))
    session = ort.InferenceSession(result.path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("pixels", "tensor(uint8)", ["rows", 784])
    assert session.get_outputs()[0].name == "probabilities"


@pytest.mark.parametrize("name", ["mine.keras", "linked.keras"])
def test_the_model_is_not_overwritten_by_its_export(storage, tmp_path, name):
    """Neither by its own path, nor through a link."""
    (tmp_path / "mine.keras").write_bytes(b"the network")
    (tmp_path / "linked.keras").symlink_to("mine.keras")
    settings = ExportSettings(f"{tmp_path}/mine.keras", "onnx", str(tmp_path / name), is_overwriting=True)
    with pytest.raises(OutputOccupied, match=rf"{name}: is or holds what is read, .*mine\.keras; choose another"):
        _export(storage, settings)
    assert (tmp_path / "mine.keras").read_bytes() == b"the network"


@pytest.mark.parametrize("name", ["notes.txt", ".git", "model.json"])
def test_only_a_savedmodel_and_nothing_else_is_overwritten(storage, tmp_path, name):
    """What else is in the folder would go with it."""
    (tmp_path / "saved").mkdir()
    for each in ("saved_model.pb", name):
        (tmp_path / "saved" / each).write_text("")
    settings = ExportSettings("mine.keras", "saved-model", str(tmp_path / "saved"), is_overwriting=True)
    with pytest.raises(OutputOccupied, match="saved: is a folder, expected a SavedModel"):
        _export(storage, settings)
    assert (tmp_path / "saved" / name).exists()
