"""Network architectures, untrained. What they take is what the scorer has: raw pixels; rescaling is inside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from job.contract import CLASSES, PIXELS
from job.train.backend import import_keras

if TYPE_CHECKING:
    import keras

HIDDEN: Final = (128, 128, 128)
INPUT_NAME: Final = "pixels"
OUTPUT_NAME: Final = "probabilities"


def dense(hidden: Sequence[int] = HIDDEN, *, activation: str = "relu", dropout: float = 0.0) -> "keras.Model":
    """A multilayer perceptron: uint8 (n, 784) -> float32 (n, 10), softmax; 134,794 parameters by default.

    hidden: widths. activation: by Keras's name. dropout: share of each hidden layer's outputs that training leaves out.
    """
    layers = import_keras().layers
    pixels = layers.Input((PIXELS,), dtype="uint8", name=INPUT_NAME)
    values = layers.Rescaling(1 / 255, name="rescaling")(pixels)
    for number, units in enumerate(hidden, start=1):
        values = layers.Dense(units, activation=activation, name=f"hidden_{number}")(values)
        if dropout:
            values = layers.Dropout(dropout, name=f"dropout_{number}")(values)
    probabilities = layers.Dense(CLASSES, activation="softmax", name=OUTPUT_NAME)(values)
    return import_keras().Model(pixels, probabilities, name="dense")


def architecture(hidden: Sequence[int] = HIDDEN) -> str:
    """The width of each layer, from pixels to classes, such as `784-128-128-128-10`."""
    return "-".join(str(units) for units in (PIXELS, *hidden, CLASSES))


def summary(model: "keras.Model") -> str:
    """Keras's table of layers, shapes and parameters, as text."""
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines).strip("\n")
