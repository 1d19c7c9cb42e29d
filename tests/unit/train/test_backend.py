import subprocess
import sys

import pytest

TRAIN_EXTRA = ["tensorflow", "keras", "sklearn", "scipy", "pandas", "onnx", "tf2onnx", "matplotlib"]


@pytest.mark.parametrize("module", ["run", "sample", "export"])
def test_nothing_slow_is_imported_before_it_is_needed(module):
    """A command's modules load without TensorFlow and its company."""
    code = f"import sys, job.train.{module}; print([name for name in {TRAIN_EXTRA} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tensorflow_comes_in_silently():
    """Importing, building, running and exporting say nothing on either stream."""
    code = """
from job.train.export import to_onnx
from job.train.network import dense
to_onnx(dense((8,)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
