"""An MLflow model folder: the Keras or ONNX model in it, found by its file MLmodel. `model_kind` goes on from there.

MLmodel is YAML of a fixed form: flavours, and under each a few lines of `key: value`. Only these lines are read, and
nothing that a flavour asks to be loaded or run (pickled objects, code, environments).
"""

import re
from collections.abc import Iterator
from typing import Final

from job.errors import ModelInvalid
from job.storage import Storage, join

MLFLOW_NAME: Final = "MLmodel"
# Which flavour to take, the first first: an ONNX file needs no Keras.
_FLAVOURS: Final = ("onnx", "keras", "tensorflow")
# Where Keras's and TensorFlow's flavours keep the model, relative to their `data`.
_NAMES: Final = ("model.keras", "model.h5", "model", "tfmodel", "")
_ENTRY: Final = re.compile(r"( *)([A-Za-z_][\w.-]*):\s*(.*?)\s*")
_MAX_BYTES: Final = 1 << 20
# File systems have longer ones for no name.
_MAX_NAME: Final = 255


def model_in_mlflow(storage: Storage, folder: str) -> str:
    """The path of the model's own file or folder. Raises ModelInvalid with the flavours that were found instead."""
    path = join(folder, MLFLOW_NAME)
    found = storage.stat(path)
    if found is None or found.size > _MAX_BYTES:
        raise ModelInvalid(f"{path}: does not describe an MLflow model")
    flavours = _flavours(storage.read(path).decode(errors="replace"))
    for name in _FLAVOURS:
        for place in _places(flavours.get(name)):
            candidate = join(folder, place) if place else folder
            if storage.stat(candidate) or (storage.is_folder(candidate) and storage.list(candidate) and place):
                return candidate
    names = ", ".join(name for name in flavours if name != "python_function") or "none"
    raise ModelInvalid(
        f"{path}: holds no Keras or ONNX model (flavours: {names:.100}); log the model with mlflow.onnx or mlflow.keras"
    )


def _places(flavour: dict[str, str] | None) -> Iterator[str]:
    """Where a flavour's model may be, relative to the folder; nothing that leads out of it."""
    if flavour is None:
        return
    data = (flavour.get("data") or flavour.get("saved_model_dir") or "data").strip("'\"")
    if data.startswith(("/", "\\")) or "\0" in data or len(data) > _MAX_NAME or {".", ".."} & {*data.split("/")}:
        return
    yield from (f"{data}/{name}" if name else data for name in _NAMES)


def _flavours(text: str) -> dict[str, dict[str, str]]:
    """The scalars of each flavour, by name."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    is_inside, depth = False, 0
    for line in text.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            continue
        indentation, key, value = len(entry[1]), entry[2], entry[3]
        if indentation == 0:
            is_inside, depth = key == "flavors", 0
        elif is_inside:
            depth = depth or indentation
            if indentation == depth:
                current = found.setdefault(key, {})
            elif value not in {"", "null"}:
                current.setdefault(key, value)
    return found
