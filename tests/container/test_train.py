"""The larger image trains, on a volume, and the smaller one scores with what came out."""

import json

import pytest
from container.engine import LOCKED, USER
from support.runs import files_below

pytestmark = pytest.mark.container


def trained(engine, images, data, model, *arguments):
    """Train into a folder, in a container that can write nothing else."""
    return engine.run(
        images.full, "train", "--recipe", "baseline", "--epochs", "1", *arguments,
        options=[*LOCKED, "--tmpfs=/tmp"], volumes=[(data, "/data", "ro"), (model, "/model", "rw")],
    )  # fmt: skip


@pytest.fixture
def model(tmp_path):
    """A folder for a model that the container's user can write."""
    folder = tmp_path / "model"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    return folder


def test_a_container_trains_into_a_volume(engine, images, data, model, output):
    """With data and a place for the model mounted, and nothing else said; another container scores with it."""
    result = trained(engine, images, data, model)
    assert result.returncode == 0, result.stderr
    assert {"model.json", "model.keras", "model.onnx", "MODEL.md"} <= {*files_below(model)}
    assert not [path for path in model.iterdir() if path.name.startswith(".")]
    assert json.loads((model / "model.json").read_text())["data"]["name"] == "data"
    assert (model / "model.json").stat().st_uid == USER
    volumes = [(data, "/input", "ro"), (output, "/output", "rw"), (model, "/model", "ro")]
    result = engine.run(images.score, options=LOCKED, volumes=volumes)
    assert result.returncode == 0, result.stderr
    assert "Scored 600 of 600" in result.stdout


def test_training_again_replaces_the_model_in_the_volume(engine, images, data, model):
    """Nothing of the older one stays."""
    assert trained(engine, images, data, model).returncode == 0
    first = (model / "model.json").read_bytes()
    (model / "model.int8.tflite").write_bytes(b"of the older model")
    result = trained(engine, images, data, model, "--seed", "2")
    assert result.returncode == 0, result.stderr
    assert not (model / "model.int8.tflite").exists()
    assert (model / "model.json").read_bytes() != first


def test_no_data_is_told_in_a_line(engine, images, model):
    """Where nothing is mounted."""
    options = [*LOCKED, "--env=DIGIT_JOB_LOG_FORMAT=text"]
    result = engine.run(images.full, "train", options=options, volumes=[(model, "/model", "rw")])
    assert result.returncode == 66, result.stderr
    assert "/data: found no file there" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_score_image_says_that_it_cannot_train(engine, images, data, model):
    """And which one can."""
    volumes = [(data, "/data", "ro"), (model, "/model", "rw")]
    options = [*LOCKED, "--env=DIGIT_JOB_LOG_FORMAT=text"]
    result = engine.run(images.score, "train", options=options, volumes=volumes)
    assert result.returncode == 2, result.stderr
    assert "needs the train extra" in result.stderr
