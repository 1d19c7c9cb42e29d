"""Plain .keras files are loaded without running their code, and put behind raw pixels."""

import ast
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import job
from job.errors import ModelInvalid
from job.model.bundle import predictor_of
from job.train.backend import import_keras
from job.train.card.foreign_model import convert


@pytest.mark.parametrize("shape", [(784,), (28, 28)])
def test_without_a_rescaling_layer_pixels_are_divided_by_255(converted, layers, caplog, shape):
    """Training code outside of the network usually does so; it is logged."""
    caplog.set_level("INFO")
    stack = [layers.Input(shape), layers.Flatten(), layers.Dense(10, activation="softmax")]
    bundle = converted(*stack)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 784), np.uint8)
    expected = np.asarray(import_keras().Sequential(stack)(pixels.reshape(-1, *shape) / np.float32(255)))
    assert np.allclose(predictor_of(bundle).predict(pixels), expected, atol=1e-5)
    assert "gets pixels / 255" in caplog.text


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_with_a_rescaling_layer_pixels_stay_unchanged(converted, layers, caplog, dtype):
    """Also if the layer is in a nested network."""
    caplog.set_level("INFO")
    inner = import_keras().Sequential([layers.Rescaling(1 / 255), layers.Dense(8, activation="relu")])
    stack = [layers.Input((784,), dtype=dtype), inner, layers.Dense(10, activation="softmax")]
    bundle = converted(*stack)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 784), np.uint8)
    expected = np.asarray(import_keras().Sequential(stack)(pixels.astype(dtype)))
    assert np.allclose(predictor_of(bundle).predict(pixels), expected, atol=1e-5)
    assert "gets pixels of 0-255" in caplog.text


def test_logits_become_probabilities(converted, layers):
    """A network trained with from_logits=True gets a softmax."""
    bundle = converted(layers.Input((784,)), layers.Dense(10))
    answers = predictor_of(bundle).predict(np.eye(3, 784, dtype=np.uint8) * 255)
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert answers.min() > 0


def test_code_in_a_model_is_not_run(tmp_path, converted, layers):
    """A Lambda layer is refused, and nothing is written."""
    with pytest.raises(ModelInvalid, match=r"mine\.keras: Keras cannot load it safely .*Lambda") as error:
        converted(layers.Input((784,)), layers.Lambda(lambda x: x), layers.Dense(10, activation="softmax"))
    assert error.value.exit_code == 78
    assert not (tmp_path / "model").exists()


class _Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def _repacked(path, change):
    """A .keras file's bytes after a function changed its members, by name."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def _with_layer(**entries):
    def change(members):
        config = json.loads(members["config.json"])
        config["config"]["layers"][-1].update(entries)
        members["config.json"] = json.dumps(config).encode()

    return change


def _with_pickled_weights(sprung):
    def change(members):
        del members["model.weights.h5"]
        weights = io.BytesIO()
        np.savez(weights, dense=np.array([_Trap(sprung)], dtype=object))
        members["model.weights.npz"] = weights.getvalue()

    return change


def test_no_code_that_a_keras_file_names_is_run(storage, tmp_path, layers):
    """Pickled weights, a function of any module as a layer, and a custom layer are refused."""
    path, sprung = tmp_path / "mine.keras", tmp_path / "sprung"
    import_keras().Sequential([layers.Input((784,)), layers.Dense(10)]).save(path)
    touch = {"module": "os", "class_name": "mkdir", "registered_name": None, "config": {"path": str(sprung)}}
    own = {"module": "theirs", "class_name": "Own", "registered_name": "theirs>Own"}
    contents = [
        _repacked(path, each) for each in (_with_pickled_weights(sprung), _with_layer(**touch), _with_layer(**own))
    ]
    contents.append(pickle.dumps(_Trap(sprung)))
    refused = rf"^{path}: (Keras cannot load it safely|is not a \.keras file|has its weights in model\.weights\.npz)"
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ModelInvalid, match=refused) as error:
            convert(storage, str(path), str(tmp_path / "model"))
        assert "\n" not in str(error.value)
    assert not sprung.exists()
    assert not (tmp_path / "model").exists()


def test_keras_files_are_opened_in_one_place_and_in_safe_mode():
    """Where the train stage loads foreign networks."""
    found = {}
    for source in Path(job.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("load_model", "enable_unsafe_deserialization")
            ):
                found[f"{source.parent.name}/{source.name}"] = ast.unparse(node)
    assert found == {"export/foreign.py": "import_keras().saving.load_model(local, compile=False, safe_mode=True)"}


def test_a_memory_error_does_not_make_a_model_invalid(converted, layers, monkeypatch):
    """A retry can help."""

    def fail(*_arguments, **_named):
        raise MemoryError("no room")

    monkeypatch.setattr(import_keras().saving, "load_model", fail)
    with pytest.raises(MemoryError, match="no room"):
        converted(layers.Input((784,)), layers.Dense(10, activation="softmax"))


@pytest.mark.parametrize(
    ("shape", "outputs", "found"),
    [((32, 32, 3), 10, r"inputs of shape \[\(32, 32, 3\)\]"), ((784,), 1, r"outputs of shape \[\(1,\)\]")],
)
def test_other_shapes_are_refused(converted, layers, shape, outputs, found):
    """The error names the shapes that were found and expected."""
    with pytest.raises(ModelInvalid, match=found + ".*expected one input of 784, 28x28 or 28x28x1"):
        converted(layers.Input(shape), layers.Flatten(), layers.Dense(outputs))


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n and so on"])
def test_another_kind_of_file_is_refused(storage, tmp_path, content):
    """Whatever its name is."""
    (tmp_path / "mine.keras").write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"is not a \.keras file"):
        convert(storage, str(tmp_path / "mine.keras"), str(tmp_path / "model"))
