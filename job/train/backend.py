"""The one place that imports TensorFlow and Keras: late, quietly, and with TensorFlow as Keras's backend.

TensorFlow takes seconds to import, and meanwhile writes to standard error below Python's logging. Code that needs Keras
calls `import_keras` inside a function, so that no command imports it before it is needed.
"""

import importlib
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import Pixels, Probabilities
from job.log import Event, event
from job.train.scratch import scratch_file

if TYPE_CHECKING:
    import keras


# TensorFlow reads these once, at import. The dense network's matrices are too small to split between threads: an epoch
# of 54,000 deformed images takes 1.55 s with both of two cores, 1.3 s with one, and 0.9 s with one and oneDNN, which
# uses the processor's vector units (medians of 9 epochs). One thread also makes weights independent of the core count.
_THREADS: Final = "TF_NUM_INTRAOP_THREADS"
_ENVIRONMENT: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", _THREADS: "1"}
# Beginnings of lines that report no problem: oneDNN is on, logging is not initialised, the delegate that TFLite's
# interpreter uses, the options of its converter.
_NOTICES: Final = (
    b"I0000 ", b"WARNING: All log messages before absl::InitializeLog()", b"INFO: Created TensorFlow Lite ",
    b"fully_quantize: ",
)  # fmt: skip
_STANDARD_ERROR: Final = 2
_LIBRARIES: Final = ("digit-job", "keras", "numpy", "onnx", "onnxruntime", "scikit-learn")
_CHATTY_LOGGERS: Final = ("absl", "tensorflow", "tf2onnx", "h5py")

_log = logging.getLogger(__name__)


def import_keras() -> Any:
    """Keras on TensorFlow, without their start-up messages and progress bars."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The user's environment may name another backend for other work; the exports need this one.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with without_notices() if "tensorflow" not in sys.modules else nullcontext():
        keras = importlib.import_module("keras")
        # It configures its loggers at import, so they are silenced afterwards.
        importlib.import_module("tensorflow")
    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    keras.utils.disable_interactive_logging()
    return keras


def use_threads(threads: int) -> int | None:
    """Set the number of threads of an operation, unless the environment does; only before the first `import_keras`.

    The number influences the weights, because it changes the order of additions. Returns the number that holds; None if
    the environment leaves it to TensorFlow.
    """
    chosen = os.environ.setdefault(_THREADS, str(threads))
    return int(chosen) if chosen.isascii() and chosen.isdecimal() and int(chosen) else None


def fix_seed(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and make TensorFlow's operations deterministic, bit for bit."""
    keras = import_keras()
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def without_notices() -> Iterator[None]:
    """Capture what the process writes to standard error, from any language, and log it except for notices."""
    error = os.dup(_STANDARD_ERROR)
    with scratch_file() as captured:
        os.dup2(captured.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(error, _STANDARD_ERROR)
            os.close(error)
            captured.seek(0)
            for line in captured:
                if not line.startswith(_NOTICES):
                    _log.warning("%s", line.decode(errors="replace").rstrip(), extra=event(Event.LIBRARY))


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that training uses."""
    import_keras()
    # Its distribution has one of several names (tensorflow, tensorflow-cpu).
    import tensorflow as tf

    libraries = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "tensorflow": str(tf.__version__), **libraries}


_PREDICT_ROWS: Final = 1024


def predict(model: "keras.Model", pixels: Pixels) -> Probabilities:
    """Keras's probabilities: uint8 (n, 784) -> float32 (n, 10)."""
    return np.asarray(model.predict(pixels, batch_size=_PREDICT_ROWS, verbose=0), np.float32)
