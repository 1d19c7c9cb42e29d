"""The one place where TensorFlow and Keras come in: late, quiet and always as Keras's backend.

TensorFlow takes seconds to import and writes to standard error while it does, below Python's logging. Whoever needs
Keras asks here, inside a function; nothing that is imported on the way to a command may.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from job.log import Event, event
from job.train.scratch import scratch_file

_log = logging.getLogger(__name__)

# Read once, by TensorFlow's C++ side, at import. The dense network's matrices are too small to share among threads: an
# epoch of 54,000 deformed images takes 1.55 s with both of two cores, 1.3 s with one, and 0.9 s with one and oneDNN,
# which knows the processor's vectors (medians of 9 epochs). So weights do not depend on the number of cores, either.
_THREADS: Final = "TF_NUM_INTRAOP_THREADS"
_ENVIRONMENT: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", _THREADS: "1"}
# How lines begin that say nothing of an error: that oneDNN is on, that logging is not set up yet, what TFLite's
# interpreter runs on, and what its converter was asked for.
_NOTICES: Final = (
    b"I0000 ", b"WARNING: All log messages before absl::InitializeLog()", b"INFO: Created TensorFlow Lite ",
    b"fully_quantize: ",
)  # fmt: skip
_STANDARD_ERROR: Final = 2
_CHATTY_LOGGERS: Final = ("absl", "tensorflow", "tf2onnx", "h5py")


def import_keras() -> Any:
    """Keras on TensorFlow, without their start-up messages and progress bars."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The user's environment may name another backend for other work; export needs this one.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with without_notices() if "tensorflow" not in sys.modules else nullcontext():
        import keras
        import tensorflow as tf  # noqa: F401  # sets its loggers up at import, so they are quietened after it

    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    keras.utils.disable_interactive_logging()
    return keras


def use_threads(threads: int) -> None:
    """Let operations use so many threads, however many cores there are; of use before `import_keras` only.

    The number is part of what decides the weights, for sums are made in another order. The user's own goes before it.
    """
    os.environ.setdefault(_THREADS, str(threads))


def fix_seed(seed: int) -> None:
    """Make everything random in Python, NumPy and TensorFlow repeat for the same seed, and operations bit for bit."""
    keras = import_keras()
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def without_notices() -> Iterator[None]:
    """Log what is written to the process's standard error meanwhile, by whatever language, but for notices."""
    error = os.dup(_STANDARD_ERROR)
    with scratch_file() as written:
        os.dup2(written.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(error, _STANDARD_ERROR)
            os.close(error)
            written.seek(0)
            for line in written:
                if not line.startswith(_NOTICES):
                    _log.warning("%s", line.decode(errors="replace").rstrip(), extra=event(Event.LIBRARY))
