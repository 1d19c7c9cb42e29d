"""The network as the scorer runs it: uint8 pixels -> probabilities, on ONNX Runtime, one thread per caller.

Always called with the same number of rows, so that a row's result can never depend on the rows around it:
matrix kernels round differently for other shapes. This is what makes output independent of part sizes.
"""

from typing import Final

import numpy as np
import onnxruntime as ort

from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.errors import DigitJobError, ModelInvalid

# Measured: larger batches fall out of the processor's cache (512-1024 rows are best, 2048 slower).
BATCH_ROWS: Final = 512


class OnnxPredictor:
    """A network loaded from ONNX. Threads may share it; each call computes on the caller's thread alone."""

    def __init__(self, onnx: bytes, where: str) -> None:
        """`where` names the model in errors. Raises ModelInvalid if it is no network of 784 uint8 -> 10 float32."""
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except DigitJobError:  # a signal that came meanwhile
            raise
        except Exception as error:  # ONNX Runtime's errors share no base below Exception
            raise ModelInvalid(f"{where}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
        self._input = self._checked_input(where)

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10)."""
        results = np.empty((len(pixels), CLASSES), np.float32)
        for start in range(0, len(pixels), BATCH_ROWS):
            rows = pixels[start : start + BATCH_ROWS]
            count = len(rows)
            if count < BATCH_ROWS:
                rows = np.concatenate([rows, np.zeros((BATCH_ROWS - count, PIXELS), np.uint8)])
            results[start : start + count] = self._session.run(None, {self._input: rows})[0][:count]
        return results

    def _checked_input(self, where: str) -> str:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [(each.type, [_rows(each.shape), *each.shape[1:]]) for each in (*inputs, *outputs)]
        expected = [("tensor(uint8)", ["n", PIXELS]), ("tensor(float)", ["n", CLASSES])]
        if found != expected:
            raise ModelInvalid(f"{where}: takes and gives {found}, expected {expected}")
        return str(inputs[0].name)


def _rows(shape: list[int | str | None]) -> int | str | None:
    """`n` where a network takes any number of rows; else the number that it was fixed to."""
    return shape[0] if shape and isinstance(shape[0], int) else "n"
