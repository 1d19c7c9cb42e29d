"""Keras files and SavedModels from elsewhere are loaded without running their code, and put behind raw pixels."""

import ast
import io
import json
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.networks import answers, trained_layers

import job
from job.errors import ModelInvalid, ResourceExhausted
from job.model.bundle import open_bundle, predictor_of
from job.model.input_range import InputRange
from job.model.model_kind import ModelKind, find_model
from job.normalize.reference_digits import reference_digits
from job.train.backend import import_keras
from job.train.card.foreign_model import convert
from job.train.export.foreign import _checked_archive


def _trained_stack(layers, trained_in, shape=(784,), activation="softmax"):
    """Layers with the weights of a network that was trained on reference digits, and the model that they make."""
    weights = trained_layers(trained_in)
    stack = [
        layers.Input(shape), layers.Flatten(), layers.Dense(weights[1].size, activation="relu"),
        layers.Dense(10, activation=activation),
    ]  # fmt: skip
    import_keras().Sequential(stack).set_weights(weights)
    return stack


def _expected(trained_in, pixels):
    return answers(trained_layers(trained_in), trained_in.apply(pixels))


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 784), np.uint8)


@pytest.mark.parametrize("name", ["mine.keras", "mine.h5"])
@pytest.mark.parametrize(
    ("shape", "trained_in"),
    [((784,), InputRange.UNIT), ((28, 28), InputRange.BYTES), ((28, 28, 1), InputRange.STANDARD)],
)
def test_a_network_gets_its_pixels_as_it_was_trained(converted, layers, caplog, shape, trained_in, name):
    """Without a Rescaling layer, the reference digits show how; it is logged."""
    caplog.set_level("INFO")
    bundle = converted(*_trained_stack(layers, trained_in, shape), name=name)
    assert np.allclose(predictor_of(bundle).predict(PIXELS), _expected(trained_in, PIXELS), atol=1e-4)
    assert f"gets {trained_in.formula}" in caplog.text


def test_a_network_that_knows_no_digits_needs_the_flag(converted, layers, caplog):
    """Without it, it is refused; with it, there is a warning."""
    stack = [layers.Input((784,)), layers.Dense(10, activation="softmax")]
    with pytest.raises(ModelInvalid, match=r"mine\.keras: does not say which range .* with --model-scale: 255, 1"):
        converted(*stack)
    bundle = converted(*stack, input_range=InputRange.SYMMETRIC)
    expected = np.asarray(import_keras().Sequential(stack)(InputRange.SYMMETRIC.apply(PIXELS)))
    assert np.allclose(predictor_of(bundle).predict(PIXELS), expected, atol=1e-5)
    assert "of the reference digits correctly; is it trained on digits" in caplog.text


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("name", ["mine.keras", "mine.h5"])
def test_a_network_of_another_precision_computes_in_float32(converted, layers, policy, name):
    """ONNX has no operator for some; half precision is for training."""
    keras = import_keras()
    keras.config.set_dtype_policy(policy)
    try:
        stack = _trained_stack(layers, InputRange.UNIT, (28, 28))
    finally:
        keras.config.set_dtype_policy("float32")
    bundle = converted(*stack, name=name)
    assert np.allclose(predictor_of(bundle).predict(PIXELS), _expected(InputRange.UNIT, PIXELS), atol=1e-4)


def test_a_normalization_layer_keeps_its_statistics(converted, layers):
    """They are no variables, which the export would take for inputs."""
    first, *others = trained_layers(InputRange.BYTES)
    normalization = layers.Normalization(axis=None, mean=33.0, variance=6200.0)
    stack = [layers.Input((784,)), normalization, layers.Dense(32, activation="relu"), layers.Dense(10)]
    deviation = np.sqrt(np.float32(6200))
    bias = others[0] + 33 * first.sum(axis=0)
    model = import_keras().Sequential(stack)
    dense = [each for each in model.weights if "dense" in each.path]
    for variable, value in zip(dense, (first * deviation, bias, *others[1:]), strict=True):
        variable.assign(value)
    bundle = converted(*stack)
    assert np.allclose(predictor_of(bundle).predict(PIXELS), _expected(InputRange.BYTES, PIXELS), atol=1e-3)


def test_mixed_precision_as_keras_2_describes_it(storage, tmp_path, layers):
    """In an HDF5 file; Keras 3 does not know its policies."""
    path = tmp_path / "mine.h5"
    import_keras().Sequential(_trained_stack(layers, InputRange.UNIT)).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for each in config["config"]["layers"][1:]:
            each["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
        file.attrs["model_config"] = json.dumps(config)
    convert(storage, find_model(storage, str(path)), str(tmp_path / "model"))
    bundle = open_bundle(storage, str(tmp_path / "model"))
    assert np.allclose(predictor_of(bundle).predict(PIXELS), _expected(InputRange.UNIT, PIXELS), atol=1e-4)


def test_a_loss_a_metric_and_an_optimizer_of_its_own_do_no_harm(storage, tmp_path, layers):
    """None of them is needed for a prediction; they are not loaded."""
    keras = import_keras()

    class Own(keras.optimizers.SGD):
        pass

    def loss(_true, predicted):
        return keras.ops.mean(predicted)

    def metric(_true, predicted):
        return keras.ops.max(predicted)

    model = keras.Sequential(_trained_stack(layers, InputRange.UNIT))
    model.compile(Own(0.0), loss, metrics=[metric])
    model.fit(np.zeros((2, 784)), np.zeros((2, 1)), verbose=0)
    for name in ("mine.keras", "mine.h5"):
        model.save(tmp_path / name)
        convert(storage, find_model(storage, str(tmp_path / name)), str(tmp_path / f"{name} model"))


def test_outputs_of_sigmoids_are_divided_by_their_sum(converted, layers):
    """Ten of them do not add up to 1."""
    bundle = converted(*_trained_stack(layers, InputRange.UNIT, activation="sigmoid"))
    found = predictor_of(bundle).predict(reference_digits().pixels)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == reference_digits().labels).mean() > 0.9


def _export(model, path):
    model.export(path, verbose=False)


def _save_by_tensorflow(model, path):
    import tensorflow as tf

    tf.saved_model.save(model, path)


@pytest.mark.slow
@pytest.mark.parametrize("save", [_export, _save_by_tensorflow])
@pytest.mark.parametrize("trained_in", [InputRange.UNIT, InputRange.BYTES])
def test_a_saved_model_folder_is_converted(storage, tmp_path, layers, save, trained_in):
    """As Keras 3 exports it, and as TensorFlow saves it."""
    folder = str(tmp_path / "mine")
    save(import_keras().Sequential(_trained_stack(layers, trained_in, (28, 28, 1))), folder)
    found = find_model(storage, folder)
    assert found.kind is ModelKind.SAVED_MODEL
    convert(storage, found, str(tmp_path / "model"))
    bundle = open_bundle(storage, str(tmp_path / "model"))
    assert np.allclose(predictor_of(bundle).predict(PIXELS), _expected(trained_in, PIXELS), atol=1e-4)


def _module_that(run):
    import tensorflow as tf

    module = tf.Module()
    module.serve = tf.function(run, input_signature=[tf.TensorSpec([None, 784], tf.float32)])
    return module


@pytest.mark.slow
def test_a_saved_model_that_does_more_than_compute_is_not_run(storage, tmp_path):
    """Here it writes a file; the operator is named, also where a function calls it."""
    import tensorflow as tf

    sprung = tmp_path / "sprung"

    @tf.function
    def spring(values):
        tf.io.write_file(str(sprung), "x")
        return values[:, :10]

    for number, run in enumerate((lambda x: {"o": spring(x)}, lambda x: {"a": x[:, :10], "b": x[:, :10]})):
        module, folder = _module_that(run), str(tmp_path / f"{number}")
        tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
        with pytest.raises(ModelInvalid, match=r"runs the operator 'WriteFile'|has 2 outputs, expected one"):
            convert(storage, find_model(storage, folder), str(tmp_path / "model"))
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["mine.keras", "mine.h5"])
def test_layers_that_are_code_are_refused(tmp_path, converted, layers, name):
    """In both kinds of file, with the name of the layer; nothing is written."""
    with pytest.raises(ModelInvalid, match="Keras cannot load it safely: it has Lambda layers"):
        converted(layers.Input((784,)), layers.Lambda(lambda x: x), layers.Dense(10), name=name)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(("name", "other"), [("mine.keras", "mine.h5"), ("mine.h5", "mine.keras")])
def test_the_content_counts_and_not_the_name(storage, tmp_path, layers, name, other):
    """An HDF5 file named .keras is read as what it is."""
    import_keras().Sequential(_trained_stack(layers, InputRange.UNIT)).save(tmp_path / name)
    (tmp_path / name).rename(tmp_path / other)
    convert(storage, find_model(storage, str(tmp_path / other)), str(tmp_path / "model"))
    assert open_bundle(storage, str(tmp_path / "model")).about["architecture"] == "Flatten-Dense-Dense"


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
    bundle = converted(layers.Input((784,)), layers.Dense(10), input_range=InputRange.UNIT)
    found = predictor_of(bundle).predict(np.eye(3, 784, dtype=np.uint8) * 255)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found.min() > 0


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
    refused = rf"^{path}: (Keras cannot load it safely|is a pickle|has its weights in model\.weights\.npz)"
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ModelInvalid, match=refused) as error:
            convert(storage, find_model(storage, str(path)), str(tmp_path / "model"))
        assert "\n" not in str(error.value)
    assert not sprung.exists()
    assert not (tmp_path / "model").exists()


def test_keras_gets_only_the_three_files_of_a_network(tmp_path, layers):
    """It would unpack `assets` by the names that the file brings."""
    path = tmp_path / "mine.keras"
    import_keras().Sequential([layers.Input((784,)), layers.Dense(10)]).save(path)
    more = {"assets/../../planted": b"x", str(tmp_path / "planted"): b"x"}
    content = _checked_archive(_repacked(path, lambda members: members.update(more)), "m")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]


def test_keras_files_are_opened_in_one_place_and_in_safe_mode():
    """Where the train stage loads foreign networks."""
    found = {}
    for source in Path(job.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("load_model", "enable_unsafe_deserialization")
            ):
                found[f"{source.parent.name}/{source.name}"] = ast.unparse(node)
    assert found == {"export/foreign.py": "keras.saving.load_model(local, compile=False, safe_mode=True)"}


def test_a_memory_error_does_not_make_a_model_invalid(converted, layers, monkeypatch):
    """A retry can help."""

    def fail(*_arguments, **_named):
        raise MemoryError("no room")

    monkeypatch.setattr(import_keras().saving, "load_model", fail)
    with pytest.raises(ResourceExhausted, match="out of memory"):
        converted(layers.Input((784,)), layers.Dense(10, activation="softmax"))


@pytest.mark.parametrize(
    ("shape", "outputs", "found"),
    [((32, 32, 3), 10, r"inputs of shape \[\(32, 32, 3\)\]"), ((784,), 1, r"outputs of shape \[\(1,\)\]")],
)
def test_other_shapes_are_refused(converted, layers, shape, outputs, found):
    """The error names the shapes that were found and expected."""
    with pytest.raises(ModelInvalid, match=found + ".*expected one input of 784, 28x28 or 28x28x1"):
        converted(layers.Input(shape), layers.Flatten(), layers.Dense(outputs))
