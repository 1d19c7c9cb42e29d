"""Keras files saved elsewhere, `.keras` and HDF5: loaded without running code of theirs, and only if they are small.

`foreign_saved_model` does the same for SavedModels, `pixel_input` puts the networks behind raw pixels.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import CLASSES, PIXELS, SIDE
from job.errors import ModelInvalid
from job.model.bundle import KERAS_NAME
from job.model.model_kind import CONFIG_NAME, ModelKind
from job.train.backend import import_keras
from job.train.damage import damage_of
from job.train.export.claims import check_hdf5, check_layers, members_of
from job.train.scratch import scratch_folder

if TYPE_CHECKING:
    import keras


INPUT_SHAPES: Final = ((PIXELS,), (SIDE, SIDE), (SIDE, SIDE, 1), (1, SIDE, SIDE))
_HDF5_NAME: Final = "model.h5"
_WEIGHTS: Final = "model.weights.h5"
_MEMBERS: Final = ("metadata.json", CONFIG_NAME, _WEIGHTS)
# Of an older Keras 3.
_OTHER_WEIGHTS: Final = "model.weights.npz"
# Layers that are code of the model's author: Python's bytecode, and calls of any function of TensorFlow.
_CODE: Final = frozenset({"Lambda", "TFOpLambda", "SlicingOpLambda"})
_OLD_POLICY: Final = "Policy"


def load_foreign(content: bytes, path: str, kind: ModelKind = ModelKind.KERAS) -> "keras.Model":
    """The network in a Keras file's bytes, computing in float32; `path` names the file in errors.

    Losses, metrics and optimizers are left out, because a prediction needs none. Raises ModelInvalid if the network
    cannot be loaded without running code of its own, is too large, or does not map 784 to 10 numbers.
    """
    if kind is ModelKind.HDF5:
        _check_hdf5_file(content, path)
    else:
        content = _checked_archive(content, path)
    # First, because it makes the folder for temporary files private.
    import_keras()
    with scratch_folder(len(content)) as folder, ThreadPoolExecutor(1) as trial:
        local = folder / (_HDF5_NAME if kind is ModelKind.HDF5 else KERAS_NAME)
        local.write_bytes(content)
        if kind is ModelKind.HDF5:
            _rename_policies(local)
        # In a thread of its own: Keras keeps a list of such variables for each thread, and would initialize them later.
        trial.submit(_check_claims, local, path).result()
        model = _load(local, path)
    check_shapes(model, path)
    model = _in_float32(model, path)
    _embed_statistics(model)
    return model


def _check_claims(local: Path, path: str) -> None:
    """Raise ModelInvalid where a network is too large; its variables get no values, and so take no memory."""
    with import_keras().StatelessScope(initialize_variables=False):
        check_layers(_load(local, path), path)


def check_shapes(model: "keras.Model", path: str) -> None:
    """Raise ModelInvalid unless a network maps one image to ten numbers."""
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    input_shapes, output_shapes = ([tuple(each.shape[1:]) for each in tensors] for tensors in (inputs, outputs))
    if len(input_shapes) != 1 or input_shapes[0] not in INPUT_SHAPES or output_shapes != [(CLASSES,)]:
        raise ModelInvalid(
            f"{path}: has inputs of shape {input_shapes or 'unknown'} and outputs of shape "
            f"{output_shapes or 'unknown'}; expected one input of 784, 28x28 or 28x28x1 and one output of {CLASSES}"
        )


def _checked_archive(content: bytes, path: str) -> bytes:
    """A .keras file anew, of its three files alone: Keras unpacks folders of assets by the names that they bring."""
    members = members_of(content, (*_MEMBERS, _OTHER_WEIGHTS), path)
    if _OTHER_WEIGHTS in members:
        raise ModelInvalid(
            f"{path}: has its weights in {_OTHER_WEIGHTS}, expected HDF5, as model.save of Keras 3 writes it"
        )
    if _WEIGHTS in members:
        check_hdf5(members[_WEIGHTS], path)
    _refuse_code(members.get(CONFIG_NAME, b""), path)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return file.getvalue()


def _check_hdf5_file(content: bytes, path: str) -> None:
    import h5py

    check_hdf5(content, path)
    with damage_of(path, lambda error: f"{path}: its architecture is damaged: {error!s:.100}; save the model again"):
        with h5py.File(io.BytesIO(content)) as file:
            config = file.attrs.get("model_config")
        if isinstance(config, bytes):
            config = config.decode()
        if not isinstance(config, (str, NoneType)):
            raise TypeError(f"it is no text, but {type(config).__name__}")
        config = None if config is None else config.encode()
    if config is None:
        raise ModelInvalid(
            f"{path}: holds weights without an architecture; save the whole model with model.save('model.keras')"
        )
    _refuse_code(config, path)


def _rename_policies(local: Path) -> None:
    """Replace policies for mixed precision, as Keras 2 describes them and Keras 3 does not know them, by float32."""
    import h5py

    with h5py.File(local, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        if _OLD_POLICY in _class_names(config):
            file.attrs["model_config"] = json.dumps(_with_float32(config)).encode()


def _refuse_code(config: bytes, path: str) -> None:
    """Raise ModelInvalid for an architecture with layers that are code; Keras refuses some of them less clearly."""
    try:
        found = sorted(set(_class_names(json.loads(config))) & _CODE)
    except (ValueError, RecursionError) as error:
        raise ModelInvalid(f"{path}: its architecture is damaged: {error!s:.100}; save the model again") from error
    if found:
        raise ModelInvalid(
            f"{path}: Keras cannot load it safely: it has {found[0]} layers, which are code of their own; build it of "
            "standard layers, such as Rescaling, or export it to ONNX"
        )


def _class_names(config: Any) -> Iterator[str]:
    """All class names in an architecture."""
    if isinstance(config, dict):
        if isinstance(name := config.get("class_name"), str):
            yield name
        config = list(config.values())
    if isinstance(config, list):
        for each in config:
            yield from _class_names(each)


def _load(local: Path, path: str) -> "keras.Model":
    keras = import_keras()

    def message(error: Exception) -> str:
        sentence = _first_sentence(error)
        return (
            f"{path}: Keras cannot load it safely ({sentence}); expected standard layers, without Lambda layers or "
            "custom code"
        )

    with damage_of(path, message):
        return keras.saving.load_model(local, compile=False, safe_mode=True)


def _first_sentence(error: Exception) -> str:
    sentence = " ".join(str(error).split()).partition(". ")[0]
    return sentence.removesuffix(".")[:200] or type(error).__name__


def _in_float32(model: "keras.Model", path: str) -> "keras.Model":
    """The same network computing in float32; half precision is for training, and ONNX lacks some of its operators."""
    keras = import_keras()
    if all(each.dtype_policy.name == "float32" for each in layers_of(model)):
        return model

    def message(error: Exception) -> str:
        return f"{path}: cannot be converted to float32 ({_first_sentence(error)}); save it with the policy float32"

    with damage_of(path, message):
        config = _with_float32(keras.saving.serialize_keras_object(model))
        converted = keras.saving.deserialize_keras_object(config, safe_mode=True)
        weights = (np.asarray(each) for each in model.get_weights())
        # NumPy has no kind for bfloat16 ("V"); integers are the states of random generators.
        converted.set_weights([each if each.dtype.kind in "iu" else each.astype(np.float32) for each in weights])
    return converted


def _embed_statistics(model: "keras.Model") -> None:
    """Make the mean and variance of Normalization layers constants; as tensors, ONNX would make them inputs."""
    keras = import_keras()
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = (keras.ops.convert_to_numpy(each) for each in (layer.mean, layer.variance))


def layers_of(model: "keras.Model") -> Iterator[Any]:
    """The layers of a network, including those of networks nested in it."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from layers_of(layer)


def _with_float32(config: Any) -> Any:
    """A configuration whose types of floats are all float32."""
    if isinstance(config, dict):
        if config.get("class_name") in {"DTypePolicy", _OLD_POLICY}:
            return "float32"
        return {name: _with_float32(_plain_type(name, value)) for name, value in config.items()}
    return [_with_float32(each) for each in config] if isinstance(config, list) else config


def _plain_type(name: str, value: Any) -> Any:
    return "float32" if name == "dtype" and isinstance(value, str) and "float" in value else value
