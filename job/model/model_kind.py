"""What a model is that somebody names with `--model`, by its content: one of the kinds that can be scored with, or not.

Reads the first bytes of a file, the members of an archive, and the names in a folder. `train.plain_model` converts what
is not a model folder. For what cannot be used, the error says what it is and what to save instead.
"""

import io
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Final

from job.documents.checking import parse_json
from job.errors import ModelInvalid
from job.model.bounds import MAX_FILE_BYTES
from job.model.bundle import CARD_NAME
from job.model.mlflow_folder import MLFLOW_NAME, model_in_mlflow
from job.model.onnx_file import is_onnx
from job.storage import Storage, join

CONFIG_NAME: Final = "config.json"
_WEIGHTS_NAME: Final = "model.weights.h5"
_GRAPH_NAME: Final = "saved_model.pb"
_MAX_TEXT_BYTES: Final = 1 << 20
_LFS: Final = b"version https://git-lfs.github.com/spec/"
_ZIP, _HDF5, _GZIP, _ZLIB = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b", b"\x78"
_PICKLE, _TFLITE = b"\x80", b"TFL3"
_PICKLE_SUFFIXES: Final = (".joblib", ".pkl", ".pickle", ".sav", ".z")
_PYTORCH_SUFFIXES: Final = (".pt", ".pth")
_SUFFIXES: Final = (".keras", ".h5", ".hdf5", ".onnx")
# Of HDF5's attribute that holds a Keras model's architecture.
_ARCHITECTURE: Final = b"model_config"
_SAVE_KERAS: Final = "save the whole model with model.save('model.keras')"
_EXPORT_ONNX: Final = "export it to ONNX, which needs no code of its own"


class ModelKind(Enum):
    """How a model is stored."""

    FOLDER = auto()
    KERAS = auto()
    HDF5 = auto()
    SAVED_MODEL = auto()
    ONNX = auto()


@dataclass(frozen=True)
class FoundModel:
    """A model that can be used. path: of the file or folder itself, which may lie inside of the folder that was named.

    content: of a file; empty for a folder.
    """

    kind: ModelKind
    path: str
    content: bytes = b""


def find_model(storage: Storage, location: str) -> FoundModel:
    """What is at a location. Raises ModelInvalid where that cannot be used, with what it is and what to do."""
    path = storage.resolve(location)
    if storage.is_folder(path):
        return _in_folder(storage, path)
    found = storage.stat(path)
    if found is None:
        # Opening it says how to get a model.
        if PurePosixPath(path).suffix not in _SUFFIXES:
            return FoundModel(ModelKind.FOLDER, path)
        raise ModelInvalid(f"{path}: no such file; expected a model folder, or a Keras or ONNX file")
    if found.size > MAX_FILE_BYTES:
        raise ModelInvalid(f"{path}: has {found.size:,} bytes, expected at most {MAX_FILE_BYTES:,}")
    content = storage.read(path)
    return FoundModel(_kind_of(content, path), path, content)


def is_model(storage: Storage, location: str) -> bool:
    """Whether there is a model at a location, of a kind that can be used."""
    try:
        found = find_model(storage, location)
    except ModelInvalid:
        return False
    return found.kind is not ModelKind.FOLDER or storage.stat(join(found.path, CARD_NAME)) is not None


def _kind_of(content: bytes, path: str) -> ModelKind:
    """The kind of a file."""
    if not content:
        raise ModelInvalid(f"{path}: is empty; copy or save the model again")
    if content.startswith(_LFS):
        raise ModelInvalid(f"{path}: is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`")
    if content.startswith(_ZIP):
        return _kind_of_archive(content, path)
    if content.startswith(_HDF5):
        return _kind_of_hdf5(content, path)
    if is_onnx(content):
        return ModelKind.ONNX
    raise ModelInvalid(f"{path}: {_sentence_about(content, path)}")


def _kind_of_hdf5(content: bytes, path: str) -> ModelKind:
    # The size of the whole file stands in its superblock, behind the signature (HDF5 File Format Specification, II.A).
    place = 28 if content[8:9] in {b"\x02", b"\x03"} else 40
    size = int.from_bytes(content[place : place + 8], "little")
    if len(content) < size:
        raise ModelInvalid(
            f"{path}: is an HDF5 file that is cut off: it has {len(content):,} of {size:,} bytes; copy it again"
        )
    if _ARCHITECTURE not in content:
        raise ModelInvalid(f"{path}: is an HDF5 file with weights or data, without an architecture; {_SAVE_KERAS}")
    return ModelKind.HDF5


def _kind_of_archive(content: bytes, path: str) -> ModelKind:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise ModelInvalid(
            f"{path}: is a zip archive that is cut off or damaged ({error}); copy or download it again"
        ) from error
    last_names = {PurePosixPath(name).name for name in names}
    if CONFIG_NAME in names:
        return ModelKind.KERAS
    if _WEIGHTS_NAME in last_names and CONFIG_NAME not in last_names:
        raise ModelInvalid(f"{path}: holds weights without an architecture; {_SAVE_KERAS}")
    if "data.pkl" in last_names:
        raise ModelInvalid(f"{path}: is a PyTorch file, which is a pickle and may run code; {_EXPORT_ONNX}")
    packed = last_names & {CONFIG_NAME, CARD_NAME, _GRAPH_NAME, MLFLOW_NAME}
    if packed:
        raise ModelInvalid(f"{path}: is a zip archive of a folder with {min(packed)}; unpack it, and name the folder")
    if any(name.endswith(".npy") for name in names):
        raise ModelInvalid(f"{path}: is a NumPy archive: arrays without an architecture; {_SAVE_KERAS}")
    raise ModelInvalid(f"{path}: is a zip archive without {CONFIG_NAME}, so no .keras file; {_SAVE_KERAS}")


def _sentence_about(content: bytes, path: str) -> str:
    """What a file is that holds no model that can be used."""
    suffix = PurePosixPath(path).suffix.lower()
    head = content[:_MAX_TEXT_BYTES]
    is_pickle = suffix in _PICKLE_SUFFIXES or content.startswith((_PICKLE, _ZLIB))
    is_packed = content[257:262] == b"ustar" or (content.startswith(_GZIP) and suffix not in _PICKLE_SUFFIXES)
    sentences = (
        (content[4:8] == _TFLITE, "is a TFLite file, which is an export; name the Keras model that it was made from"),
        (suffix == ".pb", "is a graph of TensorFlow's; name the SavedModel folder that holds it"),
        (is_packed, "is a packed archive; unpack it, and name the folder or file in it"),
        (suffix in _PYTORCH_SUFFIXES, f"is a PyTorch file, which is a pickle and may run code; {_EXPORT_ONNX}"),
        (
            is_pickle,
            f"is a pickle, such as scikit-learn and joblib write, and may run code; {_EXPORT_ONNX} (skl2onnx)",
        ),
        (
            re.match(rb"\s*(<!doctype html|<html)", head, re.IGNORECASE),
            "is an HTML page, perhaps of a download that needs a login; download the file itself",
        ),
        (
            b'"data_offsets"' in head,
            f"is a safetensors file: weights without an architecture; {_SAVE_KERAS}, or {_EXPORT_ONNX}",
        ),
        (
            head.lstrip().startswith(b"{"),
            f"is JSON: an architecture or a description without weights; {_SAVE_KERAS}",
        ),
        (suffix in _SUFFIXES, f"is damaged, or no {suffix} file; copy or save the model again"),
    )
    other = "is no Keras or ONNX file; expected a model folder, .keras, .h5, a SavedModel, .onnx or an MLflow folder"
    return next((sentence for holds, sentence in sentences if holds), other)


def _in_folder(storage: Storage, path: str) -> FoundModel:
    names = storage.list(path)
    if MLFLOW_NAME in names:
        inner = model_in_mlflow(storage, path)
        if MLFLOW_NAME in storage.list(inner):
            raise ModelInvalid(f"{join(path, MLFLOW_NAME)}: leads to another {MLFLOW_NAME}, expected a model")
        return find_model(storage, inner)
    if _GRAPH_NAME in names:
        return FoundModel(ModelKind.SAVED_MODEL, path)
    if CARD_NAME in names:
        _refuse_other_json(storage, join(path, CARD_NAME))
        return FoundModel(ModelKind.FOLDER, path)
    if CONFIG_NAME in names and _WEIGHTS_NAME in names:
        return FoundModel(ModelKind.KERAS, path, _packed(storage, path, (CONFIG_NAME, _WEIGHTS_NAME)))
    sentence = _sentence_about_folder(names)
    if sentence is None:
        return FoundModel(ModelKind.FOLDER, path)
    raise ModelInvalid(f"{path}: {sentence}")


def _sentence_about_folder(names: Collection[str]) -> str | None:
    """What a folder is that holds no model; None if nothing can be said."""
    visible = [name for name in names if not name.startswith(".")]
    models = [name for name in visible if name.endswith(_SUFFIXES)]
    if any(name.endswith(".index") for name in visible):
        return f"is a TensorFlow checkpoint: weights without an architecture; {_SAVE_KERAS}"
    if models:
        return f"is not a model folder, but holds {models[0]!r}; name that file"
    if any(name.endswith((".safetensors", "pytorch_model.bin")) for name in visible):
        return f"is a folder of weights without an architecture, as Hugging Face's; {_EXPORT_ONNX}"
    return None


def _refuse_other_json(storage: Storage, card: str) -> None:
    """Other programs write a model.json, too. Raises ModelInvalid for theirs; the rest `open_bundle` judges."""
    found = storage.stat(card)
    if found is None or found.size > _MAX_TEXT_BYTES:
        return
    try:
        keys = set(parse_json(storage.read(card)))
    except (ValueError, TypeError):
        return
    if keys & {"weightsManifest", "modelTopology"}:
        raise ModelInvalid(f"{card}: is a TensorFlow.js model, not a model card; {_SAVE_KERAS}")
    if {"class_name", "config"} <= keys:
        raise ModelInvalid(f"{card}: is a Keras architecture without weights, not a model card; {_SAVE_KERAS}")


def _packed(storage: Storage, folder: str, names: Collection[str]) -> bytes:
    """The zip archive that a folder was unpacked from."""
    found = [storage.stat(join(folder, name)) for name in names]
    size = sum(each.size for each in found if each)
    if size > MAX_FILE_BYTES:
        raise ModelInvalid(f"{folder}: has {size:,} bytes, expected at most {MAX_FILE_BYTES:,}")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), storage.read(join(folder, name)))
    return content.getvalue()
