"""A predictor for any ONNX model, on ONNX Runtime; `dense` is faster, but for dense layers only.

ONNX Runtime is always called with the same number of rows, because matrix kernels round differently for other shapes.
So the result of a row does not depend on the rows around it, nor the output on the size of parts.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from job.compiled.machine_code import processor
from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.documents.model_json import AdapterSection
from job.errors import OUT_OF_MEMORY, ModelInvalid, ResourceExhausted
from job.model.onnx_adapter import OnnxAdapter
from job.model.onnx_file import check_onnx
from job.model.onnx_watch import OnnxWatch
from job.storage import CheckStop, never_stop

# Measured: 512 to 1024 rows are fastest; 2048 no longer fit into the processor's cache.
BATCH_ROWS: Final = 512
# Errors of ONNX Runtime for a model that it cannot load or run; they have no common base class below Exception. Its
# other errors are about devices and ways to load a model that are not used here. Invalid UTF-8 raises ValueError.
_REFUSALS: Final = (
    ort_errors.EPFail, ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf, ort_errors.NoModel, ort_errors.NoSuchFile, ort_errors.NotFound,
    ort_errors.NotImplemented, ort_errors.RuntimeException, ValueError, RuntimeError,
)  # fmt: skip
# Messages of its errors when memory runs out, other than MemoryError.
_NO_MEMORY: Final = ("bad_alloc", "Failed to allocate memory")
# ONNX files may refer to external files of weights, relative to the working folder and covered by no digest. There are
# none below a path that is not a folder.
_NO_FOLDER: Final = ("session.model_external_initializers_file_folder_path", os.devnull)


def arithmetic() -> str:
    """What the last digits of results depend on: the runtime selects its matrix kernels by the processor's vectors."""
    return f"ONNX Runtime {ort.__version__} on {processor()}"


@dataclass(frozen=True)
class OnnxValue:
    """An input or output: its type as ONNX Runtime names it, its shape with names or None for what may vary."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


class OnnxSession:
    """An ONNX file loaded into ONNX Runtime, with one thread and without other files."""

    def __init__(self, onnx: bytes, where: str, check_stop: CheckStop = never_stop) -> None:
        """onnx: the file's content; where: its path, for errors. Raises ModelInvalid if it cannot be loaded."""
        found = check_onnx(onnx, where)
        self.parameters = found.parameters
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry(*_NO_FOLDER)
        if found.has_subgraphs:
            # A loop is ended between two operators, so that its body must keep some.
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._where = where
        self._watch = OnnxWatch(where, check_stop)
        with _translated(where, "load"):
            # The fallback would try the same provider again, and print that to standard output.
            self._session = ort.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
            self.inputs, self.outputs = (
                tuple(OnnxValue(each.name, each.type, tuple(each.shape)) for each in values)
                for values in (self._session.get_inputs(), self._session.get_outputs())
            )

    def run(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The first output for the first input.

        Raises ModelInvalid if the network cannot be run or takes too long, and what `check_stop` raises.
        """
        with _translated(self._where, "run"), self._watch.watched():
            feed = {self.inputs[0].name: values}
            output: npt.NDArray[Any] = self._session.run(None, feed, self._watch.options)[0]
        return output

    def run_rows(self, pixels: Pixels, adapter: OnnxAdapter) -> npt.NDArray[Any]:
        """The outputs (n, 10) for uint8 (n, 784), in batches of the size that the network is fixed to or BATCH_ROWS."""
        size = adapter.rows or BATCH_ROWS
        results = []
        for start in range(0, len(pixels), size):
            batch = _padded(pixels[start : start + size], size)
            output = self.run(adapter.inputs(batch))
            if output.shape != (size, CLASSES):
                raise ModelInvalid(
                    f"{self._where}: gives outputs of the shape {output.shape} for {size} images, expected "
                    f"{(size, CLASSES)}"
                )
            results.append(output[: len(pixels) - start])
        return np.concatenate(results) if results else np.empty((0, CLASSES), np.float32)


class OnnxPredictor:
    """Runs an ONNX model. Threads may share it; each call computes on the calling thread only."""

    def __init__(
        self, onnx: bytes, where: str, adapter: OnnxAdapter | None = None, check_stop: CheckStop = never_stop
    ) -> None:
        """onnx: the file's content; where: its path, for errors. adapter: for a network from elsewhere.

        check_stop: asked during long calls. Raises ModelInvalid unless the network takes uint8 (n, 784) and returns
        float32 (n, 10), or the adapter says otherwise.
        """
        self._session = OnnxSession(onnx, where, check_stop)
        self._adapter = adapter
        inputs, outputs = self._session.inputs, self._session.outputs
        found = [(each.type, [_rows(each.shape), *each.shape[1:]]) for each in (*inputs, *outputs)]
        expected = [("tensor(uint8)", ["n", PIXELS]), ("tensor(float)", ["n", CLASSES])]
        if adapter is None and found != expected:
            raise ModelInvalid(f"{where}: has inputs and outputs {found}, expected {expected}")

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10)."""
        if self._adapter is not None:
            return self._adapter.probabilities(self._session.run_rows(pixels, self._adapter))
        results = np.empty((len(pixels), CLASSES), np.float32)
        for start in range(0, len(pixels), BATCH_ROWS):
            batch = pixels[start : start + BATCH_ROWS]
            results[start : start + BATCH_ROWS] = self._session.run(_padded(batch, BATCH_ROWS))[: len(batch)]
        return results


def try_network(onnx: bytes, where: str, *, pixels: str, adapter: AdapterSection | None) -> None:
    """Load a network and run it once, for `trial`. pixels: uint8 (n, 784) in base64.

    Raises ModelInvalid and ResourceExhausted.
    """
    found = None if adapter is None else OnnxAdapter.from_json(adapter)
    images = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(-1, PIXELS)
    OnnxPredictor(onnx, where, found).predict(images)


def _padded(pixels: Pixels, rows: int) -> Pixels:
    """Up to `rows` rows, padded to as many."""
    if len(pixels) == rows:
        return pixels
    return np.concatenate([pixels, np.zeros((rows - len(pixels), PIXELS), np.uint8)])


@contextmanager
def _translated(where: str, verb: str) -> Iterator[None]:
    """Translate ONNX Runtime's errors to ModelInvalid, and running out of memory to ResourceExhausted."""
    try:
        yield
    except (*_REFUSALS, MemoryError) as error:
        message = str(error)
        if isinstance(error, MemoryError) or any(words in message for words in _NO_MEMORY):
            raise ResourceExhausted(f"{where}: {OUT_OF_MEMORY}") from error
        first_line = message.partition("\n")[0]
        raise ModelInvalid(f"{where}: ONNX Runtime cannot {verb} it: {first_line}") from error


def _rows(shape: tuple[int | str | None, ...]) -> int | str | None:
    """`n` for any number of rows; otherwise the number that the model is fixed to."""
    return shape[0] if shape and isinstance(shape[0], int) else "n"
