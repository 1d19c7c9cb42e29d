"""Checks that an exported network gives the same answers as the Keras network it was exported from."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import Pixels, Probabilities
from job.documents.model_json import ExportFigures
from job.errors import ModelInvalid
from job.model.bundle import INT8_NAME, KERAS_NAME, Predictor
from job.train.backend import predict

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Tolerance:
    """How far an export may deviate.

    min_same_digits: smallest share of images with the same prediction. max_difference: largest allowed difference of a
    probability.
    """

    min_same_digits: float
    max_difference: float


# Floats, computed in another order.
EXACT: Final = Tolerance(min_same_digits=1, max_difference=1e-5)
# Floats of a network from elsewhere, whose logits may be in the hundreds, and which may be equally sure of two digits.
FOREIGN: Final = Tolerance(min_same_digits=0.995, max_difference=1e-3)
# 8-bit integers. Between two equally likely digits, steps of 1/256 decide: measured, on one image in thousands.
QUANTIZED: Final = Tolerance(min_same_digits=0.99, max_difference=1)


@dataclass(frozen=True)
class Parity:
    """How an export compares to the original: images compared, same predictions, largest difference in 0-1."""

    rows: int
    same_digits: int
    max_difference: float

    def to_json(self) -> ExportFigures:
        """For the model's card."""
        return {"rows": self.rows, "same_digits": self.same_digits, "max_difference": self.max_difference}


@dataclass(frozen=True)
class Agreement:
    """The probabilities, float32 (n, 10), of a network and of each export by file name, and how they compare."""

    original: Probabilities
    exports: dict[str, Probabilities]
    parity: dict[str, Parity]


def compare(
    model: "keras.Model",
    exported: Mapping[str, Predictor],
    pixels: Pixels,
    tolerance: Tolerance = EXACT,
    during: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> Agreement:
    """Run a network and its exports, by file name, on uint8 (n, 784) images.

    during: called with the name of each for a context to run it in. Raises ModelInvalid, see `check_parity`; the
    tolerance for `model.int8.tflite` is QUANTIZED.
    """
    with during(KERAS_NAME):
        original = predict(model, pixels)
    exports: dict[str, Probabilities] = {}
    parity: dict[str, Parity] = {}
    for name, export in exported.items():
        with during(name):
            exports[name] = export.predict(pixels)
            parity[name] = check_parity(original, exports[name], name, _tolerance(name, tolerance))
    return Agreement(original, exports, parity)


def check_parity(
    model_probabilities: Probabilities, export_probabilities: Probabilities, name: str, tolerance: Tolerance = EXACT
) -> Parity:
    """Compare the float32 (n, 10) of a network and of its export, which `name` names in errors.

    Raises ModelInvalid where the export exceeds the tolerance.
    """
    rows = len(model_probabilities)
    same = int((model_probabilities.argmax(axis=1) == export_probabilities.argmax(axis=1)).sum())
    difference = float(np.abs(model_probabilities - export_probabilities).max(initial=0))
    # `not ... <=` rather than `>`, so that NaN fails.
    if same < tolerance.min_same_digits * rows or not difference <= tolerance.max_difference:
        raise ModelInvalid(
            f"{name}: predicts the same digit as {KERAS_NAME} for {same} of {rows} images, with probabilities off by "
            f"up to {difference:.2g}; expected at least {100 * tolerance.min_same_digits:g} % of the images and at "
            f"most {tolerance.max_difference:g}; nothing was saved"
        )
    return Parity(rows, same, difference)


def _tolerance(name: str, tolerance: Tolerance) -> Tolerance:
    return QUANTIZED if name == INT8_NAME else tolerance
