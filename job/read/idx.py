"""MNIST's own format as a `Source`: an IDX file of images, with a file of labels beside it, plain or compressed.

Format: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits": a big-endian 32-bit magic
number (0x803 for images, 0x801 for labels) and dimensions, then one unsigned byte per value.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, SIDE, PixelBatch, Pixels, Reject
from job.errors import DataError, LayoutError
from job.flag_names import Flag
from job.read.labels import bad_label, byte_labels
from job.read.packed.compression import COMPRESSED_SUFFIXES, Compression
from job.read.packed.stream import opened
from job.read.pixels import detect_scale, inverted, pixel_reject, to_pixels
from job.settings import LabelMap, PixelScale, ReadSettings
from job.storage import FileInfo, Storage

IMAGES_MAGIC: Final = b"\x00\x00\x08\x03"
LABELS_MAGIC: Final = b"\x00\x00\x08\x01"
_PROBED_ROWS: Final = 1000
_IMAGES_HEADER_BYTES: Final = 16
_LABELS_HEADER_BYTES: Final = 8
_COUNTED_BYTES: Final = 1 << 20
_DEFAULTS: Final = ReadSettings()
_RawLabels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class IdxSource:
    """An IDX file of images, with its file of labels or None. A range is [first image, last image + 1)."""

    format: ClassVar = "idx"

    file: FileInfo
    compression: Compression
    rows: int
    labels: FileInfo | None
    is_transposed: bool = False
    pixel_scale: PixelScale = "255"
    label_map: LabelMap | None = None
    is_inverted: bool = False

    @property
    def files(self) -> tuple[FileInfo, ...]:
        return (self.file,) if self.labels is None else (self.file, self.labels)

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    @property
    def passthrough_schema(self) -> pa.Schema:
        """Empty: the format has no other columns."""
        return pa.schema([])

    def describe_columns(self) -> str:
        return f"images of {SIDE}x{SIDE}"

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """A compressed file has only one range."""
        step = max(1, part_bytes // PIXELS) if self.compression is Compression.NONE else max(1, self.rows)
        return [(start, min(start + step, self.rows)) for start in range(0, self.rows, step)] or [(0, 0)]

    def rows_in(self, part_range: tuple[int, int]) -> int:
        start, stop = part_range
        return stop - start

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """Raises DataError if images and labels are not as many as the images' header announces."""
        start, stop = part_range
        counts = [min(block_rows, stop - first) for first in range(start, stop, block_rows)]
        images = self._image_blocks(storage, start, counts)
        labels = self._label_blocks(storage, start, counts)
        for stored, raw_labels in zip(images, labels, strict=True):
            batch = self._batch(self._row_major(stored), raw_labels)
            yield inverted(batch) if self.is_inverted else batch

    def _image_blocks(self, storage: Storage, start: int, counts: Sequence[int]) -> Iterator[Pixels]:
        """Blocks of `counts` images each, from the image `start` on: uint8 (n, 784) as stored."""
        with opened(storage, self.file) as content:
            stream = content.stream
            stream.seek(_IMAGES_HEADER_BYTES + start * PIXELS)
            for count in counts:
                yield np.frombuffer(_read_exactly(stream, count * PIXELS, self.file), np.uint8).reshape(count, PIXELS)
            if start + sum(counts) == self.rows and stream.read(1):
                raise DataError(f"{self.file.path}: continues after the {self.rows} images that its header announces")

    def _label_blocks(self, storage: Storage, start: int, counts: Sequence[int]) -> Iterator[_RawLabels | None]:
        """The labels of as many images: uint8 (n,) as stored; None for each block if there are none."""
        if self.labels is None:
            yield from [None] * len(counts)
            return
        with opened(storage, self.labels) as content:
            stream = content.stream
            expected = LABELS_MAGIC + struct.pack(">I", self.rows)
            header = stream.read(_LABELS_HEADER_BYTES)
            is_packed = content.compression is not Compression.NONE
            size = max(0, self.labels.size - _LABELS_HEADER_BYTES)
            found = _count_bytes(stream, self.rows + 1) if is_packed else size
            if (header, found) != (expected, self.rows):
                raise DataError(
                    f"{self.labels.path}: expected an IDX file of {self.rows} labels to go with {self.file.name}, "
                    f"found {found} bytes of labels; leave them out with {Flag.NO_LABEL}"
                )
            stream.seek(_LABELS_HEADER_BYTES + start)
            for count in counts:
                yield np.frombuffer(_read_exactly(stream, count, self.labels), np.uint8)

    def _row_major(self, stored: Pixels) -> Pixels:
        if not self.is_transposed:
            return stored
        return np.ascontiguousarray(stored.reshape(-1, SIDE, SIDE).transpose(0, 2, 1)).reshape(-1, PIXELS)

    def _batch(self, stored: Pixels, raw_labels: _RawLabels | None) -> PixelBatch:
        size_bytes = self.file.size * len(stored) // self.rows
        pixels, rejects = self._scaled(stored)
        if raw_labels is None:
            return PixelBatch(pixels, None, tuple(rejects.values()), size_bytes=size_bytes)
        labels = byte_labels(self.label_map)[raw_labels]
        bad = {
            row: bad_label(row, "label", str(raw_labels[row]), self.label_map)
            for row in np.flatnonzero(labels == NO_LABEL).tolist()
        }
        return PixelBatch(
            pixels, labels, tuple(each for _, each in sorted({**bad, **rejects}.items())), size_bytes=size_bytes
        )

    def _scaled(self, stored: Pixels) -> tuple[Pixels, dict[int, Reject]]:
        """Stored bytes as pixels 0-255, and by row the rejects of bytes that the scale does not allow."""
        if self.pixel_scale == "255":
            return stored, {}
        pixels, is_pixel = to_pixels(stored, self.pixel_scale)
        rejects: dict[int, Reject] = {}
        for row in np.flatnonzero(~is_pixel.all(axis=1)).tolist():
            pixel = int(is_pixel[row].argmin())
            rejects[row] = pixel_reject(row, "image", f"pixel {pixel + 1}", int(stored[row, pixel]), self.pixel_scale)
            pixels[row] = 0
        return pixels, rejects


def idx_source(storage: Storage, file: FileInfo, settings: ReadSettings = _DEFAULTS) -> IdxSource:
    """Read the header of an IDX file of images, and find its labels. Raises LayoutError, DataError, StorageError."""
    if settings.keep:
        raise LayoutError(
            f"{file.path}: is IDX, which has no columns and so no {settings.keep[0]!r}; leave {Flag.KEEP} out"
        )
    with opened(storage, file) as content:
        compression = content.compression
        header = _read_exactly(content.stream, _IMAGES_HEADER_BYTES, file)
        first = content.stream.read(_PROBED_ROWS * PIXELS)
    rows, height, width = struct.unpack(">4xIII", header)
    if (height, width) != (SIDE, SIDE):
        raise LayoutError(f"{file.path}: holds images of {height}x{width}, expected {SIDE}x{SIDE}")
    expected = _IMAGES_HEADER_BYTES + rows * PIXELS
    if compression is Compression.NONE and file.size != expected:
        raise DataError(
            f"{file.path}: {file.size} bytes, expected {expected} for the {rows} images that its header announces"
        )
    labels = None if settings.is_label_ignored else _labels_file(storage, file)
    scale = settings.scale
    if scale == "auto":
        scale = detect_scale([np.frombuffer(first, np.uint8)], file.path)
    return IdxSource(
        file, compression, rows, labels, settings.is_transposed, scale, settings.label_map, settings.is_inverted
    )


def _labels_file(storage: Storage, file: FileInfo) -> FileInfo | None:
    """The file beside the images with `labels` for `images` in its name, compressed in any way or not."""
    name = file.name.replace("images", "labels").replace("idx3", "idx1")
    if name == file.name:
        return None
    folder = file.path[: -len(file.name)]
    stem = next((name.removesuffix(end) for end in COMPRESSED_SUFFIXES if name.endswith(end)), name)
    names = (name, stem, *(stem + end for end in COMPRESSED_SUFFIXES))
    candidates = [storage.stat(folder + candidate) for candidate in names]
    return next((info for info in candidates if info is not None), None)


def _read_exactly(stream: BinaryIO, size: int, file: FileInfo) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise DataError(f"{file.path}: is truncated: {len(content)} bytes where {size} were expected")
    return content


def _count_bytes(stream: BinaryIO, limit: int) -> int:
    """How many bytes a stream still has, up to `limit`; in pieces, because `limit` comes from a header."""
    found = 0
    while piece := stream.read(min(_COUNTED_BYTES, limit - found)):
        found += len(piece)
    return found
