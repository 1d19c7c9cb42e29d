import numpy as np

from job.train.backend import fix_seed, predict
from job.train.export.saved_model import GRAPH_NAME, SavedModelPredictor, to_saved_model
from job.train.fit.network import dense


def test_a_saved_model_gives_the_answers_of_the_network():
    """For any number of images, loaded from its files alone."""
    fix_seed(1)
    network = dense((16, 8))
    files = to_saved_model(network)
    assert {GRAPH_NAME, "variables/variables.index"} <= files.keys()
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 784), np.uint8)
    for rows in (1, 1500):
        answers = SavedModelPredictor(files).predict(pixels[:rows])
        assert np.allclose(answers, predict(network, pixels[:rows]), atol=1e-6)
