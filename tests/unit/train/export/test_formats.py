import typing

import numpy as np
import onnx
import pytest
from support.files import make_digits

from job.model.dense import DensePredictor
from job.train.backend import fix_seed
from job.train.export.formats import for_scoring
from job.train.fit.network import cnn, dense
from job.train.judge.parity import compare
from job.train.train_settings import Activation

SHAPES = [*(((128, 32), each, 0.0) for each in typing.get_args(Activation)), ((100,), "relu", 0.5),
          ((300, 64, 32, 16, 8), "relu", 0.2), ((8,), "relu", 0.2)]  # fmt: skip


@pytest.mark.parametrize(("hidden", "activation", "dropout"), SHAPES)
def test_every_dense_network_can_be_exported(hidden, activation, dropout):
    """With the same answers; for the scorer's own kernel, too, if its activation is ReLU."""
    fix_seed(1)
    model = dense(hidden, activation=activation, dropout=dropout)
    for layer in model.layers:
        layer.set_weights([np.random.default_rng(0).normal(0, 0.2, each.shape) for each in layer.get_weights()])
    exported = for_scoring(model)
    assert isinstance(exported.predictors[exported.scorer], DensePredictor) == (activation == "relu")
    compare(model, exported.predictors, make_digits(300).pixels)


@pytest.mark.parametrize(("hidden", "activation", "dropout"), [((), "relu", 0.0), ((80, 20), "silu", 0.3)])
def test_every_convolutional_network_can_be_exported(hidden, activation, dropout):
    """With the same answers, as ONNX only; normalisation is folded into the convolutions."""
    fix_seed(1)
    model = cnn(hidden, activation=activation, dropout=dropout)
    model(make_digits(100).pixels, training=True)
    exported = for_scoring(model)
    assert list(exported.files) == ["model.onnx"]
    assert exported.scorer == "model.onnx"
    assert "BatchNormalization" not in {
        node.op_type for node in onnx.load_from_string(exported.files["model.onnx"]).graph.node
    }
    compare(model, exported.predictors, make_digits(300).pixels)


def test_exporting_twice_gives_the_same_bytes():
    """tf2onnx numbers names through the life of a process; the files do not show it."""
    model = dense((16,))
    assert for_scoring(model) == for_scoring(model)
