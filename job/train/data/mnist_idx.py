"""MNIST's four official IDX files: how to recognise them, and a copy of them in the user's cache.

Whatever source `mnist` takes MNIST from, these digests say whether it is MNIST. The cache is a folder of IDX files like
any other: MNIST_DIR may name it.
"""

import hashlib
import logging
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from isal import igzip

from job.compiled.cache import make_folder, user_folder
from job.contract import SIDE
from job.errors import DataError, DigitJobError, NoInput, StorageError
from job.read.idx import IMAGES_MAGIC, LABELS_MAGIC
from job.settings import ReadSettings
from job.storage import LocalStorage, Storage, join
from job.train.data.labelled_files import idx_files, read_files
from job.train.data.split import FoundImages, Split

_log = logging.getLogger(__name__)

# SHA-256 of the files that Yann LeCun published, decompressed.
_DIGESTS: Final = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_FOLDER: Final = "mnist"
_FASTEST: Final = 1


def is_official(stem: str, images: Split) -> bool:
    """Whether images and labels are those of the official files `train` or `t10k`, bit for bit and in their order."""
    return all(hashlib.sha256(content).hexdigest() == _DIGESTS[name] for name, content in _idx(stem, images))


def read_official(storage: Storage, folder: str, *, has_test: bool, origin: str) -> FoundImages | None:
    """MNIST from a folder of its official IDX files, or None if they are damaged or others.

    has_test: whether the test images are wanted; if not, their files only have to exist. origin: as in `FoundImages`.
    """
    try:
        if None in idx_files(storage, folder):
            return None
        found = read_files(storage, [folder], ReadSettings(), has_test=has_test, origin=origin)
    except (DataError, NoInput, StorageError) as error:
        _log.info("%s", error)
        return None
    splits = {"train": found.images, **({"t10k": found.test} if has_test and found.test else {})}
    if not all(is_official(stem, images) for stem, images in splits.items()):
        _log.info("%s: the images or labels are not MNIST's", folder)
        return None
    return replace(found, name="mnist", sources=("mnist",))


def cache_folder() -> str | None:
    """Where the user's cache keeps MNIST; None where there is no cache."""
    folder = user_folder()
    return str(folder / _FOLDER) if folder else None


def write_cache(train: Split, test: Split) -> None:
    """Keep the four files in the user's cache. Where that fails, the next run downloads MNIST again."""
    folder = cache_folder()
    if folder is None:
        return
    storage = LocalStorage()
    try:
        make_folder(Path(folder))
        for stem, images in (("train", train), ("t10k", test)):
            for name, content in _idx(stem, images):
                storage.write(join(folder, f"{name}.gz"), igzip.compress(content, _FASTEST))
    except (OSError, DigitJobError) as error:
        _log.debug("%s: MNIST cannot be kept here: %s", folder, error)


def _idx(stem: str, images: Split) -> Iterator[tuple[str, bytes]]:
    """The two IDX files of a split: (name, content)."""
    rows = len(images)
    yield f"{stem}-images-idx3-ubyte", IMAGES_MAGIC + struct.pack(">3I", rows, SIDE, SIDE) + images.pixels.tobytes()
    yield f"{stem}-labels-idx1-ubyte", LABELS_MAGIC + struct.pack(">I", rows) + images.labels.astype(np.uint8).tobytes()
