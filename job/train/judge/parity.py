"""The proof that an exported network says the same as its original."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import Pixels, Probabilities
from job.errors import ModelInvalid
from job.model.bundle import INT8_NAME, KERAS_NAME, Predictor

if TYPE_CHECKING:
    import keras


_PREDICT_ROWS: Final = 1024


@dataclass(frozen=True)
class Bar:
    """What is asked of an export: the least share of images with the same digit; how far off probabilities may be."""

    same_digits: float
    max_difference: float


# Floats in another order of operations.
EXACT: Final = Bar(same_digits=1, max_difference=1e-5)
# Whole numbers. Where the network hesitates between digits, steps of 1/256 decide: measured, on one image in thousands.
QUANTIZED: Final = Bar(same_digits=0.99, max_difference=1)


@dataclass(frozen=True)
class Parity:
    """How the exported network compares to the original: images compared, same digits, largest difference in 0-1."""

    rows: int
    same_digits: int
    max_difference: float

    def to_json(self) -> dict[str, Any]:
        """For the model's card."""
        return asdict(self)


@dataclass(frozen=True)
class Agreement:
    """What a network and its exports, by file name, say of the same images, float32 (n, 10), and how they compare."""

    original: Probabilities
    exports: dict[str, Probabilities]
    parity: dict[str, Parity]


def compare(model: "keras.Model", exported: Mapping[str, Predictor], pixels: Pixels) -> Agreement:
    """Run a network and its exports, by file name, over uint8 (n, 784) images.

    Raises ModelInvalid; see `check_parity`. The bar is QUANTIZED for `model.int8.tflite`, and EXACT for all else.
    """
    original = predict(model, pixels)
    exports = {name: each.predict(pixels) for name, each in exported.items()}
    parity = {name: check_parity(original, each, name, _bar(name)) for name, each in exports.items()}
    return Agreement(original, exports, parity)


def _bar(name: str) -> Bar:
    return QUANTIZED if name == INT8_NAME else EXACT


def check_parity(
    model_probabilities: Probabilities, export_probabilities: Probabilities, name: str, bar: Bar = EXACT
) -> Parity:
    """Compare what both say of the same images, float32 (n, 10); `name` is the export's, for errors.

    Raises ModelInvalid where fewer digits agree than the bar asks for, or a probability differs by more.
    """
    rows = len(model_probabilities)
    same = int((model_probabilities.argmax(axis=1) == export_probabilities.argmax(axis=1)).sum())
    difference = float(np.abs(model_probabilities - export_probabilities).max(initial=0))
    # The comparison is written so that NaN fails it.
    if same < bar.same_digits * rows or not difference <= bar.max_difference:
        raise ModelInvalid(
            f"{name}: names the same digit as {KERAS_NAME} for {same} of {rows} images, with probabilities off by "
            f"up to {difference:.2g}; expected {100 * bar.same_digits:g} % of them, and {bar.max_difference:g} at "
            "most; nothing was saved"
        )
    return Parity(rows, same, difference)


def predict(model: "keras.Model", pixels: Pixels) -> Probabilities:
    """What Keras says: uint8 (n, 784) -> float32 (n, 10)."""
    return np.asarray(model.predict(pixels, batch_size=_PREDICT_ROWS, verbose=0), np.float32)
