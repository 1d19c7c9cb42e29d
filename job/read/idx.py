"""MNIST's own format: IDX images (magic 0x00000803) with a file of labels (0x00000801) beside them, plain or packed.

Source of the format: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits":
big-endian 32-bit magic and dimensions, then one unsigned byte per value.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import CLASSES, NO_LABEL, PIXELS, SIDE, Labels, PixelBatch, Pixels, Reason, Reject
from job.errors import DataError, LayoutError
from job.flag_names import Flag
from job.read.packed.compression import COMPRESSED_SUFFIXES, Compression
from job.read.packed.stream import opened
from job.read.pixels import PixelScale, pixel_reject, to_pixels
from job.settings import ReadSettings
from job.storage import FileInfo, Storage

IMAGES_MAGIC = b"\x00\x00\x08\x03"
LABELS_MAGIC = b"\x00\x00\x08\x01"
_IMAGES_HEADER = 16
_LABELS_HEADER = 8
_COUNTED_BYTES = 1 << 20
_DEFAULTS = ReadSettings()
_RawLabels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class IdxSource:
    """An IDX file of images, with its labels if there are any. A part of it is a range of images."""

    format: ClassVar = "idx"

    file: FileInfo
    compression: Compression
    rows: int
    labels: FileInfo | None
    is_transposed: bool = False
    full_ink: PixelScale = 255

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """The images and, where there are any, the labels."""
        return (self.file,) if self.labels is None else (self.file, self.labels)

    @property
    def scale(self) -> str:
        """What full ink is stored as."""
        return str(self.full_ink)

    @property
    def columns_in_words(self) -> str:
        """What the file holds."""
        return f"images of {SIDE}x{SIDE}"

    @property
    def has_labels(self) -> bool:
        """Whether the rows carry labels."""
        return self.labels is not None

    @property
    def kept_schema(self) -> pa.Schema:
        """No columns: the format has none."""
        return pa.schema([])

    def spans(self, part_bytes: int) -> list[tuple[int, int]]:
        """Ranges of images [start, stop) of about `part_bytes` bytes; a compressed file is one."""
        step = max(1, part_bytes // PIXELS) if self.compression is Compression.NONE else max(1, self.rows)
        return [(start, min(start + step, self.rows)) for start in range(0, self.rows, step)] or [(0, 0)]

    def read(self, storage: Storage, span: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """The images of a span in order, at most `block_rows` at a time. Raises DataError where the file is short."""
        start, stop = span
        counts = [min(block_rows, stop - first) for first in range(start, stop, block_rows)]
        images = self._image_blocks(storage, start, counts)
        labels = self._label_blocks(storage, start, counts)
        for stored, beside in zip(images, labels, strict=True):
            yield self._batch(self._oriented(stored), beside)

    def _image_blocks(self, storage: Storage, start: int, counts: Sequence[int]) -> Iterator[Pixels]:
        """So many images at a time, from the image `start` on."""
        with opened(storage, self.file) as content:
            stream = content.stream
            stream.seek(_IMAGES_HEADER + start * PIXELS)
            for count in counts:
                yield np.frombuffer(_read_exactly(stream, count * PIXELS, self.file), np.uint8).reshape(count, PIXELS)
            if start + sum(counts) == self.rows and stream.read(1):
                raise DataError(f"{self.file.path}: goes on after the {self.rows} images that its header announces")

    def _oriented(self, pixels: Pixels) -> Pixels:
        """uint8 (n, 784) as stored -> row-major."""
        if not self.is_transposed:
            return pixels
        return np.ascontiguousarray(pixels.reshape(-1, SIDE, SIDE).transpose(0, 2, 1)).reshape(-1, PIXELS)

    def _batch(self, stored: Pixels, raw: _RawLabels | None) -> PixelBatch:
        size_bytes = self.file.size * len(stored) // self.rows
        pixels, rejects = self._inked(stored)
        if raw is None:
            return PixelBatch(pixels, None, tuple(rejects.values()), size_bytes=size_bytes)
        bad = {
            row: Reject(row, Reason.BAD_LABEL, f"label {raw[row]}, expected 0-9", column="label")
            for row in np.flatnonzero(raw >= CLASSES).tolist()
        }
        good: Labels = np.where(raw < CLASSES, raw, NO_LABEL).astype(np.int8)
        return PixelBatch(
            pixels, good, tuple(each for _, each in sorted({**bad, **rejects}.items())), size_bytes=size_bytes
        )

    def _inked(self, stored: Pixels) -> tuple[Pixels, dict[int, Reject]]:
        """uint8 (n, 784), 255 being full ink, and by row what is wrong: where full ink is 1, bytes above that."""
        if self.full_ink != 1:
            return stored, {}
        pixels, is_pixel = to_pixels(stored, self.full_ink)
        rejects: dict[int, Reject] = {}
        for row in np.flatnonzero(~is_pixel.all(axis=1)).tolist():
            place = int(is_pixel[row].argmin())
            rejects[row] = pixel_reject(row, "image", f"pixel {place + 1}", int(stored[row, place]), self.full_ink)
            pixels[row] = 0
        return pixels, rejects

    def _label_blocks(self, storage: Storage, start: int, counts: Sequence[int]) -> Iterator[_RawLabels | None]:
        """The labels of as many images; None for each block where there are none."""
        if self.labels is None:
            yield from [None] * len(counts)
            return
        with opened(storage, self.labels) as content:
            stream = content.stream
            expected = LABELS_MAGIC + struct.pack(">I", self.rows)
            header = stream.read(_LABELS_HEADER)
            is_packed = content.compression is not Compression.NONE
            found = _count_bytes(stream, self.rows + 1) if is_packed else max(0, self.labels.size - _LABELS_HEADER)
            if (header, found) != (expected, self.rows):
                raise DataError(
                    f"{self.labels.path}: expected an IDX file of {self.rows} labels to go with {self.file.name}, "
                    f"found {found} bytes of labels; leave them out with {Flag.NO_LABEL}"
                )
            stream.seek(_LABELS_HEADER + start)
            for count in counts:
                yield np.frombuffer(_read_exactly(stream, count, self.labels), np.uint8)


def idx_source(storage: Storage, file: FileInfo, settings: ReadSettings = _DEFAULTS) -> IdxSource:
    """Look at an IDX file of images, and for its labels beside it. Raises LayoutError, DataError."""
    if settings.keep:
        raise LayoutError(
            f"{file.path}: is IDX, which has no columns and so no {settings.keep[0]!r}; leave {Flag.KEEP} out"
        )
    with opened(storage, file) as content:
        compression = content.compression
        header = _read_exactly(content.stream, _IMAGES_HEADER, file)
    rows, height, width = struct.unpack(">4xIII", header)
    if (height, width) != (SIDE, SIDE):
        raise LayoutError(f"{file.path}: holds images of {height}x{width}, expected {SIDE}x{SIDE}")
    expected = _IMAGES_HEADER + rows * PIXELS
    if compression is Compression.NONE and file.size != expected:
        raise DataError(
            f"{file.path}: {file.size} bytes, expected {expected} for the {rows} images its header announces"
        )
    labels = None if settings.is_label_ignored else _labels_beside(storage, file)
    full_ink: PixelScale = 1 if settings.scale == "1" else 255
    return IdxSource(file, compression, rows, labels, settings.is_transposed, full_ink)


def _labels_beside(storage: Storage, file: FileInfo) -> FileInfo | None:
    name = file.name.replace("images", "labels").replace("idx3", "idx1")
    if name == file.name:
        return None
    folder = file.path[: -len(file.name)]
    stem = next((name.removesuffix(end) for end in COMPRESSED_SUFFIXES if name.endswith(end)), name)
    names = (name, stem, *(stem + end for end in COMPRESSED_SUFFIXES))
    beside = [storage.stat(folder + candidate) for candidate in names]
    return next((info for info in beside if info is not None), None)


def _read_exactly(stream: BinaryIO, size: int, file: FileInfo) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise DataError(f"{file.path}: ends early: {len(content)} bytes where {size} were expected")
    return content


def _count_bytes(stream: BinaryIO, most: int) -> int:
    """How many bytes a stream still has, at most so many; a header may announce more than there is memory."""
    found = 0
    while piece := stream.read(min(_COUNTED_BYTES, most - found)):
        found += len(piece)
    return found
