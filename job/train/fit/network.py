"""The two network architectures, untrained: dense layers, and convolutions.

Both take what the scorer has, raw pixels; rescaling is their first layer. `recipe` chooses one, `loop` trains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from job.contract import CLASSES, PIXELS, SIDE
from job.train.backend import import_keras
from job.train.train_settings import Architecture

if TYPE_CHECKING:
    import keras


HIDDEN: Final = (128, 128, 128)
INPUT_NAME: Final = "pixels"
OUTPUT_NAME: Final = "probabilities"
# Of batch normalisation. Measured: statistics over the last 20 steps are as good as over the last 200, and much sooner.
_MOMENTUM: Final = 0.9


@dataclass(frozen=True)
class Convolution:
    """A convolutional layer without padding: filters of `side` x `side` pixels, moved by `stride` pixels."""

    filters: int
    side: int
    stride: int = 1


# 28x28 -> 12x12 -> 10x10 -> 4x4 -> 2x2: sides and strides that use every pixel, up to the right and bottom edges.
CONVOLUTIONS: Final = (Convolution(24, 6, 2), Convolution(48, 3), Convolution(64, 4, 2), Convolution(96, 3))


def build(arch: Architecture, hidden: Sequence[int], *, activation: str, dropout: float) -> "keras.Model":
    """An untrained network: `dense` or `cnn`."""
    make = dense if arch == "dense" else cnn
    return make(hidden, activation=activation, dropout=dropout)


def dense(hidden: Sequence[int] = HIDDEN, *, activation: str = "relu", dropout: float = 0.0) -> "keras.Model":
    """A multilayer perceptron: uint8 (n, 784) -> float32 (n, 10), softmax; 134,794 parameters by default.

    hidden: width of each hidden layer. activation: its name in Keras. dropout: share of each hidden layer's outputs
    that a training step drops.
    """
    pixels, values = _rescaled_input()
    probabilities = _classifier(values, hidden, activation, dropout)
    return import_keras().Model(pixels, probabilities, name="dense")


def cnn(hidden: Sequence[int] = (), *, activation: str = "relu", dropout: float = 0.0) -> "keras.Model":
    """Convolutions with batch normalisation (Ioffe and Szegedy 2015): uint8 (n, 784) -> float32 (n, 10), softmax.

    120,458 parameters by default. hidden: widths of dense layers behind the convolutions. activation: its name in
    Keras. dropout: share of the outputs of the last convolution and of each hidden layer that a training step drops.
    """
    layers = import_keras().layers
    pixels, values = _rescaled_input()
    values = layers.Reshape((SIDE, SIDE, 1), name="image")(values)
    for number, each in enumerate(CONVOLUTIONS, start=1):
        # No bias: normalisation has its own.
        convolution = layers.Conv2D(each.filters, each.side, each.stride, use_bias=False, name=f"convolution_{number}")
        values = convolution(values)
        values = layers.BatchNormalization(momentum=_MOMENTUM, name=f"normalisation_{number}")(values)
        values = layers.Activation(activation, name=f"activation_{number}")(values)
    values = layers.Flatten(name="features")(values)
    if dropout:
        values = layers.Dropout(dropout, name="dropout_0")(values)
    return import_keras().Model(pixels, _classifier(values, hidden, activation, dropout), name="cnn")


def architecture(hidden: Sequence[int] = HIDDEN, arch: Architecture = "dense") -> str:
    """The width of each layer, from pixels to classes: `784-128-128-128-10`; `24c6s2`: 24 filters of 6x6, stride 2."""
    convolutions = [_short_name(each) for each in CONVOLUTIONS] if arch == "cnn" else []
    return "-".join(map(str, (PIXELS, *convolutions, *hidden, CLASSES)))


def summary(model: "keras.Model") -> str:
    """Keras's table of layers, shapes and parameters, as text."""
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines).strip("\n")


def _rescaled_input() -> tuple[Any, Any]:
    """The input tensor, pixels of 0-255, and the same rescaled to 0-1."""
    layers = import_keras().layers
    pixels = layers.Input((PIXELS,), dtype="uint8", name=INPUT_NAME)
    return pixels, layers.Rescaling(1 / 255, name="rescaling")(pixels)


def _classifier(values: Any, hidden: Sequence[int], activation: str, dropout: float) -> Any:
    """Hidden layers and a softmax on a tensor of (n, features): (n, 10)."""
    layers = import_keras().layers
    for number, units in enumerate(hidden, start=1):
        values = layers.Dense(units, activation=activation, name=f"hidden_{number}")(values)
        if dropout:
            values = layers.Dropout(dropout, name=f"dropout_{number}")(values)
    return layers.Dense(CLASSES, activation="softmax", name=OUTPUT_NAME)(values)


def _short_name(each: Convolution) -> str:
    return f"{each.filters}c{each.side}" + (f"s{each.stride}" if each.stride > 1 else "")
