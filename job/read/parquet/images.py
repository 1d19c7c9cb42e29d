"""One column of images -> uint8 (n, 784), in any form: lists of 784 or of 28 by 28 numbers, raw bytes, or PNG pictures.

If every row is whole, the column's memory is the matrix: numbers are converted at most, raw bytes not even copied.
"""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, SIDE, Pixels, Reason, Reject
from job.read.arrow import BYTES_FIELD, is_list, item_bounds, validity, values
from job.read.pictures import SIGNATURE, BadPicture, decode_png
from job.read.pixels import pixel_reject, to_pixels
from job.settings import PixelScale

Rejects = dict[int, Reject]
_Starts = npt.NDArray[np.int64]


class Images:
    """A column of n images. scale: of the numbers in lists."""

    # Rows to decode at once: lists and byte strings are decoded faster a few at a time.
    best_rows: ClassVar = 1024

    def __init__(self, column: pa.Array, name: str, scale: PixelScale, *, is_transposed: bool) -> None:
        self._column = column.storage if isinstance(column, pa.ExtensionArray) else column
        self._name = name
        self._scale = scale
        self._is_transposed = is_transposed

    def rows(self, start: int, stop: int) -> tuple[Pixels, Rejects]:
        """The images [start, stop), uint8 (n, 784), 0 where rejected; and rejects by row, counted from `start`."""
        column = self._column.slice(start, stop - start)
        if is_list(column.type):
            pixels, rejects = _from_lists(column, self._name, self._scale)
        else:
            pixels, rejects = _from_bytes(*_byte_column(column, self._name))
        if self._is_transposed:
            pixels = pixels.reshape(-1, SIDE, SIDE).transpose(0, 2, 1).reshape(-1, PIXELS)
        return pixels, rejects


def numbers_in(column: pa.Array) -> npt.NDArray[Any]:
    """The numbers in a column of numbers or of lists of them, (n,), without nulls."""
    leaves = _leaves(column.storage if isinstance(column, pa.ExtensionArray) else column)
    return values(leaves)[validity(leaves)]


# Lists of numbers


def _from_lists(column: pa.Array, name: str, scale: PixelScale) -> tuple[Pixels, Rejects]:
    rejects = _missing(column, name)
    starts, whole = _whole_images(column, name, rejects)
    leaves = _leaves(column)
    selection = _selection(starts)
    pixels, is_pixel = to_pixels(values(leaves)[selection].reshape(len(starts), PIXELS), scale)
    if leaves.null_count:
        is_pixel &= validity(leaves)[selection].reshape(is_pixel.shape)
    for image in [] if is_pixel.all() else np.flatnonzero(~is_pixel.all(axis=1)).tolist():
        pixel, row = int(is_pixel[image].argmin()), int(whole[image])
        value = leaves[int(starts[image]) + pixel].as_py()
        rejects[row] = pixel_reject(row, name, f"{name}[{pixel}]", value, scale)
    if len(whole) < len(column):
        all_pixels = np.zeros((len(column), PIXELS), np.uint8)
        all_pixels[whole] = pixels
        pixels = all_pixels
    return _blanked(pixels, rejects), rejects


def _whole_images(column: pa.Array, name: str, rejects: Rejects) -> tuple[_Starts, npt.NDArray[np.intp]]:
    """Where in the leaves each image of the right size starts, and its row; rejects of the other rows are added."""
    starts, stops = item_bounds(column)
    is_whole = validity(column)
    size = SIDE if is_list(column.type.value_type) else PIXELS
    for row in np.flatnonzero(is_whole & (stops - starts != size)).tolist():
        rejects[row] = _wrong_length(row, name, name, int(stops[row] - starts[row]), size)
    is_whole &= stops - starts == size
    whole = np.flatnonzero(is_whole)
    if size == PIXELS:
        return starts[whole], whole
    return _whole_squares(column, name, starts[whole], whole, rejects)


def _whole_squares(
    column: pa.Array, name: str, starts: _Starts, whole: npt.NDArray[np.intp], rejects: Rejects
) -> tuple[_Starts, npt.NDArray[np.intp]]:
    """What `_whole_images` returns, for rows that are lists of 28 lists; these may still have the wrong length."""
    lines = column.values
    line_starts, line_stops = item_bounds(lines)
    indices = starts[:, None] + np.arange(SIDE)
    lengths = np.where(validity(lines), line_stops - line_starts, -1)[indices].reshape(len(starts), SIDE)
    for image in np.flatnonzero((lengths != SIDE).any(axis=1)).tolist():
        line, row = int((lengths[image] != SIDE).argmax()), int(whole[image])
        rejects[row] = _wrong_length(row, name, f"{name}[{line}]", int(lengths[image, line]), SIDE)
    is_whole = (lengths == SIDE).all(axis=1)
    return line_starts[starts[is_whole]], whole[is_whole]


def _wrong_length(row: int, name: str, place: str, found: int, size: int) -> Reject:
    """The reject for a list of `found` values, or -1 for a null."""
    if found < 0:
        return Reject(row, Reason.MISSING_VALUE, f"{place} is empty, expected {size} values", name)
    reason = Reason.TOO_FEW_FIELDS if found < size else Reason.TOO_MANY_FIELDS
    return Reject(row, reason, f"{place} has {found} values, expected {size}", name)


def _leaves(column: pa.Array) -> pa.Array:
    while is_list(column.type):
        column = column.values
    return column


def _selection(starts: _Starts) -> slice | npt.NDArray[np.int64]:
    """Indices of the leaves of all images: a slice if they are contiguous."""
    if not len(starts):
        return slice(0, 0)
    if (np.diff(starts) == PIXELS).all():
        return slice(int(starts[0]), int(starts[-1]) + PIXELS)
    return (starts[:, None] + np.arange(PIXELS)).ravel()


def _blanked(pixels: Pixels, rejects: Rejects) -> Pixels:
    if rejects:
        pixels = pixels if pixels.flags.writeable else pixels.copy()
        pixels[list(rejects)] = 0
    return pixels


# Raw bytes and pictures


def _byte_column(column: pa.Array, name: str) -> tuple[pa.Array, str, Rejects]:
    """A column of byte strings taken out of any struct, its name, and the rejects of rows that have none."""
    rejects = _missing(column, name)
    if pa.types.is_struct(column.type):
        column = column.field(BYTES_FIELD)
        rejects = {**_missing(column, f"{name}.{BYTES_FIELD}", name), **rejects}
    if pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    return column, name, rejects


def _from_bytes(column: pa.Array, name: str, rejects: Rejects) -> tuple[Pixels, Rejects]:
    starts, stops = item_bounds(column)
    buffer = column.buffers()[-1]
    data = np.frombuffer(buffer or b"", np.uint8)
    is_raw = stops - starts == PIXELS
    if not rejects and is_raw.all() and len(column) and (np.diff(starts) == PIXELS).all():
        pixels = data[starts[0] : stops[-1]].reshape(len(column), PIXELS)
        if not (pixels[:, : len(SIGNATURE)] == np.frombuffer(SIGNATURE, np.uint8)).all(axis=1).any():
            return pixels, rejects
    pixels = np.zeros((len(column), PIXELS), np.uint8)
    for row in range(len(column)):
        if row not in rejects:
            try:
                pixels[row] = _image(data[starts[row] : stops[row]])
            except BadPicture as problem:
                rejects[row] = Reject(row, Reason.BAD_IMAGE, f"{name} {problem}", name)
    return pixels, rejects


def _image(content: Pixels) -> Pixels:
    """784 raw pixels as they are, or a PNG decoded. Raises BadPicture."""
    head = content[: len(SIGNATURE)].tobytes()
    if head != SIGNATURE and len(content) == PIXELS:
        return content
    if head != SIGNATURE:
        raise BadPicture(f"holds {len(content)} bytes, expected {PIXELS} pixels or a PNG")
    return decode_png(content.tobytes())


def _missing(column: pa.Array, place: str, name: str | None = None) -> Rejects:
    """The rejects of null rows."""
    rows = np.flatnonzero(~validity(column)).tolist() if column.null_count else []
    return {
        row: Reject(row, Reason.MISSING_VALUE, f"{place} is empty, expected an image", name or place) for row in rows
    }
