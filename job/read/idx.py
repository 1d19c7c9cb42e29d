"""MNIST's own format: IDX images (magic 0x00000803) with a file of labels (0x00000801) beside them, plain or packed.

Source of the format: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits":
big-endian 32-bit magic and dimensions, then one unsigned byte per value.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import numpy as np
import pyarrow as pa

from job.contract import CLASSES, NO_LABEL, PIXELS, SIDE, Labels, PixelBatch, Pixels, Reason, Reject
from job.errors import DataError, LayoutError
from job.read.compression import COMPRESSED_SUFFIXES, Compression, opened
from job.settings import ReadSettings
from job.storage import FileInfo, Storage

IMAGES_MAGIC = b"\x00\x00\x08\x03"
LABELS_MAGIC = b"\x00\x00\x08\x01"
_IMAGES_HEADER = 16
_LABELS_HEADER = 8
_DEFAULTS = ReadSettings()


@dataclass(frozen=True, slots=True)
class IdxSource:
    """An IDX file of images, with its labels if there are any. A part of it is a range of images."""

    format: ClassVar = "idx"

    file: FileInfo
    compression: Compression
    rows: int
    labels: FileInfo | None
    is_transposed: bool = False

    @property
    def scale(self) -> str:
        """What full ink is stored as: bytes know one way only."""
        return "255"

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
        labels = self._read_labels(storage)
        with opened(storage, self.file) as content:
            stream = content.stream
            stream.seek(_IMAGES_HEADER + start * PIXELS)
            for first in range(start, stop, block_rows):
                count = min(block_rows, stop - first)
                pixels = np.frombuffer(_read_exactly(stream, count * PIXELS, self.file), np.uint8)
                yield self._batch(self._oriented(pixels.reshape(count, PIXELS)), labels, first)
            if stop == self.rows and stream.read(1):
                raise DataError(f"{self.file.path}: goes on after the {self.rows} images that its header announces")

    def _oriented(self, pixels: Pixels) -> Pixels:
        """uint8 (n, 784) as stored -> row-major."""
        if not self.is_transposed:
            return pixels
        return np.ascontiguousarray(pixels.reshape(-1, SIDE, SIDE).transpose(0, 2, 1)).reshape(-1, PIXELS)

    def _batch(self, pixels: np.ndarray, labels: np.ndarray | None, first: int) -> PixelBatch:
        size_bytes = self.file.size * len(pixels) // self.rows
        if labels is None:
            return PixelBatch(pixels, size_bytes=size_bytes)
        raw = labels[first : first + len(pixels)]
        bad = np.flatnonzero(raw >= CLASSES)
        rejects = tuple(
            Reject(int(row), Reason.BAD_LABEL, f"label {raw[row]}, expected 0-9", column="label") for row in bad
        )
        good: Labels = np.where(raw < CLASSES, raw, NO_LABEL).astype(np.int8)
        return PixelBatch(pixels, good, rejects, size_bytes=size_bytes)

    def _read_labels(self, storage: Storage) -> np.ndarray | None:
        if self.labels is None:
            return None
        with opened(storage, self.labels) as file:
            content = file.stream.read(_LABELS_HEADER + self.rows + 1)
        expected = LABELS_MAGIC + struct.pack(">I", self.rows)
        if content[:_LABELS_HEADER] != expected or len(content) != _LABELS_HEADER + self.rows:
            raise DataError(
                f"{self.labels.path}: expected an IDX file of {self.rows} labels to go with {self.file.name}, found "
                f"{max(0, len(content) - _LABELS_HEADER)} bytes of labels"
            )
        return np.frombuffer(content, np.uint8, offset=_LABELS_HEADER)


def idx_source(storage: Storage, file: FileInfo, settings: ReadSettings = _DEFAULTS) -> IdxSource:
    """Look at an IDX file of images, and for its labels beside it. Raises LayoutError, DataError."""
    if settings.keep:
        raise LayoutError(f"{file.path}: is IDX, which has no columns and so no {settings.keep[0]!r}; leave --keep out")
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
    return IdxSource(file, compression, rows, labels, settings.is_transposed)


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
