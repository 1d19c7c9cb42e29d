"""A model is recognised by its content; what cannot be used gets a sentence of its own."""

import io
import json
import pickle
import zipfile

import pytest
from support.models import linear_onnx, write_model

from job.errors import ModelInvalid
from job.model.model_kind import ModelKind, find_model

# The signature, and a superblock that says that the file has 60 bytes.
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(32) + b"\x3c" + bytes(19)


def _zip(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("m.keras", _zip("metadata.json", "config.json", "model.weights.h5"), ModelKind.KERAS),
        ("m.h5", _zip("metadata.json", "config.json", "model.weights.h5"), ModelKind.KERAS),
        ("m.h5", HDF5 + b"... model_config ...", ModelKind.HDF5),
        ("m.keras", HDF5 + b"... model_config ...", ModelKind.HDF5),
        ("m.onnx", linear_onnx(), ModelKind.ONNX),
        ("model", linear_onnx(), ModelKind.ONNX),
    ],
)
def test_files_are_recognised_by_their_content(storage, tmp_path, name, content, kind):
    """Whatever their name is."""
    (tmp_path / name).write_bytes(content)
    found = find_model(storage, str(tmp_path / name))
    assert (found.kind, found.path, found.content) == (kind, str(tmp_path / name), content)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.keras", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer"),
        ("m.keras", b"", "is empty"),
        ("m.keras", _zip("config.json", "model.weights.h5")[:-30], "is a zip archive that is cut off or damaged"),
        ("m.keras", _zip("model.weights.h5"), "holds weights without an architecture; save the whole model"),
        ("m.keras", _zip("other.txt"), r"is a zip archive without config\.json, so no \.keras file"),
        ("m.zip", _zip("mine/saved_model.pb"), "is a zip archive of a folder with saved_model.pb; unpack it"),
        ("m.zip", _zip("mine/model.json"), "is a zip archive of a folder with model.json; unpack it"),
        ("m.npz", _zip("weights0.npy"), "is a NumPy archive: arrays without an architecture"),
        ("m.weights.h5", HDF5 + b"weights only", "is an HDF5 file with weights or data, without an architecture"),
        ("m.h5", HDF5[:50], "is an HDF5 file that is cut off: it has 50 of 60 bytes; copy it again"),
        ("saved_model.pb", b"\x08\x01\x12\x00", "is a graph of TensorFlow's; name the SavedModel folder"),
        ("m.pt", _zip("archive/data.pkl", "archive/data/0"), "is a PyTorch file, which is a pickle and may run code"),
        ("m.pth", pickle.dumps({}), "is a PyTorch file, which is a pickle and may run code; export it to ONNX"),
        ("m.pkl", pickle.dumps({}), "is a pickle, such as scikit-learn and joblib write"),
        ("m.joblib", b"\x78\x9c" + bytes(50), "is a pickle, such as scikit-learn and joblib write"),
        ("m.bin", pickle.dumps([1, 2]), "is a pickle"),
        ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(50), "is a TFLite file, which is an export"),
        ("m.tar.gz", b"\x1f\x8b" + bytes(50), "is a packed archive; unpack it"),
        ("m.h5", b"<!DOCTYPE html>\n<html></html>", "is an HTML page"),
        ("m.json", b'{"class_name": "Sequential"}', "is JSON: an architecture or a description without weights"),
        ("m.safetensors", b'\x40\0\0\0\0\0\0\0{"a":{"dtype":"F32","data_offsets":[0,4]}}', "is a safetensors file"),
        ("m.onnx", linear_onnx()[:-100], r"is damaged, or no \.onnx file"),
        ("m.keras", b"rubbish", r"is damaged, or no \.keras file"),
        ("m.dat", b"rubbish", "is no Keras or ONNX file; expected a model folder"),
    ],
)
def test_what_cannot_be_used_says_what_it_is(storage, tmp_path, name, content, sentence):
    """And what to do about it; nothing is unpickled."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelInvalid, match=f"^{tmp_path / name}: .*{sentence}") as error:
        find_model(storage, str(tmp_path / name))
    assert error.value.exit_code == 78


def _unpacked_keras(folder):
    (folder / "config.json").write_text("{}")
    (folder / "model.weights.h5").write_bytes(HDF5)


def _saved_model(folder):
    (folder / "saved_model.pb").write_bytes(b"")


def _mlflow(folder):
    (folder / "MLmodel").write_text(
        "flavors:\n  onnx:\n    data: model.onnx\n  python_function:\n    env: conda.yaml\n"
    )
    (folder / "model.onnx").write_bytes(linear_onnx())


@pytest.mark.parametrize(
    ("fill", "kind", "inside"),
    [
        (_unpacked_keras, ModelKind.KERAS, ""),
        (_saved_model, ModelKind.SAVED_MODEL, ""),
        (_mlflow, ModelKind.ONNX, "/model.onnx"),
        (lambda _folder: None, ModelKind.FOLDER, ""),
    ],
    ids=["unpacked", "SavedModel", "MLflow", "empty"],
)
def test_folders_are_recognised_by_their_files(storage, tmp_path, fill, kind, inside):
    """One that cannot be recognised is opened as a model folder, which says what it lacks."""
    (tmp_path / "mine").mkdir()
    fill(tmp_path / "mine")
    found = find_model(storage, str(tmp_path / "mine"))
    assert (found.kind, found.path) == (kind, f"{tmp_path}/mine{inside}")


def test_model_folders_are_model_folders(storage, tmp_path):
    """Also a damaged or missing one."""
    folder = write_model(tmp_path / "mine")
    assert find_model(storage, str(folder)).kind is ModelKind.FOLDER
    (folder / "model.json").write_text("{")
    assert find_model(storage, str(folder)).kind is ModelKind.FOLDER
    assert find_model(storage, str(tmp_path / "none")).kind is ModelKind.FOLDER


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"model.json": {"format": "layers-model", "weightsManifest": []}}, "is a TensorFlow.js model"),
        ({"model.json": {"class_name": "Sequential", "config": {}}}, "is a Keras architecture without weights"),
        ({"ckpt-1.index": "", "checkpoint": ""}, "is a TensorFlow checkpoint: weights without an architecture"),
        ({"best.keras": "", "notes.txt": ""}, "is not a model folder, but holds 'best.keras'; name that file"),
        ({"config.json": {}, "model.safetensors": ""}, "is a folder of weights without an architecture"),
        ({"MLmodel": "flavors:\n  sklearn:\n    pickled_model: model.pkl\n"}, "holds no Keras or ONNX model"),
    ],
)
def test_folders_that_cannot_be_used_say_what_they_are(storage, tmp_path, names, sentence):
    """With what to do instead."""
    for name, content in names.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ModelInvalid, match=f"^{tmp_path}.*: {sentence}"):
        find_model(storage, str(tmp_path))


def test_a_missing_file_and_a_huge_one(storage, tmp_path):
    """The first is no folder, by its name; the second is not read."""
    with pytest.raises(ModelInvalid, match=r"none\.h5: no such file; expected a model folder, or a Keras or ONNX file"):
        find_model(storage, str(tmp_path / "none.h5"))
    with (tmp_path / "m.keras").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(ModelInvalid, match="has 1,073,741,825 bytes, expected at most"):
        find_model(storage, str(tmp_path / "m.keras"))
