"""Which arrays of a NumPy file are the images and which the labels: by their shapes, and by their names in an archive.

An archive may hold a training and a test set, as Keras's mnist.npz and MedMNIST do. Whoever scores it wants to know how
the model does on images that it has not seen, so scoring takes the test set; training takes both.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from job.contract import PIXELS
from job.errors import DataError, LayoutError
from job.flag_names import Flag
from job.read.layout.names import LABEL_NAMES
from job.read.numpy_files.stored_array import StoredArray, check_readable
from job.settings import ReadSettings

Subset = Literal["train", "val", "test"]

_SHAPES: Final = "n x 784, n x 28 x 28 or n x 28 x 28 x 1"
_SHOWN: Final = 5
# What scipy.sparse.save_npz writes.
_SPARSE_NAMES: Final = {"data", "indices", "indptr", "format"}
_IMAGE_NAMES: Final = ("x", "image", "images", "img", "imgs", "data", "features", "pixels", "arr_0")
_LABEL_NAMES: Final = (*LABEL_NAMES, "labels", "targets", "classes", "digits", "arr_1")
_SUBSET: Final = re.compile(r"(?<![a-z])(train|test|val|t10k)(?:ing|idation|id)?(?![a-z])")
_SUBSETS: Final[dict[str, Subset]] = {"train": "train", "val": "val", "test": "test", "t10k": "test"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The arrays to read. labels: None if there are none. skipped: the names of the other arrays of an archive."""

    images: StoredArray
    labels: StoredArray | None
    skipped: tuple[str, ...] = ()


def choose_arrays(arrays: Sequence[StoredArray], settings: ReadSettings, where: str, wanted: Subset = "test") -> Chosen:
    """The images and labels of a file. wanted: the subset to take where there are several. Raises LayoutError."""
    found = [array for array in arrays if array.is_image]
    if not found:
        raise LayoutError(f"{where}: {_no_images(arrays)}")
    subset = _subset(found, wanted, where)
    images = _one(found, subset, _IMAGE_NAMES, where, "images")
    check_readable(images, "the images")
    labels = _labels(arrays, images, subset, settings, where)
    skipped = tuple(array.name for array in arrays if array not in {images, labels})
    return Chosen(images, labels, skipped)


def image_subsets(arrays: Sequence[StoredArray]) -> set[Subset | None]:
    """The subsets that the names of an archive's images tell."""
    return {split_name(array.name)[0] for array in arrays if array.is_image}


def check_labels(labels: StoredArray, images: StoredArray) -> StoredArray:
    """The labels, if they fit the images. Raises LayoutError, DataError."""
    if not labels.is_label:
        raise LayoutError(
            f"{labels.where}: is of shape {labels.shape}, expected one label for each image; of one-hot labels, save "
            f"numpy.argmax(labels, axis=1), or leave them out with {Flag.NO_LABEL}"
        )
    if labels.dtype.kind not in "SU":
        check_readable(labels, "the labels")
    if labels.rows != images.rows:
        raise DataError(
            f"{labels.where}: holds {labels.rows} labels for the {images.rows} images of {images.where}; "
            f"leave them out with {Flag.NO_LABEL}"
        )
    return labels


def _no_images(arrays: Sequence[StoredArray]) -> str:
    """What a file without images holds instead, and what to do."""
    if {array.name for array in arrays} >= _SPARSE_NAMES:
        return "is SciPy's sparse matrix; save matrix.toarray() with numpy.save"
    if any(array.dtype.hasobject for array in arrays):
        return (
            "holds Python objects, which only unpickling reads, and that may run code; save the images as one array of "
            f"numbers, {_SHAPES}"
        )
    shapes = ", ".join(f"{array.name} {array.shape}".strip() for array in arrays[:_SHOWN])
    hint = ""
    if any(array.shape[1:] == (PIXELS + 1,) for array in arrays):
        hint = "; of pixels with a label in front, save numpy.savez(file, x=a[:, 1:], y=a[:, 0])"
    return f"holds no images: found {shapes or 'no array'}, expected {_SHAPES}{hint}"


def _subset(found: Sequence[StoredArray], wanted: Subset, where: str) -> Subset | None:
    """The subset to read, in the names of arrays of images; None if they name none."""
    subsets = list(dict.fromkeys(split_name(array.name)[0] for array in found))
    for each in (wanted, None):
        if each in subsets:
            return each
    if len(subsets) > 1:
        raise LayoutError(
            f"{where}: {', '.join(array.name for array in found)} could each be the images; save one of them by itself"
        )
    return subsets[0]


def _labels(
    arrays: Sequence[StoredArray], images: StoredArray, subset: str | None, settings: ReadSettings, where: str
) -> StoredArray | None:
    if settings.is_label_ignored:
        return None
    others = [array for array in arrays if array is not images and array.name]
    if settings.label_column is not None:
        named = [array for array in others if array.name == settings.label_column]
        if not named:
            raise LayoutError(
                f"{where}: has no array {settings.label_column!r}; found {', '.join(array.name for array in arrays)}"
            )
        if split_name(named[0].name)[0] not in {None, subset}:
            raise LayoutError(
                f"{where}: {named[0].name} are not the labels of {images.name}, which is read; save the images that it "
                "belongs to by themselves"
            )
        return check_labels(named[0], images)
    of_subset = [array for array in others if split_name(array.name)[0] == subset and not array.is_image]
    found = [array for array in of_subset if split_name(array.name)[1] in _LABEL_NAMES]
    if len(found) > 1:
        raise LayoutError(
            f"{where}: {', '.join(array.name for array in found)} could each be the labels; say which with "
            f"{Flag.LABEL_COLUMN} NAME or {Flag.NO_LABEL}"
        )
    return check_labels(found[0], images) if found else None


def _one(found: Sequence[StoredArray], subset: str | None, names: Sequence[str], where: str, what: str) -> StoredArray:
    """The only array of a subset, or the one of several with a usual name."""
    of_subset = [array for array in found if split_name(array.name)[0] == subset]
    named = [array for array in of_subset if split_name(array.name)[1] in names]
    if len(of_subset) > 1 and len(named) != 1:
        raise LayoutError(
            f"{where}: {', '.join(array.name for array in named or of_subset)} could each be the {what}; "
            "save one of them by itself"
        )
    return (named or of_subset)[0]


def split_name(name: str) -> tuple[Subset | None, str]:
    """The subset that a name tells, and the rest of it: (train, x) for `x_train`, `train_x` or `X-train`.

    Subsets are `train`, `test` and `val`, also for training, testing, t10k and validation; None: the name tells none,
    or several.
    """
    name = name.lower()
    matches = list(_SUBSET.finditer(re.sub(r"[_.\-\s]", " ", name)))
    if len({_SUBSETS[match[1]] for match in matches}) != 1:
        return None, name
    match = matches[0]
    return _SUBSETS[match[1]], (name[: match.start()] + name[match.end() :]).strip("_.- ")
