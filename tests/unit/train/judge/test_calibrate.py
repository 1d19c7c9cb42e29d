import numpy as np
import pytest

from job.errors import InternalError
from job.train.backend import import_keras, predict
from job.train.fit.network import dense
from job.train.judge.calibrate import apply_temperature, calibration_error, fit_temperature


def softmax(logits):
    """Logits (n, 10) -> float32 (n, 10), each row summing to 1."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def calibrated():
    """Logits, and labels drawn with exactly the probabilities of these logits."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (20_000, 10))
    chosen = (softmax(logits).cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    return logits, chosen.astype(np.int8)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_the_true_temperature_is_found(calibrated, temperature):
    """For logits that are too large, or too small, by a factor it is that factor."""
    logits, labels = calibrated
    assert fit_temperature(softmax(logits * temperature), labels) == pytest.approx(temperature, rel=0.03)


def test_scaling_lowers_the_calibration_error(calibrated):
    """That of doubled logits is large, and small after scaling."""
    logits, labels = calibrated
    before = softmax(2 * logits)
    after = softmax(2 * logits / fit_temperature(before, labels))
    assert calibration_error(before, labels) > 0.1
    assert calibration_error(after, labels) < 0.02


def test_a_network_that_is_never_wrong_gets_a_temperature_within_bounds():
    """A lower one would always be better, but it must remain a divisor."""
    labels = np.arange(10, dtype=np.int8)
    certain = np.eye(10, dtype=np.float32)
    assert 0.04 < fit_temperature(0.9 * certain + 0.01, labels) < 0.1
    assert 0.04 < fit_temperature(certain, labels) < 21


def test_a_temperature_in_the_weights_changes_confidences_and_no_prediction():
    """The network's probabilities are those of its scaled logits."""
    model = dense((16,))
    pixels = np.random.default_rng(1).integers(0, 256, (200, 784), dtype=np.uint8)
    before = predict(model, pixels)
    apply_temperature(model, 2.0)
    after = predict(model, pixels)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    np.testing.assert_allclose(after, softmax(np.log(before.astype(np.float64)) / 2), atol=1e-5)


def test_only_a_dense_layer_with_a_softmax_takes_a_temperature():
    """Any other last layer is a defect."""
    layers = import_keras().layers
    network = import_keras().Sequential([layers.Input((784,)), layers.Dense(10)])
    with pytest.raises(InternalError, match="is not a dense layer with a softmax"):
        apply_temperature(network, 2.0)
