"""Who wrote MNIST's images: the writer numbers of QMNIST, which lists MNIST's images in their order.

Source: C. Yadav, L. Bottou, "Cold Case: The Lost MNIST Digits", NeurIPS 2019.
"""

import logging
from dataclasses import replace
from typing import Final

import numpy as np

from job.errors import DataError
from job.read.packed.stream import opened
from job.storage import Storage, join
from job.train.data.mnist_idx import is_official
from job.train.data.split import Split

_log = logging.getLogger(__name__)

# MNIST's test images are the first of this file.
_NAME: Final = "qmnist-test-labels.tsv.gz"
_DIGIT, _WRITER = 0, 2
# The whole table has 2 MB.
_MAX_BYTES: Final = 1 << 24


def with_writers(storage: Storage, digits_dir: str | None, images: Split) -> Split:
    """MNIST's test images with the writer of each as its group; other images as they are.

    digits_dir: a folder that may hold QMNIST's `qmnist-test-labels.tsv.gz`, or None. Raises DataError where that file
    is not what its name says.
    """
    if digits_dir is None or images.groups is not None or not is_official("t10k", images):
        return images
    path = join(storage.resolve(digits_dir), _NAME)
    file = storage.stat(path)
    if file is None:
        _log.info("%s: is not there, so that the writers of MNIST's test images are unknown", path)
        return images
    with opened(storage, file) as unpacked:
        content = unpacked.stream.read(_MAX_BYTES)
    try:
        rows = [line.split(b"\t") for line in content.splitlines()[: len(images)]]
        digits, writers = (np.array([int(row[column]) for row in rows]) for column in (_DIGIT, _WRITER))
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: is not QMNIST's table of labels ({error}); copy or download it again") from error
    if not np.array_equal(digits, images.labels):
        raise DataError(f"{path}: its digits are not those of MNIST's test images; copy or download it again")
    return replace(images, groups=writers.astype(np.str_))
