"""Labelled images in memory, and how a share of them is held out.

Every module beside this one passes these values on; this one does not know where images come from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS, Labels, Pixels
from job.errors import DataError


@dataclass(frozen=True)
class Split:
    """Labelled images. pixels: uint8 (n, 784), 0 = background, 255 = ink. labels: int8 (n,), 0-9.

    groups: text (n,), the group of each image, such as its writer, or "" where it has none; None: no groups are known.
    """

    pixels: Pixels
    labels: Labels
    groups: npt.NDArray[np.str_] | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def class_counts(self) -> list[int]:
        """The number of images of each digit, 0 to 9."""
        return [int(count) for count in np.bincount(self.labels, minlength=CLASSES)]

    def rows(self, indices: npt.NDArray[np.intp]) -> "Split":
        """The images at `indices`, in that order."""
        groups = None if self.groups is None else self.groups[indices]
        return Split(self.pixels[indices], self.labels[indices], groups)


def joined(splits: Sequence[Split]) -> Split:
    """The images of all splits, one after the other; no splits give an empty one. Groups are known if all know them."""
    if not splits:
        return Split(np.empty((0, PIXELS), np.uint8), np.empty(0, np.int8))
    groups = [each.groups for each in splits if each.groups is not None]
    return Split(
        np.concatenate([each.pixels for each in splits]),
        np.concatenate([each.labels for each in splits]),
        np.concatenate(groups) if len(groups) == len(splits) else None,
    )


def hold_out(images: Split, share: float, *, seed: int, where: str) -> tuple[Split, Split]:
    """Hold out a stratified share of the images; returns (rest, held out), both in the original order.

    share: in (0, 1). Both have images of every digit. `where` names the data in errors.
    Raises DataError if there are too few images of a digit for that.
    """
    from sklearn.model_selection import train_test_split

    _check_class_counts(images, share, where)
    indices = np.arange(len(images))
    rest, held_out = train_test_split(indices, test_size=share, random_state=seed, stratify=images.labels)
    return images.rows(np.sort(rest)), images.rows(np.sort(held_out))


def _check_class_counts(images: Split, share: float, where: str) -> None:
    # Each side gets at least its share of a class, rounded down; that must not be zero.
    needed = math.ceil(1 / min(share, 1 - share))
    for digit, count in enumerate(images.class_counts):
        if count < needed:
            raise DataError(
                f"{where}: holds {count} images of the digit {digit}, expected at least {needed} to hold out "
                f"{share:g} of each digit; add labelled images of it"
            )


@dataclass(frozen=True)
class FoundImages:
    """Labelled images as they were found, not yet split.

    sources: the values of --data that find the same images again. images: in the order found. validation, test: the
    images for these purposes, where the data comes with its own. origin: where they were taken from, to read after
    "from". warning: what the user must know about the choice of data, or None.
    """

    name: str
    sources: tuple[str, ...]
    images: Split
    validation: Split | None = None
    test: Split | None = None
    origin: str = "files"
    warning: str | None = None
