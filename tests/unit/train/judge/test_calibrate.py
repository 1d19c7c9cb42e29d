import numpy as np
import pytest

from job.train.judge.calibrate import apply_temperature, calibration_error, fit_temperature


def softmax(sums):
    """Sums (n, 10) -> float32 (n, 10), each row summing to 1."""
    shares = np.exp(sums - sums.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def honest():
    """Sums of a last layer, and labels that are drawn with just the probabilities that these sums give."""
    random = np.random.default_rng(0)
    sums = random.normal(0, 3, (20_000, 10))
    chosen = (softmax(sums).cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    return sums, chosen.astype(np.int8)


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_the_temperature_that_was_put_in_is_found(honest, temperature):
    """A network that is too sure, or not sure enough, by a factor is measured to be so by that factor."""
    sums, labels = honest
    assert fit_temperature(softmax(sums * temperature), labels) == pytest.approx(temperature, rel=0.03)


def test_scaling_lowers_the_calibration_error(honest):
    """Confidences of a network that is twice too sure are off by much, and after scaling by little."""
    sums, labels = honest
    before = softmax(2 * sums)
    after = softmax(2 * sums / fit_temperature(before, labels))
    assert calibration_error(before, labels) > 0.1
    assert calibration_error(after, labels) < 0.02


def test_a_network_that_is_never_wrong_gets_a_temperature_within_bounds():
    """Where no temperature is best, because colder is always better, the result is still a number to divide by."""
    labels = np.arange(10, dtype=np.int8)
    certain = np.eye(10, dtype=np.float32)
    assert 0.04 < fit_temperature(0.9 * certain + 0.01, labels) < 0.1
    assert 0.04 < fit_temperature(certain, labels) < 21


def test_a_temperature_in_the_weights_changes_confidences_and_no_digit():
    """The network's own probabilities are those of its scaled sums."""
    from job.train.fit import network
    from job.train.judge.parity import predict

    model = network.dense((16,))
    pixels = np.random.default_rng(1).integers(0, 256, (200, 784), dtype=np.uint8)
    before = predict(model, pixels)
    apply_temperature(model, 2.0)
    after = predict(model, pixels)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    np.testing.assert_allclose(after, softmax(np.log(before.astype(np.float64)) / 2), atol=1e-5)
