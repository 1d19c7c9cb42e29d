import numpy as np
from support.files import make_digits

from job.train.backend import fix_seed
from job.train.fit.network import architecture, build, cnn, dense, summary


def test_the_default_network_is_the_documented_one():
    """784 raw pixels, three hidden layers of 128, ten probabilities; 134,794 parameters."""
    model = dense()
    assert model.count_params() == 134_794
    assert (model.input.name, model.input.dtype, model.input.shape) == ("pixels", "uint8", (None, 784))
    assert model.layers[-1].name == "probabilities"
    probabilities = np.asarray(model(np.full((2, 784), 255, np.uint8)))
    assert probabilities.shape == (2, 10)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_the_architecture_is_one_word():
    """Widths from pixels to classes."""
    assert architecture() == "784-128-128-128-10"
    assert architecture((32,)) == "784-32-10"
    assert architecture((), "cnn") == "784-24c6s2-48c3-64c4s2-96c3-10"
    assert architecture((64,), "cnn") == "784-24c6s2-48c3-64c4s2-96c3-64-10"


def test_the_summary_lists_every_layer():
    """As text for the terminal."""
    text = summary(dense((32,)))
    assert all(name in text for name in ("pixels", "rescaling", "hidden_1", "probabilities", "25,450"))
    assert text == text.strip("\n")


def test_dropout_follows_each_hidden_layer_and_acts_in_training_only():
    """Two calls for inference agree, two in training do not."""
    fix_seed(1)
    model = build("dense", (16, 8), activation="relu", dropout=0.5)
    assert [layer.name for layer in model.layers if layer.name.startswith("dropout")] == ["dropout_1", "dropout_2"]
    pixels = make_digits(4).pixels
    assert np.array_equal(model(pixels), model(pixels))
    assert not np.array_equal(model(pixels, training=True), model(pixels, training=True))


def test_the_convolutions_use_every_pixel():
    """120,458 parameters; the last line and column have an effect, too."""
    model = build("cnn", (), activation="relu", dropout=0.0)
    assert model.count_params() == 120_458
    assert (model.input.dtype, model.input.shape, model.output.shape) == ("uint8", (None, 784), (None, 10))
    blank = np.zeros((1, 784), np.uint8)
    dots = np.diag(np.full(784, 255, np.uint8))
    assert (np.abs(np.asarray(model(dots)) - np.asarray(model(blank))).max(axis=1) > 0).all()


def test_a_convolutional_network_can_have_hidden_layers_and_dropout():
    """Both behind the convolutions."""
    model = cnn((32,), activation="silu", dropout=0.25)
    names = [layer.name for layer in model.layers][-5:]
    assert names == ["features", "dropout_0", "hidden_1", "dropout_1", "probabilities"]
    assert model.get_layer("activation_4").activation.__name__ == "silu"
