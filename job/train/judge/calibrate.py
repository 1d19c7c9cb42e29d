"""Temperature scaling: confidences that mean what they say, and the same digits.

A trained network is surer of itself, or less sure, than it is right. Dividing its last layer's sums by one number, the
temperature, before they become probabilities mends most of that, and names no other digit. It is fitted on validation
images and becomes part of the weights, so that whatever runs the network has it.

Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import Labels, Probabilities, ScoredBatch
from job.errors import InternalError
from job.report.metrics import calibration
from job.report.tally import Tally
from job.train.data.dataset import Dataset
from job.train.data.split import Split
from job.train.judge.parity import predict

if TYPE_CHECKING:
    import keras


# Beyond these a network is not miscalibrated but broken.
_COLDEST: Final = 0.05
_HOTTEST: Final = 20.0
_SMALLEST: Final = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Calibration:
    """How well confidences mean what they say, before and after scaling: expected calibration errors, in 0-1.

    temperature: that by which the network's sums were divided. The test split was measured, and decided nothing.
    """

    temperature: float
    validation_before: float
    validation_after: float
    test_before: float
    test_after: float

    def to_json(self) -> dict[str, Any]:
        """For the model's card."""
        return asdict(self)


def calibrate(model: "keras.Model", dataset: Dataset) -> Calibration:
    """Fit a temperature to a trained network on the validation split, and put it into the network's last layer."""
    before = predict(model, dataset.validation.pixels)
    temperature = fit_temperature(before, dataset.validation.labels)
    test_before = _measured(model, dataset.test)
    apply_temperature(model, temperature)
    return Calibration(
        temperature,
        calibration_error(before, dataset.validation.labels),
        _measured(model, dataset.validation),
        test_before,
        _measured(model, dataset.test),
    )


def _measured(model: "keras.Model", split: Split) -> float:
    return calibration_error(predict(model, split.pixels), split.labels)


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """The temperature, above 0, at which float32 (n, 10) probabilities fit int8 (n,) digits best, by cross-entropy.

    1 leaves them as they are; more makes them less sure.
    """
    from scipy.optimize import minimize_scalar

    # Up to a constant for each row, which falls out, logarithms of probabilities are the sums they were made from.
    sums = np.log(np.maximum(probabilities, _SMALLEST).astype(np.float64))
    rows = np.arange(len(labels))

    def cross_entropy(log_temperature: float) -> float:
        scaled = sums / math.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, labels]).mean())

    found = minimize_scalar(cross_entropy, bounds=(math.log(_COLDEST), math.log(_HOTTEST)), method="bounded")
    return math.exp(float(found.x))


def apply_temperature(model: "keras.Model", temperature: float) -> None:
    """Divide the last layer's weights and biases, and with them its sums, by a temperature. The layer is dense."""
    last = model.layers[-1]
    weights = last.get_weights()
    if len(weights) != 2 or getattr(last.activation, "__name__", "") != "softmax":  # noqa: PLR2004  # and biases
        raise InternalError(f"{model.name}: its last layer, {last.name}, is not dense with a softmax")
    last.set_weights([each / np.float32(temperature) for each in weights])


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """The expected calibration error of float32 (n, 10) for int8 (n,) digits, in 0-1, as reports have it."""
    batch = ScoredBatch(probabilities.argmax(axis=1).astype(np.int8), probabilities, labels, (), None)
    return float(calibration(Tally.of(batch))["ece"])
