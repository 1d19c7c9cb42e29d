"""A dense first layer, cut off the network so that it can skip the background; see `sparse_kernel`."""

import io
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, Pixels
from job.machine_code import kernel

# How many outputs the kernel computes at once: eight registers of AVX-512.
PANEL: Final = 128
# NumPy parses a header as Python's text, and believes it when it says how much memory the array takes.
_DAMAGE: Final = (
    ValueError, KeyError, TypeError, EOFError, RuntimeError, SyntaxError, MemoryError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CutNetwork:
    """A network in two pieces, as the file `model.npz` holds it.

    weights: float32 (784, hidden), for pixels 0-255. bias: float32 (hidden,). rest: ONNX, float32 (n, hidden) before
    its activation -> (n, 10).
    """

    weights: _Floats
    bias: _Floats
    rest: bytes

    def to_bytes(self) -> bytes:
        """As an .npz archive; the same network always gives the same bytes."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "weights": self.weights,
            "bias": self.bias,
            "rest": np.frombuffer(self.rest, np.uint8),
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, array in arrays.items():
                content = io.BytesIO()
                np.save(content, array)
                # ZipInfo's own date, 1980, instead of now.
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Raises ValueError where the content is no such archive. Pickled objects in it are not loaded."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                weights, bias, rest = arrays["weights"], arrays["bias"], arrays["rest"].tobytes()
        except _DAMAGE as error:
            raise ValueError(str(error).partition("\n")[0] or type(error).__name__) from error
        if weights.dtype != np.float32 or weights.shape != (PIXELS, *bias.shape) or bias.dtype != np.float32:
            raise ValueError(f"weights are {weights.dtype} {weights.shape}, bias is {bias.dtype} {bias.shape}")
        return cls(weights, bias, rest)


class FirstLayer:
    """uint8 (n, 784) @ weights + bias, for any n; a row's result depends on nothing but the row."""

    def __init__(self, weights: _Floats, bias: _Floats) -> None:
        """weights: float32 (784, hidden). bias: float32 (hidden,). Loads or compiles the kernel."""
        self._hidden = len(bias)
        panels = -(-self._hidden // PANEL)
        missing = panels * PANEL - self._hidden
        padded = np.pad(weights, ((0, 0), (0, missing))).reshape(PIXELS, panels, PANEL)
        self._panels = np.ascontiguousarray(padded.transpose(1, 0, 2))
        self._bias = np.pad(bias, (0, missing))
        self._add_products = kernel("job.model.sparse_kernel", "add_products")

    def apply(self, pixels: Pixels) -> _Floats:
        """uint8 (n, 784), C-contiguous -> float32 (n, hidden), before any activation."""
        sums = np.empty((len(pixels), len(self._bias)), np.float32)
        sums[:] = self._bias
        for number, panel in enumerate(self._panels):
            self._add_products(
                pixels.ctypes.data, len(pixels), panel.ctypes.data, sums.ctypes.data + number * PANEL * sums.itemsize,
                sums.strides[0],
            )  # fmt: skip
        return sums if self._hidden == sums.shape[1] else np.ascontiguousarray(sums[:, : self._hidden])
