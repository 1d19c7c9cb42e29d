import subprocess
import sys

import pytest
from support.command import digit_job
from support.models import write_model


def test_a_plain_keras_file_is_exported_and_never_replaced(tmp_path):
    """The command prints the path and the comparison; a second export is refused before anything is opened."""
    code = """
import sys, keras
keras.utils.set_random_seed(3)
keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")]).save(sys.argv[1])
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "mine.keras"], check=True, capture_output=True)
    arguments = ["export", tmp_path / "mine.keras", "--to", "tflite", "--log-format", "text"]
    first = digit_job(*arguments)
    assert first.returncode == 0, first.stderr
    assert f"Exported: {tmp_path}/mine.tflite (" in first.stdout
    assert "Compared: the same digit on 2,055 of 2,055 images: scikit-learn's digits" in first.stdout
    assert "Warning" not in first.stderr
    second = digit_job(*arguments)
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
def test_wrong_commands_end_with_their_exit_code_and_leave_nothing(tmp_path, arguments, code, message):
    """The error has no traceback."""
    write_model(tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = digit_job("export", *(each.format(model=tmp_path / "model") for each in arguments), "--log-format", "text")
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
