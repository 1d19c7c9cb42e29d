"""MNIST by name, from wherever it can be had."""

import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS
from job.errors import NoInput
from job.flag_names import Flag
from job.train.backend import import_keras
from job.train.data.split import Origin, Split, joined

_DOWNLOAD_TIMEOUT_S: Final = 60.0


def mnist(*, has_test: bool) -> Origin:
    """MNIST, downloaded by Keras. has_test: whether its test images are wanted. Raises NoInput."""
    keras = import_keras()
    try:
        train, test = _within(_DOWNLOAD_TIMEOUT_S, keras.datasets.mnist.load_data)
    except OSError as error:
        raise NoInput(
            f"mnist: cannot be downloaded ({error}); name a folder of IDX files or another file with {Flag.DATA}, "
            f"or use {Flag.DATA} digits"
        ) from error
    # Both are in the one file that is downloaded.
    return Origin("mnist", "mnist", _flattened(*train), _flattened(*test) if has_test else joined([]))


def _flattened(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    return Split(np.ascontiguousarray(images.reshape(-1, PIXELS), np.uint8), labels.astype(np.int8))


def _within(timeout_s: float, function: Callable[[], Any]) -> Any:
    """The function's result. Raises OSError if it fails or takes longer; it then goes on until the process ends.

    Raises MemoryError as it is, for no download's failing is like it.
    """
    results: list[Any] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001  # Keras raises a bare Exception where a download fails
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if errors and isinstance(errors[0], MemoryError):
        raise errors[0]
    if errors:
        raise OSError(" ".join(str(errors[0]).split())) from errors[0]
    if not results:
        raise TimeoutError(f"no answer within {timeout_s:g} seconds")
    return results[0]
