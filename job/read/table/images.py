"""One column of images -> uint8 (n, 784), in any form: lists of 784 or of 28 by 28 numbers, raw bytes, or pictures.

If every row is whole, the column's memory is the matrix: numbers are converted at most, raw bytes not even copied.
`written_images` reads the forms that hold an image in another way: text cells and Spark's vectors.
"""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, SIDE, Pixels, Reason, Reject
from job.read.arrow import BYTES_FIELD, is_list, is_vector, item_bounds, validity, values
from job.read.pictures.decoding import BadPicture, decode
from job.read.pictures.digit import MIN_SIDE, pixels_of
from job.read.pictures.kinds import MARKS, is_surely_picture, other_picture, picture_kind
from job.read.pixels import to_pixels
from job.read.table.numbers import as_numbers, is_number_column, is_text_column, number_reject
from job.read.table.written_images import from_cells, from_vectors, numbers_in_cells
from job.settings import PixelScale

Rejects = dict[int, Reject]
_Starts = npt.NDArray[np.int64]


class Images:
    """A column of n images. scale: of the numbers in lists. is_inverted: the caller inverts what it gets."""

    # Rows to decode at once: lists and byte strings are decoded faster a few at a time.
    best_rows: ClassVar = 1024

    def __init__(
        self, column: pa.Array, name: str, scale: PixelScale, *, is_transposed: bool, is_inverted: bool = False
    ) -> None:
        self._column = column.storage if isinstance(column, pa.ExtensionArray) else column
        self._name = name
        self._scale = scale
        self._is_transposed = is_transposed
        self._is_inverted = is_inverted

    def rows(self, start: int, stop: int) -> tuple[Pixels, Rejects]:
        """The images [start, stop), uint8 (n, 784), 0 where rejected; and rejects by row, counted from `start`."""
        column = self._column.slice(start, stop - start)
        if is_list(column.type):
            pixels, rejects = _from_lists(column, self._name, self._scale)
        elif is_text_column(column.type):
            pixels, rejects = from_cells(column, self._name, self._scale)
        elif is_vector(column.type):
            pixels, rejects = from_vectors(column, self._name, self._scale)
        else:
            column, name, rejects = _byte_column(column, self._name)
            pixels, rejects = _from_bytes(column, name, rejects, self._scale, is_inverted=self._is_inverted)
        if self._is_transposed:
            pixels = pixels.reshape(-1, SIDE, SIDE).transpose(0, 2, 1).reshape(-1, PIXELS)
        return pixels, rejects


def numbers_in(column: pa.Array, *, is_image: bool) -> npt.NDArray[Any]:
    """The numbers in a column of pixels or of images, (n,), without nulls; none for pictures.

    Of vectors, the zeros that are not stored are left out.
    """
    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    if is_image and is_text_column(column.type):
        return numbers_in_cells(column)
    if is_vector(column.type):
        column = column.field("values")
    if pa.types.is_struct(column.type) or not (is_list(column.type) or is_number_column(column.type)):
        return _raw_numbers(column)
    leaves = as_numbers(_leaves(column))
    return values(leaves)[validity(leaves)]


# Lists of numbers


def _from_lists(column: pa.Array, name: str, scale: PixelScale) -> tuple[Pixels, Rejects]:
    rejects = _missing(column, name)
    starts, whole = _whole_images(column, name, rejects)
    leaves, starts = _cut(_leaves(column), starts, PIXELS)
    numbers, selection = as_numbers(leaves), _selection(starts)
    pixels, is_pixel = to_pixels(values(numbers)[selection].reshape(len(starts), PIXELS), scale)
    if numbers.null_count:
        is_pixel &= validity(numbers)[selection].reshape(is_pixel.shape)
    for image in [] if is_pixel.all() else np.flatnonzero(~is_pixel.all(axis=1)).tolist():
        pixel, row = int(is_pixel[image].argmin()), int(whole[image])
        value = leaves[int(starts[image]) + pixel].as_py()
        rejects[row] = number_reject(row, name, f"{name}[{pixel}]", value, scale)
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
    lines, starts = _cut(column.values, starts, SIDE)
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


def _cut(values_: pa.Array, starts: _Starts, size: int) -> tuple[pa.Array, _Starts]:
    """The values between the first and the last item of `size`, and where the items start in them.

    The column may be a slice of a far longer one, whose values would be converted again for each slice.
    """
    if not len(starts):
        return values_.slice(0, 0), starts
    first = int(starts.min())
    return values_.slice(first, int(starts.max()) + size - first), starts - first


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


def _from_bytes(
    column: pa.Array, name: str, rejects: Rejects, scale: PixelScale, *, is_inverted: bool
) -> tuple[Pixels, Rejects]:
    starts, stops = item_bounds(column)
    data = np.frombuffer(column.buffers()[-1] or b"", np.uint8)
    is_raw = stops - starts == PIXELS
    if scale == "255" and not rejects and is_raw.all() and len(column) and (np.diff(starts) == PIXELS).all():
        pixels = data[starts[0] : stops[-1]].reshape(len(column), PIXELS)
        if not any(is_surely_picture(pixels[row].tobytes()) for row in np.flatnonzero(_may_be_picture(pixels))):
            return pixels, rejects
    pixels = np.zeros((len(column), PIXELS), np.uint8)
    for row in range(len(column)):
        if row in rejects:
            continue
        content = data[starts[row] : stops[row]]
        is_raw_image = len(content) == PIXELS and not is_surely_picture(content.tobytes())
        try:
            pixels[row] = content if is_raw_image else _picture(content.tobytes(), is_inverted=is_inverted)
        except BadPicture as problem:
            rejects[row] = Reject(row, Reason.BAD_IMAGE, f"{name} {problem}", name)
            continue
        if scale == "1" and is_raw_image:
            pixels[row], is_pixel = to_pixels(content, scale)
            if not is_pixel.all():
                pixel = int(is_pixel.argmin())
                rejects[row] = number_reject(row, name, f"{name}[{pixel}]", int(content[pixel]), scale)
                pixels[row] = 0
    return pixels, rejects


def _may_be_picture(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Which of n values of 784 bytes may be pictures: bool (n,). Few raw images have ink in the first two pixels."""
    firsts = {(mark[0], mark[1]) for mark in MARKS}
    found = np.zeros(len(pixels), np.bool_)
    for first, second in firsts:
        found |= (pixels[:, 0] == first) & (pixels[:, 1] == second)
    return found


def _picture(content: bytes, *, is_inverted: bool) -> Pixels:
    """The pixels of a picture, uint8 (784,): as they are if it has 28x28, in MNIST's form otherwise. Raises BadPicture.

    is_inverted: they are inverted later. MNIST's form already has bright ink, so that it is inverted beforehand.
    """
    if picture_kind(content) is None:
        what = other_picture(content) or f"holds {len(content)} bytes, expected {PIXELS} pixels or a picture"
        raise BadPicture(what)
    picture = decode(content, min_side=MIN_SIDE)
    pixels = pixels_of(picture, is_taken_as_is=True)
    return ~pixels if is_inverted and picture.grey.shape != (SIDE, SIDE) else pixels


def _raw_numbers(column: pa.Array) -> npt.NDArray[np.uint8]:
    """The bytes of the images that are raw, (n,)."""
    column, _, _ = _byte_column(column, "")
    starts, stops = item_bounds(column)
    data = np.frombuffer(column.buffers()[-1] or b"", np.uint8)
    images = [data[start:stop] for start, stop in zip(starts, stops, strict=True) if stop - start == PIXELS]
    return np.concatenate([np.empty(0, np.uint8), *(each for each in images if not is_surely_picture(each.tobytes()))])


def _missing(column: pa.Array, place: str, name: str | None = None) -> Rejects:
    """The rejects of null rows."""
    rows = np.flatnonzero(~validity(column)).tolist() if column.null_count else []
    return {
        row: Reject(row, Reason.MISSING_VALUE, f"{place} is empty, expected an image", name or place) for row in rows
    }
