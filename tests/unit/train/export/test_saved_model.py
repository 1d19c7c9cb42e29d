import subprocess
import sys

import numpy as np

from job.train.backend import fix_seed
from job.train.export.saved_model import GRAPH_NAME, SavedModelPredictor, to_saved_model
from job.train.fit.network import dense
from job.train.judge.parity import predict


def test_it_says_what_the_network_says():
    """For any number of images, from files alone: weights and all."""
    fix_seed(1)
    network = dense((16, 8))
    files = to_saved_model(network)
    assert {GRAPH_NAME, "variables/variables.index"} <= files.keys()
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 784), np.uint8)
    for rows in (1, 1500):
        said = SavedModelPredictor(files).predict(pixels[:rows])
        assert np.allclose(said, predict(network, pixels[:rows]), atol=1e-6)


def test_writing_and_loading_are_silent():
    """On either stream."""
    code = """
import numpy as np
from job.train.network import dense
from job.train.saved_model import SavedModelPredictor, to_saved_model
SavedModelPredictor(to_saved_model(dense((8,)))).predict(np.zeros((3, 784), np.uint8))
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
