"""A NumPy file as a `Source`: the images of a `.npy` file, or of a `.npz` archive such as Keras's mnist.npz.

`array_headers` finds the arrays, `arrays` chooses among them, `stored_array` reads their rows. Labels are in the
archive, or in a file beside the images.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, SIDE, PixelBatch, Pixels, Reject
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.labels import read_labels
from job.read.numpy_files.array_headers import arrays_in
from job.read.numpy_files.arrays import Subset, check_labels, choose_arrays
from job.read.numpy_files.stored_array import StoredArray, counts
from job.read.pixels import detect_scale, inverted, pixel_reject, to_pixels
from job.settings import LabelMap, PixelScale, ReadSettings
from job.storage import FileInfo, Storage

_log = logging.getLogger(__name__)

_PROBED_ROWS: Final = 1000
_SHOWN: Final = 4
# What the file of labels has in its name where that of the images has the other, as a word.
_BESIDE: Final = (
    ("images", "labels"), ("image", "label"), ("imgs", "labels"), ("img", "label"), ("X", "y"), ("X", "Y"), ("x", "y"),
    ("data", "labels"), ("data", "target"), ("features", "labels"), ("pixels", "labels"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NumpySource:
    """Images in a NumPy file, with labels or None. A range is [first image, last image + 1).

    skipped: names of the other arrays of the archive.
    """

    format: ClassVar = "numpy"

    file: FileInfo
    images: StoredArray
    labels: StoredArray | None
    pixel_scale: PixelScale
    is_transposed: bool = False
    skipped: tuple[str, ...] = ()
    label_map: LabelMap | None = None
    is_inverted: bool = False

    @property
    def files(self) -> tuple[FileInfo, ...]:
        others = () if self.labels is None or self.labels.file == self.file else (self.labels.file,)
        return (self.file, *others)

    @property
    def rows(self) -> int:
        return self.images.rows

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    @property
    def passthrough_schema(self) -> pa.Schema:
        """Empty: the format has no other columns."""
        return pa.schema([])

    def describe_columns(self) -> str:
        parts = [f"images of {SIDE}x{SIDE}" + (f" ({self.images.name})" if self.images.name else "")]
        if self.labels is not None:
            parts.append(f"labels ({self.labels.name or self.labels.file.name})")
        if self.skipped:
            dots = ", .." * (len(self.skipped) > _SHOWN)
            parts.append(f"{len(self.skipped)} skipped ({', '.join(self.skipped[:_SHOWN])}{dots})")
        return " + ".join(parts)

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """A compressed array has only one range."""
        are_placed = all(array is None or array.offset is not None for array in (self.images, self.labels))
        step = max(1, part_bytes // max(1, self.images.row_bytes)) if are_placed else max(1, self.rows)
        return [(start, min(start + step, self.rows)) for start in range(0, self.rows, step)] or [(0, 0)]

    def rows_in(self, part_range: tuple[int, int]) -> int:
        start, stop = part_range
        return stop - start

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """Raises DataError if there are fewer or more rows than the headers announce."""
        start, stop = part_range
        images = self.images.blocks(storage, start, counts(start, stop, block_rows))
        if self.labels is None:
            for stored in images:
                yield self._batch(stored, None)
            return
        labels = self.labels.blocks(storage, start, counts(start, stop, block_rows))
        for stored, raw_labels in zip(images, labels, strict=True):
            yield self._batch(stored, raw_labels)

    def _batch(self, stored: npt.NDArray[Any], raw_labels: npt.NDArray[Any] | None) -> PixelBatch:
        pixels, rejects = self._pixels(stored)
        labels = None
        if raw_labels is not None:
            labels, bad = read_labels(_label_column(raw_labels.ravel()), self._label_name, self.label_map)
            rejects = {**bad, **rejects}
        found = tuple(reject for _, reject in sorted(rejects.items()))
        batch = PixelBatch(pixels, labels, found, size_bytes=self.file.size * len(stored) // self.rows)
        return inverted(batch) if self.is_inverted else batch

    @property
    def _label_name(self) -> str:
        return (self.labels.name if self.labels is not None else "") or "label"

    def _pixels(self, stored: npt.NDArray[Any]) -> tuple[Pixels, dict[int, Reject]]:
        """Rows as stored -> pixels 0-255 in row-major order, and by row the rejects of other numbers."""
        if self.is_transposed:
            stored = stored.reshape(-1, SIDE, SIDE).transpose(0, 2, 1).reshape(-1, PIXELS)
        if stored.dtype == np.uint8 and self.pixel_scale == "255":
            return np.ascontiguousarray(stored), {}
        numbers = stored.astype(np.uint8) if stored.dtype == np.bool_ else stored
        pixels, is_pixel = to_pixels(numbers, self.pixel_scale)
        rejects: dict[int, Reject] = {}
        name = self.images.name or "image"
        for row in [] if is_pixel.all() else np.flatnonzero(~is_pixel.all(axis=1)).tolist():
            pixel = int(is_pixel[row].argmin())
            value = numbers[row, pixel].item()
            rejects[row] = pixel_reject(row, name, f"{name}[{pixel}]", value, self.pixel_scale)
            pixels[row] = 0
        return pixels, rejects


def numpy_source(storage: Storage, file: FileInfo, settings: ReadSettings, wanted: Subset = "test") -> NumpySource:
    """Read the headers of a NumPy file, and find its labels. Raises LayoutError, DataError, StorageError.

    wanted: the subset to read where the file has several.
    """
    if settings.keep:
        raise LayoutError(
            f"{file.path}: is NumPy's, which has no columns and so no {settings.keep[0]!r}; leave {Flag.KEEP} out"
        )
    chosen = choose_arrays(arrays_in(storage, file), settings, file.path, wanted)
    labels = chosen.labels
    if labels is None and not settings.is_label_ignored and settings.label_column is None:
        beside = _labels_beside(storage, file)
        labels = None if beside is None else check_labels(beside, chosen.images)
    if chosen.skipped:
        _log.info("%s: reading %s; skipped %s", file.path, chosen.images.name, ", ".join(chosen.skipped[:_SHOWN]))
    scale = _scale(storage, chosen.images, settings)
    return NumpySource(
        file,
        chosen.images,
        labels,
        scale,
        settings.is_transposed,
        chosen.skipped,
        settings.label_map,
        settings.is_inverted,
    )


def is_label_file(storage: Storage, file: FileInfo) -> bool:
    """Whether a NumPy file holds nothing but labels: one value for each image of another file."""
    return all(array.is_label and not array.dtype.hasobject for array in arrays_in(storage, file))


def _scale(storage: Storage, images: StoredArray, settings: ReadSettings) -> PixelScale:
    if images.dtype == np.bool_:
        if settings.scale == "255":
            raise LayoutError(
                f"{images.where}: its pixels are booleans, so true is full ink; leave {Flag.SCALE} 255 out"
            )
        return "1"
    if settings.scale != "auto":
        return settings.scale
    scale = detect_scale(images.blocks(storage, 0, [min(_PROBED_ROWS, images.rows)]), images.where)
    if scale == "1":
        _log.info("%s: pixels are fractions; using the scale 0-1 (%s 1)", images.where, Flag.SCALE)
    return scale


def _labels_beside(storage: Storage, file: FileInfo) -> StoredArray | None:
    """The labels in the file beside the images that is named alike."""
    folder = file.path[: -len(file.name)]
    for word, replacement in _BESIDE:
        name = re.sub(rf"(?<![A-Za-z]){word}(?![A-Za-z])", replacement, file.name)
        info = storage.stat(folder + name) if name != file.name else None
        if info is None:
            continue
        found = arrays_in(storage, info)
        if len(found) == 1 and not found[0].is_image:
            return found[0]
    return None


def _label_column(labels: npt.NDArray[Any]) -> pa.Array:
    """N labels as an Arrow array, (n,)."""
    if labels.dtype.kind == "S":
        return pa.array([label.decode("utf-8", "replace") for label in labels.tolist()])
    if labels.dtype.kind == "U":
        return pa.array(labels.tolist(), pa.string())
    if labels.dtype.kind == "b":
        labels = labels.astype(np.uint8)
    return pa.array(labels.astype(labels.dtype.newbyteorder("=")))
