"""The proof that an exported network says the same as its original."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import Pixels, Probabilities
from job.errors import ModelInvalid
from job.model.bundle import KERAS_NAME, Predictor

if TYPE_CHECKING:
    import keras

MAX_DIFFERENCE: Final = 1e-5
_PREDICT_ROWS: Final = 1024


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
class Comparison:
    """What a network and its exports, by file name, say of the same images, float32 (n, 10), and how they compare."""

    original: Probabilities
    exports: dict[str, Probabilities]
    parity: dict[str, Parity]


def compare(model: "keras.Model", exported: Mapping[str, Predictor], pixels: Pixels) -> Comparison:
    """Run a network and its exports, by file name, over uint8 (n, 784) images.

    Raises ModelInvalid; see `check_parity`.
    """
    original = predict(model, pixels)
    exports = {name: each.predict(pixels) for name, each in exported.items()}
    parity = {name: check_parity(original, each, name) for name, each in exports.items()}
    return Comparison(original, exports, parity)


def check_parity(model_probabilities: Probabilities, export_probabilities: Probabilities, name: str) -> Parity:
    """Compare what both say of the same images, float32 (n, 10); `name` is the export's, for errors.

    Raises ModelInvalid unless every digit agrees and no probability differs by more than 1e-5.
    """
    rows = len(model_probabilities)
    same = int((model_probabilities.argmax(axis=1) == export_probabilities.argmax(axis=1)).sum())
    difference = float(np.abs(model_probabilities - export_probabilities).max(initial=0))
    # The comparison is written so that NaN fails it.
    if same < rows or not difference <= MAX_DIFFERENCE:
        raise ModelInvalid(
            f"{name}: names the same digit as {KERAS_NAME} for {same} of {rows} images, with probabilities off by "
            f"up to {difference:.2g}; expected all of them, and {MAX_DIFFERENCE:g} at most; nothing was saved"
        )
    return Parity(rows, same, difference)


def predict(model: "keras.Model", pixels: Pixels) -> Probabilities:
    """What Keras says: uint8 (n, 784) -> float32 (n, 10)."""
    return np.asarray(model.predict(pixels, batch_size=_PREDICT_ROWS, verbose=0), np.float32)
