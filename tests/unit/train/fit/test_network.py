import typing

import numpy as np
import onnx
import pytest
from support.files import make_digits

from job.model.bundle import DensePredictor
from job.train.backend import fix_seed
from job.train.export.formats import for_scoring
from job.train.fit.network import architecture, cnn, dense, summary
from job.train.judge.parity import compare
from job.train.train_settings import Activation


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
    assert architecture((), "cnn") == "784-24c6s2-48c3-64c4s2-96c3-10"
    assert architecture((64,), "cnn") == "784-24c6s2-48c3-64c4s2-96c3-64-10"


def test_the_summary_is_text_with_every_layer():
    """It can be shown before training."""
    text = summary(dense((32,)))
    assert all(name in text for name in ("pixels", "rescaling", "hidden_1", "probabilities", "25,450"))
    assert text == text.strip("\n")


def test_dropout_follows_each_hidden_layer_and_only_training_sees_it():
    """Two calls for an answer give the same, two in training do not."""
    fix_seed(1)
    model = dense((16, 8), dropout=0.5)
    assert [layer.name for layer in model.layers if layer.name.startswith("dropout")] == ["dropout_1", "dropout_2"]
    pixels = make_digits(4).pixels
    assert np.array_equal(model(pixels), model(pixels))
    assert not np.array_equal(model(pixels, training=True), model(pixels, training=True))


def test_convolutions_see_the_whole_picture():
    """120,458 parameters; no pixel is without weight, the last line and column included."""
    model = cnn()
    assert model.count_params() == 120_458
    assert (model.input.dtype, model.input.shape, model.output.shape) == ("uint8", (None, 784), (None, 10))
    blank = np.zeros((1, 784), np.uint8)
    dots = np.diag(np.full(784, 255, np.uint8))
    assert (np.abs(np.asarray(model(dots)) - np.asarray(model(blank))).max(axis=1) > 0).all()


def test_a_network_of_convolutions_can_have_hidden_layers_and_dropout():
    """Both behind its convolutions."""
    model = cnn((32,), activation="silu", dropout=0.25)
    names = [layer.name for layer in model.layers][-5:]
    assert names == ["features", "dropout_0", "hidden_1", "dropout_1", "probabilities"]
    assert model.get_layer("activation_4").activation.__name__ == "silu"


SHAPES = [*(((128, 32), each, 0.0) for each in typing.get_args(Activation)), ((100,), "relu", 0.5),
          ((300, 64, 32, 16, 8), "relu", 0.2), ((8,), "relu", 0.2)]  # fmt: skip


@pytest.mark.parametrize(("hidden", "activation", "dropout"), SHAPES)
def test_every_network_that_can_be_asked_for_can_be_exported(hidden, activation, dropout):
    """And says the same there; as layers for the scorer, where nothing else is between them than ReLUs."""
    fix_seed(1)
    model = dense(hidden, activation=activation, dropout=dropout)
    for layer in model.layers:
        layer.set_weights([np.random.default_rng(0).normal(0, 0.2, each.shape) for each in layer.get_weights()])
    exported = for_scoring(model)
    assert isinstance(list(exported.predictors.values())[-1], DensePredictor) == (activation == "relu")
    compare(model, exported.predictors, make_digits(300).pixels)


@pytest.mark.parametrize(("hidden", "activation", "dropout"), [((), "relu", 0.0), ((80, 20), "silu", 0.3)])
def test_networks_of_convolutions_can_be_exported_too(hidden, activation, dropout):
    """And say the same there, whole; normalisation goes into the convolutions."""
    fix_seed(1)
    model = cnn(hidden, activation=activation, dropout=dropout)
    model(make_digits(100).pixels, training=True)
    exported = for_scoring(model)
    assert list(exported.files) == ["model.onnx"]
    assert "BatchNormalization" not in {
        node.op_type for node in onnx.load_from_string(exported.files["model.onnx"]).graph.node
    }
    compare(model, exported.predictors, make_digits(300).pixels)
