"""How an ONNX network from elsewhere is run: what its input is computed from pixels by, and its output turned into.

A network of digit-job's own takes bytes and returns probabilities, and has no adapter. The card of a converted one has
it, and the model's digest covers it. `onnx_predictor` applies it, `foreign_onnx` finds it.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, SIDE, Pixels, Probabilities
from job.documents.model_json import AdapterSection
from job.model.input_range import InputRange, OutputKind, probabilities_of

# ONNX Runtime's names of the types that an input may have.
DTYPES: Final = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(uint8)": "uint8",
    "tensor(int32)": "int32", "tensor(int64)": "int64",
}  # fmt: skip
# Rows of pixels, images, and images with a channel, which PyTorch has first and TensorFlow last.
SHAPES: Final = ((PIXELS,), (SIDE, SIDE), (1, SIDE, SIDE), (SIDE, SIDE, 1), (1, PIXELS), (PIXELS, 1))
_MAX_ROWS: Final = 65_536


@dataclass(frozen=True)
class OnnxAdapter:
    """What an ONNX network takes and gives.

    shape: of one image. dtype: of the input, NumPy's name. input_range: of its values. rows: the number of images that
    the network is fixed to; None: any. output: what its ten outputs are.
    """

    shape: tuple[int, ...]
    dtype: str
    input_range: InputRange
    rows: int | None
    output: OutputKind

    def inputs(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Uint8 (n, 784) -> the network's input, (n, *shape)."""
        return self.input_range.apply(pixels).reshape(-1, *self.shape).astype(self.dtype)

    def probabilities(self, outputs: npt.NDArray[Any]) -> Probabilities:
        """The network's output, (n, 10) -> float32 (n, 10)."""
        return probabilities_of(outputs.astype(np.float32), self.output)

    def to_json(self) -> AdapterSection:
        """For the card."""
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "range": str(self.input_range),
            "rows": self.rows,
            "output": str(self.output),
        }

    @classmethod
    def from_json(cls, content: AdapterSection) -> Self:
        """The inverse of `to_json`. Raises KeyError, ValueError or TypeError for any other content."""
        shape, rows = tuple(content["shape"]), content["rows"]
        if shape not in SHAPES or content["dtype"] not in DTYPES.values():
            raise ValueError(f"shape {shape} and type {content['dtype']!r:.50}")
        if rows is not None and not (isinstance(rows, int) and 0 < rows <= _MAX_ROWS):
            raise ValueError(f"rows {rows!r:.50}")
        return cls(shape, content["dtype"], InputRange(content["range"]), rows, OutputKind(content["output"]))


def identity_of(adapter: AdapterSection | None) -> str:
    """What a card says of the adapter, as text for the model's digest; empty without one."""
    return "" if adapter is None else json.dumps(adapter, sort_keys=True, separators=(",", ":"))
