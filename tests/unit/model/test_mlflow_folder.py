"""The Keras or ONNX model in an MLflow folder, and nothing outside of it."""

import pytest

from job.errors import ModelInvalid
from job.model.mlflow_folder import model_in_mlflow
from job.model.model_kind import find_model

KERAS = """artifact_path: model
flavors:
  keras:
    data: data
    keras_backend: tensorflow
    keras_version: 3.10.0
  python_function:
    data: data
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.keras
model_uuid: 0123
"""
TENSORFLOW = """flavors:
    python_function:
        data: data
    tensorflow:
        code: null
        data: data
        model_type: keras
        save_format: tf
"""
ONNX = """flavors:
  onnx:
    code: null
    data: 'model.onnx'
    providers:
    - CUDAExecutionProvider
  python_function:
    data: model.onnx
"""


@pytest.mark.parametrize(
    ("text", "files", "found"),
    [
        (KERAS, ["data/model.keras", "data/keras_module.txt"], "data/model.keras"),
        (KERAS, ["data/model.h5", "data/global_custom_objects.cloudpickle"], "data/model.h5"),
        (TENSORFLOW, ["data/model/saved_model.pb", "data/save_format.txt"], "data/model"),
        (TENSORFLOW, ["data/model.keras"], "data/model.keras"),
        (ONNX, ["model.onnx"], "model.onnx"),
        (f"{ONNX}{KERAS.partition('flavors:')[0]}", ["model.onnx"], "model.onnx"),
    ],
)
def test_the_flavours_of_keras_and_onnx(storage, tmp_path, text, files, found):
    """As the versions of MLflow write them."""
    (tmp_path / "MLmodel").write_text(text)
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert model_in_mlflow(storage, str(tmp_path)) == str(tmp_path / found)


@pytest.mark.parametrize(
    ("text", "flavours"),
    [
        (KERAS.replace("data: data", "data: ../outside"), "keras"),
        (ONNX.replace("'model.onnx'", "/etc/passwd"), "onnx"),
        (KERAS, "keras"),
        ("flavors:\n  sklearn:\n    pickled_model: model.pkl\n  python_function:\n    data: x\n", "sklearn"),
        ("", "none"),
        ("flavors: {keras: {data: data}}", "none"),
        ("!!python/object/apply:os.system [echo]", "none"),
    ],
    ids=["outside", "absolute", "missing", "sklearn", "empty", "other form", "code"],
)
def test_others_are_refused_with_the_flavours_that_were_found(storage, tmp_path, text, flavours):
    """The text is not evaluated."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/model.keras").write_bytes(b"x")
    (folder / "MLmodel").write_text(text)
    with pytest.raises(ModelInvalid, match=rf"holds no Keras or ONNX model \(flavours: {flavours}\)"):
        model_in_mlflow(storage, str(folder))


@pytest.mark.parametrize("data", [".", "./data", "a\0b", "x" * 5000, "data/../data"], ids=repr)
def test_names_that_are_none_are_not_looked_for(storage, tmp_path, data):
    """Neither the folder itself, which would lead to itself again, nor what no file system has."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/model.keras").touch()
    (tmp_path / "MLmodel").write_text(f"flavors:\n  keras:\n    data: {data}\n")
    with pytest.raises(ModelInvalid, match="MLmodel: holds no Keras or ONNX model"):
        model_in_mlflow(storage, str(tmp_path))


def test_a_folder_that_leads_to_another_is_refused(storage, tmp_path):
    """Two of them could lead to each other by links."""
    for folder in (tmp_path, tmp_path / "data"):
        folder.mkdir(exist_ok=True)
        (folder / "MLmodel").write_text("flavors:\n  onnx:\n    data: data\n")
    with pytest.raises(ModelInvalid, match="MLmodel: leads to another MLmodel, expected a model"):
        find_model(storage, str(tmp_path))
