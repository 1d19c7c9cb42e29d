"""The one place where TensorFlow and Keras come in: late, quiet and always as Keras's backend.

TensorFlow takes seconds to import and writes to standard error while it does, below Python's logging. Whoever needs
Keras asks here, inside a function; nothing that is imported on the way to a command may.
"""

import logging
import os
from typing import Any, Final

# Both are read once, by TensorFlow's C++ side, at import. Without oneDNN a notice on every start goes away, and so does
# rounding that differs between processors; the dense network trains as fast (measured: within noise of each other).
_ENVIRONMENT: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
_CHATTY_LOGGERS: Final = ("absl", "tensorflow", "tf2onnx", "h5py")


def import_keras() -> Any:
    """Keras on TensorFlow, without their start-up messages and progress bars."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The user's environment may name another backend for other work; export needs this one.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras  # noqa: PLC0415  # seconds
    import tensorflow as tf  # noqa: F401, PLC0415  # sets its loggers up at import, so they are quietened after it

    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    keras.utils.disable_interactive_logging()
    return keras


def fix_seed(seed: int) -> None:
    """Make everything random in Python, NumPy and TensorFlow repeat for the same seed, and operations bit for bit."""
    keras = import_keras()
    import tensorflow as tf  # noqa: PLC0415  # seconds

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
