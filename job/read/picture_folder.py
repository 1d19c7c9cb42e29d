"""A folder of pictures as a `Source`: one record for each picture, in the order of their paths.

The file name is the passthrough column `id`; the label is the folder's name where that is a digit (`train/7/a.png`,
`label=7/a.png`). `source` lists the files; `pictures` decodes them. A single picture is a folder of one.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import ClassVar, Final
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from job.contract import NO_LABEL, PIXELS, SIDE, Labels, PixelBatch, Pixels, Reason, Reject
from job.errors import InputChanged, LayoutError
from job.flag_names import Flag
from job.read.labels import read_labels
from job.read.layout.names import LABEL_NAMES
from job.read.pictures.decoding import MAX_PICTURE_BYTES, BadPicture, picture_size
from job.read.pictures.digit import digit_of
from job.settings import PixelScale, ReadSettings
from job.storage import FileInfo, Storage, check_unchanged, join, translated_errors

PICTURE_ID: Final = "id"
# Of this many pictures, spread over the folder, the sizes decide whether all are taken as they are.
_PROBED: Final = 256
# Opening a picture takes as long as reading this many bytes. Counting them keeps a part of small pictures short.
_OPENING_BYTES: Final = 1 << 16
_BATCH_ROWS: Final = 256
_HEADER_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """Pictures below a folder. A range is [first picture, last picture + 1).

    file: the folder; its size is that of all pictures, its version a digest of their names, sizes and versions.
    pictures: by path. labels: int8 (n,), or None. bad_labels: by picture. are_digits: the pictures have 28x28 pixels,
    which are taken as they are; any other is brought to MNIST's form.
    """

    format: ClassVar = "pictures"
    pixel_scale: ClassVar[PixelScale] = "255"

    file: FileInfo
    pictures: tuple[FileInfo, ...]
    labels: Labels | None
    bad_labels: dict[int, Reject]
    are_digits: bool
    is_transposed: bool = False
    is_inverted: bool = False

    @property
    def files(self) -> tuple[FileInfo, ...]:
        """The folder: each picture is compared with the list when it is read."""
        return (self.file,)

    @property
    def rows(self) -> int:
        return len(self.pictures)

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    @property
    def passthrough_schema(self) -> pa.Schema:
        """Always `id`: predictions without the names of their pictures would be of no use."""
        return pa.schema([(PICTURE_ID, pa.string())])

    def describe_columns(self) -> str:
        size = f"{SIDE}x{SIDE}, taken as they are" if self.are_digits else "any size, brought to MNIST's form"
        label = " + label (the folder's name)" if self.has_labels else ""
        return f"{self.rows:,} pictures of {size} + {PICTURE_ID} (the file name){label}"

    def split(self, part_bytes: int) -> list[tuple[int, int]]:
        """Each range is as many pictures as stay within `part_bytes`, and at least one."""
        ranges = []
        start = filled = 0
        for index, picture in enumerate(self.pictures):
            size = picture.size + _OPENING_BYTES
            if filled and filled + size > part_bytes:
                ranges.append((start, index))
                start, filled = index, 0
            filled += size
        return [*ranges, (start, len(self.pictures))]

    def rows_in(self, part_range: tuple[int, int]) -> int:
        start, stop = part_range
        return stop - start

    def read(self, storage: Storage, part_range: tuple[int, int], block_rows: int) -> Iterator[PixelBatch]:
        """Raises InputChanged for a picture that is not the one that was listed."""
        start, stop = part_range
        step = min(block_rows, _BATCH_ROWS)
        for first in range(start, stop, step):
            yield self._batch(storage, first, min(first + step, stop))

    def _batch(self, storage: Storage, start: int, stop: int) -> PixelBatch:
        pixels = np.zeros((stop - start, PIXELS), np.uint8)
        rejects: list[Reject] = []
        for row, picture in enumerate(self.pictures[start:stop]):
            storage.check_stop()
            try:
                with translated_errors(picture.path):
                    pixels[row] = self._pixels(picture_content(storage, picture))
            except BadPicture as problem:
                rejects.append(
                    Reject(row, Reason.BAD_IMAGE, f"{self.id_of(picture)} {shown_problem(picture, problem)}")
                )
                continue
            if start + row in self.bad_labels:
                rejects.append(replace(self.bad_labels[start + row], row=row))
        names = pa.array([self.id_of(each) for each in self.pictures[start:stop]], pa.string())
        return PixelBatch(
            pixels,
            None if self.labels is None else self.labels[start:stop],
            tuple(rejects),
            size_bytes=sum(each.size for each in self.pictures[start:stop]),
            passthrough=pa.record_batch([names], names=[PICTURE_ID]),
        )

    def _pixels(self, content: bytes) -> Pixels:
        """The pixels of a picture, uint8 (784,). Raises BadPicture."""
        is_dark = True if self.is_inverted else None
        pixels = digit_of(content, is_taken_as_is=self.are_digits, is_dark=is_dark)
        if self.is_transposed:
            pixels = pixels.reshape(SIDE, SIDE).T.reshape(PIXELS)
        return pixels

    def id_of(self, picture: FileInfo) -> str:
        """The path of a picture below the folder, as text: bytes that are not UTF-8 are spelled out."""
        return _text(_relative(self.file.path, picture.path))


def picture_content(storage: Storage, picture: FileInfo) -> bytes:
    """The bytes of a picture as it was listed. Raises BadPicture if they are too many, InputChanged, StorageError."""
    if picture.size > MAX_PICTURE_BYTES:
        raise BadPicture(f"has {picture.size:,} bytes, expected at most {MAX_PICTURE_BYTES:,}")
    with translated_errors(picture.path), storage.open(picture.path) as file:
        content: bytes = file.read(picture.size + 1)
    check_unchanged(storage, picture)
    if len(content) != picture.size:
        raise InputChanged(f"{picture.path}: changed while it was being read; run again once it is complete")
    return content


def shown_problem(picture: FileInfo, problem: BadPicture) -> str:
    """What is wrong with a picture, without anything of its content if it is elsewhere; see `storage.unquoted`."""
    if picture.is_elsewhere:
        return "cannot be used, and is a link that leads out of the folder, so that nothing of it is shown"
    return str(problem)


def picture_folder(storage: Storage, root: str, pictures: Sequence[FileInfo], settings: ReadSettings) -> PictureFolder:
    """The pictures found at a location as one source. root: the folder, or a single picture.

    Looks into some of the pictures. Raises LayoutError, StorageError.
    """
    other = [name for name in settings.keep if name != PICTURE_ID]
    if other:
        raise LayoutError(f"{root}: pictures have no column {other[0]!r}, only {PICTURE_ID!r}; leave {Flag.KEEP} out")
    if settings.scale == "1":
        raise LayoutError(f"{root}: the pixels of pictures are 0-255; leave {Flag.SCALE} 1 out")
    ordered = tuple(sorted(pictures, key=lambda each: each.path))
    labels, bad_labels = _labels(root, ordered, settings)
    return PictureFolder(
        _as_one_file(root, ordered),
        ordered,
        labels,
        bad_labels,
        _have_digits_size(storage, ordered),
        settings.is_transposed,
        settings.is_inverted,
    )


def _as_one_file(root: str, pictures: Sequence[FileInfo]) -> FileInfo:
    """The folder as a file whose version changes with any picture in it."""
    digest = hashlib.sha256()
    for each in pictures:
        digest.update(f"{_text(_relative(root, each.path))}\0{each.size}\0{each.version}\0".encode())
    is_elsewhere = any(each.is_elsewhere for each in pictures)
    return FileInfo(root, sum(each.size for each in pictures), digest.hexdigest(), is_elsewhere, is_folder=True)


def _relative(root: str, path: str) -> str:
    return PurePosixPath(path).name if path == root else path.removeprefix(join(root, ""))


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _have_digits_size(storage: Storage, pictures: Sequence[FileInfo]) -> bool:
    """Whether the pictures have MNIST's size, as far as some of them, spread over the folder, show."""
    sizes = set()
    for picture in pictures[:: max(1, len(pictures) // _PROBED)]:
        storage.check_stop()
        with translated_errors(picture.path), storage.open(picture.path) as file:
            sizes.add(picture_size(file.read(_HEADER_BYTES)))
    return sizes - {None} == {(SIDE, SIDE)}


# Labels


def _labels(root: str, pictures: Sequence[FileInfo], settings: ReadSettings) -> tuple[Labels | None, dict[int, Reject]]:
    """The label of each picture from the folders above it, and the rejects of labels that are not 0-9."""
    if settings.is_label_ignored:
        return None, {}
    folders = [each.path.rpartition("/")[0] for each in pictures]
    found = {folder: _label_of(_below(root, folder), settings) for folder in set(folders)}
    if all(value is None for value in found.values()):
        if settings.label_column is not None:
            raise LayoutError(
                f"{root}: no folder of its pictures is called {settings.label_column}=..; leave {Flag.LABEL_COLUMN} out"
            )
        return None, {}
    column = pa.array([found[folder] for folder in folders], pa.string())
    return read_labels(column, settings.label_column or "label", settings.label_map)


def _below(root: str, folder: str) -> str:
    """A folder of pictures from the one that the user named on, that one included; root may be a picture in it."""
    top = folder if len(root) > len(folder) else root
    return folder[len(top.rpartition("/")[0]) :]


def _label_of(folder: str, settings: ReadSettings) -> str | None:
    """What the deepest folder says that is a digit or `label=digit`; with a label column, that is `column=value`."""
    for name in reversed(PurePosixPath(folder).parts):
        key, equals, value = name.partition("=")
        key, value = (unquote(key), unquote(value)) if equals else ("", name)
        if settings.label_column is not None:
            if equals and key == settings.label_column:
                return value
            continue
        if equals and key.lower() not in LABEL_NAMES:
            continue
        if int(read_labels(pa.array([value]), "", settings.label_map)[0][0]) != NO_LABEL:
            return value
    return None
