"""A network on ONNX Runtime: uint8 pixels -> probabilities, one thread per caller.

ONNX Runtime is always called with the same number of rows, so that a row's result can never depend on the rows around
it: matrix kernels round differently for other shapes. This is what makes output independent of part sizes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.errors import OUT_OF_MEMORY, ModelInvalid, ResourceExhausted

# Measured: larger batches fall out of the processor's cache (512-1024 rows are best, 2048 slower).
BATCH_ROWS: Final = 512
# What ONNX Runtime says of a network that it cannot load or run; these errors share no base below Exception. The other
# errors that it has are of devices, and of ways to load a network, that are not used here. Text that is no UTF-8 is a
# ValueError.
_REFUSALS: Final = (
    ort_errors.EPFail, ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf, ort_errors.NoModel, ort_errors.NoSuchFile, ort_errors.NotFound,
    ort_errors.NotImplemented, ort_errors.RuntimeException, ValueError, RuntimeError,
)  # fmt: skip
# How it words that memory ran out, where it does not raise MemoryError.
_NO_MEMORY: Final = ("bad_alloc", "Failed to allocate memory")
# ONNX files may name others that hold their weights, found in the working folder and under no digest. In what is no
# folder, there are none.
_NO_FOLDER: Final = ("session.model_external_initializers_file_folder_path", os.devnull)


class OnnxPredictor:
    """A network loaded from ONNX. Threads may share it; each call computes on the caller's thread alone."""

    def __init__(self, onnx: bytes, where: str) -> None:
        """`where` names the model in errors. Raises ModelInvalid if it is no network of 784 uint8 -> 10 float32."""
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry(*_NO_FOLDER)
        self._where = where
        with _translated(where, "load"):
            # The fallback would try the same again, and say so on standard output.
            self._session = ort.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
            found = [(each.type, [_rows(each.shape), *each.shape[1:]]) for each in (*inputs, *outputs)]
            self._input = inputs[0].name
        expected = [("tensor(uint8)", ["n", PIXELS]), ("tensor(float)", ["n", CLASSES])]
        if found != expected:
            raise ModelInvalid(f"{where}: takes and gives {found}, expected {expected}")

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10)."""
        results = np.empty((len(pixels), CLASSES), np.float32)
        for start in range(0, len(pixels), BATCH_ROWS):
            results[start : start + BATCH_ROWS] = self._run(pixels[start : start + BATCH_ROWS])
        return results

    def _run(self, pixels: Pixels) -> Probabilities:
        """The same, for n <= BATCH_ROWS."""
        count = len(pixels)
        if count < BATCH_ROWS:
            pixels = np.concatenate([pixels, np.zeros((BATCH_ROWS - count, PIXELS), np.uint8)])
        with _translated(self._where, "run"):
            probabilities: Probabilities = self._session.run(None, {self._input: pixels})[0]
        return probabilities[:count]


@contextmanager
def _translated(where: str, verb: str) -> Iterator[None]:
    """Turn ONNX Runtime's errors into ModelInvalid, and running out of memory into ResourceExhausted."""
    try:
        yield
    except (*_REFUSALS, MemoryError) as error:
        said = str(error)
        if isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY):
            raise ResourceExhausted(f"{where}: {OUT_OF_MEMORY}") from error
        first_line = said.partition("\n")[0]
        raise ModelInvalid(f"{where}: ONNX Runtime cannot {verb} it: {first_line}") from error


def _rows(shape: list[int | str | None]) -> int | str | None:
    """`n` where a network takes any number of rows; else the number that it was fixed to."""
    return shape[0] if shape and isinstance(shape[0], int) else "n"
