import subprocess
import sys

import pytest

TRAIN_EXTRA = ["tensorflow", "keras", "sklearn", "scipy", "pandas", "onnx", "tf2onnx", "matplotlib"]


@pytest.mark.parametrize("module", ["run", "sample", "export", "convert"])
def test_nothing_slow_is_imported_before_it_is_needed(module):
    """A command's modules load without TensorFlow and its company."""
    code = f"import sys, job.train.{module}; print([name for name in {TRAIN_EXTRA} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tensorflow_comes_in_silently():
    """Importing, building, running and exporting say nothing on either stream."""
    code = """
from job.train.formats import for_scoring
from job.train.network import dense
for_scoring(dense((8,)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_errors_while_tensorflow_comes_in_are_told():
    """Only notices are left out of what is written below Python, not what may be wrong."""
    code = """
import os
from job.train.backend import without_notices
with without_notices():
    os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\nsomething is wrong\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "something is wrong\n"
