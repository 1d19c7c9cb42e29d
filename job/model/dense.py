"""A network of dense layers as the file `model.npz` holds it, and as the scorer runs it: see `dense_kernel`.

Knows nothing of ONNX; `train.export.onnx_graph` makes these files. Everything is checked before its address is given
away: the kernel believes what it is told.
"""

import io
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import kernel
from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.errors import ModelInvalid

# How many outputs of a layer the kernel computes at once, and of the last: eight and one registers of AVX-512.
PANEL: Final = 128
CLASS_PANEL: Final = 16
# How many inputs it looks at together.
WIDTH: Final = 64
# How many rows go through all layers before the next do.
TILE_ROWS: Final = 128
# NumPy parses a header as Python's text, and believes it when it says how much memory the array takes.
_DAMAGE: Final = (
    ValueError, KeyError, TypeError, EOFError, RuntimeError, SyntaxError, MemoryError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_LEAST_LAYERS: Final = 2

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DenseNetwork:
    """Layers of pixels or hidden units @ weights + bias, with a ReLU between them and a softmax behind the last.

    layers: at least two of (float32 (inputs, outputs), float32 (outputs,)), from 784 pixels of 0-255 to 10 classes.
    """

    layers: tuple[tuple[_Floats, _Floats], ...]

    def to_bytes(self) -> bytes:
        """As an .npz archive of weights0, bias0, weights1, ...; the same network always gives the same bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number, layer in enumerate(self.layers):
                for name, array in zip(("weights", "bias"), layer, strict=True):
                    content = io.BytesIO()
                    np.save(content, array)
                    # ZipInfo's own date, 1980, instead of now.
                    archive.writestr(zipfile.ZipInfo(f"{name}{number}.npy"), content.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Raises ValueError where the content is no such archive. Pickled objects in it are not loaded."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                count = len(arrays.files) // 2
                layers = tuple((arrays[f"weights{number}"], arrays[f"bias{number}"]) for number in range(count))
        except _DAMAGE as error:
            raise ValueError(str(error).partition("\n")[0] or type(error).__name__) from error
        if count < _LEAST_LAYERS:
            raise ValueError(f"it has {count} layers, expected {_LEAST_LAYERS} or more")
        inputs = PIXELS
        for number, (weights, bias) in enumerate(layers):
            outputs = CLASSES if number == count - 1 else weights.size // inputs
            if (weights.shape, bias.shape) != ((inputs, outputs), (outputs,)) or not outputs:
                found = f"weights {weights.shape} and bias {bias.shape}"
                raise ValueError(f"layer {number} has {found} for {inputs} inputs")
            if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in (weights, bias)):
                raise ValueError(f"layer {number} has {weights.dtype} weights, expected finite float32")
            inputs = outputs
        return cls(layers)


class DensePredictor:
    """A network of dense layers, ready to run. Threads may share it; each call computes on the caller's thread alone.

    A row's result depends on nothing but the row. It differs from ONNX Runtime's by rounding, some 1e-6, because sums
    are made in another order.
    """

    def __init__(self, content: bytes, where: str) -> None:
        """`content`: a DenseNetwork's bytes; `where` names them in errors. Raises ModelInvalid if they are none."""
        try:
            network = DenseNetwork.from_bytes(content)
        except ValueError as error:
            raise ModelInvalid(f"{where}: is no network of dense layers: {error}") from error
        *hidden, last = network.layers
        # The table below holds their addresses.
        self._arrays = [_panels(*layer, PANEL) for layer in hidden]
        self._arrays.append(_panels(*last, CLASS_PANEL))
        self._layers = np.array(
            [(weights.ctypes.data, bias.ctypes.data, len(weights)) for weights, bias in self._arrays], np.int64
        )
        self._stride = max(len(bias) for _, bias in self._arrays)
        self._run = kernel("job.model.dense_kernel", "run_layers")

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10)."""
        pixels = np.ascontiguousarray(pixels)
        sums = np.empty((2, TILE_ROWS, self._stride), np.float32)
        logits = np.empty((len(pixels), CLASS_PANEL), np.float32)
        self._run(
            pixels.ctypes.data, len(pixels), self._layers.ctypes.data, len(self._layers), sums.ctypes.data,
            self._stride, logits.ctypes.data,
        )  # fmt: skip
        return _softmax(logits[:, :CLASSES])


def _panels(weights: _Floats, bias: _Floats, width: int) -> tuple[_Floats, _Floats]:
    """A layer as the kernel takes it: (panels, inputs, width) and (panels * width,), filled up with zeros.

    Inputs are filled up as well, to the width of the panels of the layer before.
    """
    inputs, outputs = weights.shape
    panels = -(-outputs // width)
    missing = panels * width - outputs
    missing_inputs = 0 if inputs == PIXELS else -inputs % PANEL
    padded = np.pad(weights, ((0, missing_inputs), (0, missing))).reshape(-1, panels, width)
    return np.ascontiguousarray(padded.transpose(1, 0, 2)), np.pad(bias, (0, missing))


def _softmax(logits: _Floats) -> Probabilities:
    """float32 (n, 10) -> (n, 10)."""
    # One class below the other, which NumPy is three times as quick with; added up one by one, because the order of its
    # own sums depends on how many rows there are.
    classes = np.ascontiguousarray(logits.T)
    classes -= classes.max(axis=0)
    np.exp(classes, out=classes)
    total = classes[0].copy()
    for each in classes[1:]:
        total += each
    classes /= total
    return np.ascontiguousarray(classes.T)
