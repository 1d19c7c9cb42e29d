import subprocess
import sys

import pytest

from job.train.backend import fix_seed
from job.train.fit.network import dense

TRAIN_EXTRA = ["tensorflow", "keras", "sklearn", "scipy", "pandas", "onnx", "tf2onnx", "matplotlib"]


@pytest.mark.parametrize("module", ["training", "data.sample", "export.exporter", "export.foreign", "tune.search"])
def test_slow_libraries_are_not_imported_with_the_modules(module):
    """A command's modules load without TensorFlow and the other libraries of the train extra."""
    code = f"import sys, job.train.{module}; print([name for name in {TRAIN_EXTRA} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tensorflow_is_imported_and_used_silently():
    """Importing, building, and every export and predictor print nothing, deprecation warnings included."""
    code = """
import numpy as np
from job.train.export.formats import for_scoring
from job.train.export.saved_model import SavedModelPredictor, to_saved_model
from job.train.export.tflite import TflitePredictor, to_int8, to_tflite
from job.train.fit.network import dense
network, pixels = dense((8,)), np.zeros((3, 784), np.uint8)
for_scoring(network)
SavedModelPredictor(to_saved_model(network)).predict(pixels)
TflitePredictor(to_tflite(network)).predict(pixels)
TflitePredictor(to_int8(network, pixels)).predict(pixels)
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_errors_during_the_import_are_logged():
    """Only notices are dropped from what TensorFlow writes below Python."""
    code = """
import os
from job.train.backend import without_notices
with without_notices():
    os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\nsomething is wrong\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "something is wrong\n"


def test_the_seed_decides_the_initial_weights():
    """The same seed draws the same ones."""
    drawn = []
    for seed in (1, 1, 2):
        fix_seed(seed)
        drawn.append(dense((8,)).get_weights()[0].tobytes())
    assert drawn[0] == drawn[1] != drawn[2]
