"""Digits of other people as people hand them in: the whole picture resized to 28x28, ink bright, written as a CSV.

USPS's test half, all of Semeion and MNIST's t10k are exams: they are scored, and nothing is chosen by them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from support.files import Digits, read_mnist, write_csv

_SIDE = 28
# Semeion's records have 256 values of 0 or 1, and ten columns for the digit.
_SEMEION_VALUES = 256
_SEMEION_FIELDS = _SEMEION_VALUES + 10
_OPTDIGITS_MAX = 16


@dataclass(frozen=True)
class DigitSet:
    """A set of labelled digits. read: gives them. path: what it needs; None: nothing."""

    name: str
    read: Callable[[], Digits]
    path: Path | None = None

    @property
    def missing(self) -> str | None:
        """Why it cannot be read, or None."""
        return f"{self.path} is not there" if self.path and not self.path.exists() else None

    def csv(self, folder: Path) -> Path:
        """The digits as a CSV file of Kaggle's form, written once."""
        path = folder / f"{self.name.replace(' ', '-').lower()}.csv"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}")
            write_csv(temporary, self.read())
            temporary.rename(path)
        return path


def digit_sets(digits_dir: Path, mnist_dir: Path, *, is_trying: bool = False) -> list[DigitSet]:
    """The sets. is_trying: only those by which something may be chosen."""
    usps, semeion = digits_dir / "usps.h5", digits_dir / "semeion.data"
    optdigits = DigitSet("optdigits", _optdigits)
    if is_trying:
        return [DigitSet("USPS train", lambda: _usps(usps, "train"), usps), optdigits]
    return [
        DigitSet("USPS test", lambda: _usps(usps, "test"), usps),
        DigitSet("Semeion", lambda: _semeion(semeion), semeion),
        optdigits,
        DigitSet("MNIST t10k", lambda: read_mnist(mnist_dir, "t10k"), mnist_dir / "t10k-images-idx3-ubyte.gz"),
    ]


def resized(images, highest: float) -> np.ndarray:
    """Images (n, height, width) of 0 to `highest` as uint8 (n, 784), each whole picture resized as Pillow does it."""
    levels = np.rint(np.asarray(images, np.float64) * (255 / highest)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((_SIDE, _SIDE))).ravel() for each in levels])


def _usps(path: Path, half: str) -> Digits:
    with h5py.File(path) as file:
        images, labels = file[f"{half}/data"][:], file[f"{half}/target"][:]
    return Digits(resized(images.reshape(-1, 16, 16), 1), labels.astype(np.int8))


def _semeion(path: Path) -> Digits:
    records = [line.split() for line in path.read_text().splitlines()]
    # The first record of the common copy is broken over several lines, and all have a further field at the end.
    whole = [each[:_SEMEION_FIELDS] for each in records if len(each) >= _SEMEION_FIELDS]
    values = np.array(whole, np.float64)
    images, classes = values[:, :_SEMEION_VALUES], values[:, _SEMEION_VALUES:]
    return Digits(resized(images.reshape(-1, 16, 16), 1), classes.argmax(axis=1).astype(np.int8))


def _optdigits() -> Digits:
    found = load_digits()
    return Digits(resized(found.images, _OPTDIGITS_MAX), found.target.astype(np.int8))
