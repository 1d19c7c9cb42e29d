"""`digit-job export` as a user runs it."""

import pytest
from support.command import digit_job
from support.models import write_model
from support.outcome import call

from job.train.backend import fix_seed, import_keras

# Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def test_a_plain_keras_file_is_exported_and_never_replaced(tmp_path, capfd):
    """The command prints the path and the comparison; a second export is refused before anything is opened."""
    fix_seed(3)
    keras = import_keras()
    keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")]).save(tmp_path / "mine.keras")
    arguments = ["export", tmp_path / "mine.keras", "--to", "tflite", "--model-scale", "-1..1"]
    first = digit_job(*arguments, "--log-format", "text")
    assert first.returncode == 0, first.stderr
    assert f"Exported: {tmp_path}/mine.tflite (" in first.stdout
    assert "Compared: the same digit on 2,055 of 2,055 images: scikit-learn's digits" in first.stdout
    assert "of the reference digits" not in first.stderr
    second = call(capfd, *arguments)
    assert second.returncode == 73
    assert "already exists" in second.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"mine.keras", "mine.tflite"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{model}", "--to", "pdf"], 2, "pdf"),
        (["{model}", "--to", "onnx", "--quantize", "int8"], 2, "--quantize int8: needs --to tflite"),
        (["mine.keras", "--to", "tflite", "--quantize", "int8"], 2, "with --data"),
        (["nowhere", "--to", "onnx"], 78, "is not a model folder"),
        (["{model}", "--to", "onnx", "--output", "{model}/model.onnx", "--overwrite"], 73, "is inside a model folder"),
    ],
)
def test_wrong_commands_end_with_their_exit_code_and_leave_nothing(tmp_path, capfd, arguments, code, message):
    """The error has no traceback."""
    write_model(tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = call(capfd, "export", *(each.format(model=tmp_path / "model") for each in arguments))
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
