"""Temperature scaling, which makes confidences match accuracies and changes no prediction.

A trained network is over- or underconfident. Dividing the logits of its last layer by one number, the temperature,
corrects most of that. The temperature is fitted on the validation images and folded into the weights, so that every
runtime has it.

Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from job.contract import Labels, Probabilities, ScoredBatch
from job.documents.model_json import CalibrationSection
from job.errors import InternalError
from job.report.metrics import calibration
from job.report.tally import Tally
from job.train.backend import predict
from job.train.data.dataset import Dataset
from job.train.data.split import Split

if TYPE_CHECKING:
    import keras


# A temperature outside these bounds means a broken network, not a miscalibrated one.
_MIN_TEMPERATURE: Final = 0.05
_MAX_TEMPERATURE: Final = 20.0
_SMALLEST: Final = float(np.finfo(np.float32).tiny)
_KERNEL_AND_BIAS: Final = 2


@dataclass(frozen=True)
class Calibration:
    """Expected calibration errors before and after scaling, in 0-1, and the temperature that was applied.

    Only the validation split was used for fitting; the test split was measured.
    """

    temperature: float
    validation_before: float
    validation_after: float
    test_before: float
    test_after: float

    def to_json(self) -> CalibrationSection:
        """The model card's section `calibration`."""
        return cast("CalibrationSection", asdict(self))


def calibrate(model: "keras.Model", dataset: Dataset) -> Calibration:
    """Fit a temperature on the validation split and fold it into the network's last layer."""
    before = predict(model, dataset.validation.pixels)
    temperature = fit_temperature(before, dataset.validation.labels)
    test_before = _error_on(model, dataset.test)
    apply_temperature(model, temperature)
    return Calibration(
        temperature,
        calibration_error(before, dataset.validation.labels),
        _error_on(model, dataset.validation),
        test_before,
        _error_on(model, dataset.test),
    )


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """The temperature, more than 0, that minimises the cross-entropy of float32 (n, 10) for int8 (n,) digits.

    1 changes nothing; more than 1 lowers confidences.
    """
    from scipy.optimize import minimize_scalar

    # Log-probabilities are the logits up to a constant for each row, which cancels.
    logits = np.log(np.maximum(probabilities, _SMALLEST).astype(np.float64))
    rows = np.arange(len(labels))

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, labels]).mean())

    bounds = (math.log(_MIN_TEMPERATURE), math.log(_MAX_TEMPERATURE))
    found = minimize_scalar(cross_entropy, bounds=bounds, method="bounded")
    return math.exp(float(found.x))


def apply_temperature(model: "keras.Model", temperature: float) -> None:
    """Divide kernel and bias of the last layer, and thereby its logits, by a temperature.

    Raises InternalError unless that layer is dense with a softmax.
    """
    last = model.layers[-1]
    weights = last.get_weights()
    if len(weights) != _KERNEL_AND_BIAS or getattr(last.activation, "__name__", "") != "softmax":
        raise InternalError(f"{model.name}: its last layer, {last.name}, is not a dense layer with a softmax")
    last.set_weights([each / np.float32(temperature) for each in weights])


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """The expected calibration error of float32 (n, 10) for int8 (n,) digits, in 0-1, as in a scoring report."""
    return float(calibration(tally_of(probabilities, labels))["ece"])


def tally_of(probabilities: Probabilities, labels: Labels) -> Tally:
    """The tally of float32 (n, 10) for int8 (n,) digits, as a scoring run would count it."""
    return Tally.of(ScoredBatch(probabilities.argmax(axis=1).astype(np.int8), probabilities, labels, (), None))


def _error_on(model: "keras.Model", split: Split) -> float:
    return calibration_error(predict(model, split.pixels), split.labels)
