import numpy as np

from job.train.network import architecture, dense, summary


def test_the_default_network_is_the_one_that_is_documented():
    """784 raw pixels, three times 128, ten probabilities; 134,794 parameters."""
    model = dense()
    assert model.count_params() == 134_794
    assert (model.input.name, model.input.dtype, model.input.shape) == ("pixels", "uint8", (None, 784))
    assert model.layers[-1].name == "probabilities"
    probabilities = np.asarray(model(np.full((2, 784), 255, np.uint8)))
    assert probabilities.shape == (2, 10)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_the_architecture_is_told_in_one_word():
    """Widths from pixels to classes."""
    assert architecture() == "784-128-128-128-10"
    assert architecture((32,)) == "784-32-10"


def test_the_summary_is_text_with_every_layer():
    """It can be shown before training."""
    text = summary(dense((32,)))
    assert all(name in text for name in ("pixels", "rescaling", "hidden_1", "probabilities", "25,450"))
    assert text == text.strip("\n")
