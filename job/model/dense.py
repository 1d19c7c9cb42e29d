"""Networks of dense layers only: the file `model.npz`, and a predictor that runs it with `dense_kernel`.

`train.export.onnx_graph` extracts the layers from the ONNX model. All shapes and values are checked before the kernel
gets their addresses, because the kernel checks nothing.
"""

import io
import math
import tokenize
import zipfile
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import kernel
from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.errors import ModelInvalid
from job.model.bounds import MAX_PARAMETERS

# The kernel computes this many outputs of a layer at once, and of the last layer: 8 and 1 AVX-512 registers.
PANEL: Final = 128
CLASS_PANEL: Final = 16
# The kernel tests this many inputs at once for zeros.
WIDTH: Final = 64
# The kernel runs this many rows through all layers before the next.
TILE_ROWS: Final = 128
# What zipfile raises for damaged files, and NumPy, which parses headers as Python literals.
_DAMAGE: Final = (
    ValueError, KeyError, TypeError, EOFError, RuntimeError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile,
)  # fmt: skip
_MIN_LAYERS: Final = 2
# How results are rounded, which is the same on every processor.
ARITHMETIC: Final = "fused float32, in the order of inputs"

# For `_exponentiate`: ln 2 in two parts, so that a multiple of the first is exact; and the series from x**6 to x**2.
_LOWEST_EXPONENT: Final = np.float32(-87)
_LOG2_E: Final = np.float32(1.44269504088896341)
_LN_2_PARTS: Final = (np.float32(0.693359375), np.float32(-2.12194440e-4))
_EXP_SERIES: Final = tuple(
    np.float32(each)
    for each in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DenseNetwork:
    """Layers inputs @ weights + bias, with ReLU between them and softmax after the last.

    layers: at least two pairs of weights float32 (inputs, outputs) and bias float32 (outputs,); the first layer takes
    784 pixels of 0-255, the last has 10 outputs.
    """

    layers: tuple[tuple[_Floats, _Floats], ...]

    def to_bytes(self) -> bytes:
        """An .npz archive of weights0, bias0, weights1, ...; the same network gives the same bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number, layer in enumerate(self.layers):
                for name, array in zip(("weights", "bias"), layer, strict=True):
                    content = io.BytesIO()
                    np.save(content, array)
                    # ZipInfo's default date, 1980, instead of the current time.
                    archive.writestr(zipfile.ZipInfo(f"{name}{number}.npy"), content.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of `to_bytes`. Raises ValueError for any other content; pickled objects are not loaded."""
        try:
            arrays = _arrays(content)
            count = len(arrays) // 2
            layers = tuple((arrays[f"weights{number}"], arrays[f"bias{number}"]) for number in range(count))
        except _DAMAGE as error:
            raise ValueError(str(error).partition("\n")[0] or type(error).__name__) from error
        if count < _MIN_LAYERS:
            raise ValueError(f"it has {count} layers, expected {_MIN_LAYERS} or more")
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


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz archive by name, whose every byte is in the archive. Raises one of `_DAMAGE`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ValueError("its arrays are compressed, expected them as they are")
        claimed = sum(each.file_size for each in members)
        if claimed > min(len(content), MAX_PARAMETERS * np.dtype(np.float32).itemsize):
            raise ValueError(f"its arrays claim {claimed:,} bytes, the file has {len(content):,}")
        return {each.filename.removesuffix(".npy"): _array(archive.read(each)) for each in members}


def _array(content: bytes) -> npt.NDArray[Any]:
    """The array of an .npy file. Raises one of `_DAMAGE` before it allocates memory."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"its arrays have the format {version}, expected (1, 0)")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or size != len(content) - file.tell():
        raise ValueError(f"an array of {len(content):,} bytes claims to have the shape {shape} and the type {dtype}")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")


class DensePredictor:
    """Runs a network of dense layers. Threads may share it; each call computes on the calling thread only.

    The result of a row depends on that row only, and has the same bits on every processor: sums are added in the order
    of the inputs, each product and sum rounded once (`dense_kernel`), and the softmax is made of operations that IEEE
    754 defines. It differs from ONNX Runtime's by rounding, about 1e-6, because sums are computed in another order.
    """

    def __init__(self, content: bytes, where: str) -> None:
        """content: of `DenseNetwork.to_bytes`; where: its path, for errors. Raises ModelInvalid for other content."""
        try:
            network = DenseNetwork.from_bytes(content)
        except ValueError as error:
            raise ModelInvalid(f"{where}: is not a network of dense layers: {error}") from error
        *hidden, last = network.layers
        # Kept alive here: the table below has their addresses.
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
    """A layer in the kernel's layout: weights (panels, inputs, width) and bias (panels * width,), padded with zeros.

    Inputs other than pixels are padded as well, to the width of the panels of the layer before.
    """
    inputs, outputs = weights.shape
    panels = -(-outputs // width)
    missing = panels * width - outputs
    missing_inputs = 0 if inputs == PIXELS else -inputs % PANEL
    padded = np.pad(weights, ((0, missing_inputs), (0, missing))).reshape(-1, panels, width)
    return np.ascontiguousarray(padded.transpose(1, 0, 2)), np.pad(bias, (0, missing))


def _softmax(logits: _Floats) -> Probabilities:
    """float32 (n, 10) -> (n, 10)."""
    # Transposed, which NumPy computes three times as fast. Classes are added one by one, because the order of NumPy's
    # sums depends on the number of rows.
    classes = np.ascontiguousarray(logits.T)
    classes -= classes.max(axis=0)
    _exponentiate(classes)
    total = classes[0].copy()
    for each in classes[1:]:
        total += each
    classes /= total
    return np.ascontiguousarray(classes.T)


def _exponentiate(values: _Floats) -> None:
    """Replace float32 values of at most 0 by their exponentials, with the same bits on every processor.

    NumPy's `exp` rounds differently with AVX-512, with FMA and without. Its other operations are each rounded as IEEE
    754 says. The method and the constants are those of `expf` in S. L. Moshier's Cephes library; errors are below
    2e-7 of the result. What is below e**-87 becomes that, 1.6e-38.
    """
    np.maximum(values, _LOWEST_EXPONENT, out=values)
    powers = np.rint(values * _LOG2_E)
    for part in _LN_2_PARTS:
        values -= powers * part
    series = values * _EXP_SERIES[0]
    for coefficient in _EXP_SERIES[1:]:
        series += coefficient
        series *= values
    series *= values
    values += series
    values += np.float32(1)
    # 2**power as the bits of a float: its exponent, and nothing else. NaN stays NaN.
    with np.errstate(invalid="ignore"):
        exponents = powers.astype(np.int32)
    exponents += 127
    exponents <<= 23
    values *= exponents.view(np.float32)
