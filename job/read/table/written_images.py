"""Images that a column holds in writing of their own: text cells (`layout.cell`), and Spark's dense and sparse vectors.

`images` calls them for the types that are neither plain lists nor bytes.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, Pixels, Reason, Reject
from job.read.arrow import VECTOR_FIELDS, item_bounds, validity, values
from job.read.layout.cell import BadCell, cell_numbers
from job.read.pixels import to_pixels
from job.read.table.numbers import number_reject
from job.settings import PixelScale

_SPARSE, _DENSE = 0, 1
_EMPTY: Final = "is empty, expected an image"

_Rejects = dict[int, Reject]
_Matrix = npt.NDArray[np.float64]


# Text


def from_cells(column: pa.Array, name: str, scale: PixelScale) -> tuple[Pixels, _Rejects]:
    """N cells of text -> uint8 (n, 784), 0 where rejected; and rejects by row."""
    matrix, rejects = np.zeros((len(column), PIXELS)), {}
    for row, text in enumerate(column.to_pylist()):
        try:
            matrix[row] = cell_numbers(text or "", name)
        except BadCell as problem:
            rejects[row] = Reject(row, problem.reason, str(problem), name)
    return _pixels(matrix, name, scale, rejects)


def numbers_in_cells(column: pa.Array) -> npt.NDArray[np.float64]:
    """The numbers of the cells that can be read, (n,)."""
    found = []
    for text in column.to_pylist():
        try:
            found.append(cell_numbers(text or "", ""))
        except BadCell:  # it is rejected in its turn
            continue
    return np.concatenate([np.empty(0), *found])


# Spark's vectors


def from_vectors(column: pa.Array, name: str, scale: PixelScale) -> tuple[Pixels, _Rejects]:
    """N vectors -> uint8 (n, 784), 0 where rejected; and rejects by row."""
    kinds, sizes, indices, numbers = (column.field(field) for field in VECTOR_FIELDS)
    is_given = validity(column)
    is_sparse = is_given & validity(kinds) & (values(kinds) == _SPARSE)
    is_dense = is_given & validity(kinds) & (values(kinds) == _DENSE)
    lengths = _lengths(numbers)
    found = np.where(is_sparse & validity(sizes), values(sizes), lengths)
    rejects = {
        row: Reject(row, Reason.MISSING_VALUE, f"{name} {_EMPTY}", name) for row in np.flatnonzero(~is_given).tolist()
    }
    for row in np.flatnonzero(is_given & ~(is_sparse | is_dense)).tolist():
        detail = f"{name}.type is {kinds[row]}, expected 0 (sparse) or 1 (dense)"
        rejects[row] = Reject(row, Reason.BAD_IMAGE, detail, name)
    for row in np.flatnonzero((is_sparse | is_dense) & (found != PIXELS)).tolist():
        reason = Reason.TOO_FEW_FIELDS if found[row] < PIXELS else Reason.TOO_MANY_FIELDS
        count = max(0, int(found[row]))
        rejects[row] = Reject(row, reason, f"{name} has {count} values, expected {PIXELS}", name)
    matrix = np.zeros((len(column), PIXELS))
    _put_dense(matrix, numbers, np.flatnonzero(is_dense & (found == PIXELS)))
    for row in _put_sparse(matrix, numbers, indices, np.flatnonzero(is_sparse & (found == PIXELS))):
        detail = f"{name} is a sparse vector whose indices do not fit its {PIXELS} values"
        rejects[row] = Reject(row, Reason.BAD_IMAGE, detail, name)
    return _pixels(matrix, name, scale, rejects)


def _lengths(lists: pa.Array) -> npt.NDArray[np.int64]:
    """How many items each list has; -1 for a null."""
    starts, stops = item_bounds(lists)
    return np.where(validity(lists), stops - starts, -1)


def _put_dense(matrix: _Matrix, numbers: pa.Array, rows: npt.NDArray[np.intp]) -> None:
    starts, _ = item_bounds(numbers)
    places = starts[rows][:, None] + np.arange(PIXELS)
    matrix[rows] = _items(numbers)[places]


def _put_sparse(matrix: _Matrix, numbers: pa.Array, indices: pa.Array, rows: npt.NDArray[np.intp]) -> list[int]:
    """Fill the rows of sparse vectors; returns those whose indices are not ascending, or not as many as values."""
    counts, are_as_many = _lengths(indices)[rows], _lengths(indices)[rows] == _lengths(numbers)[rows]
    is_good = are_as_many & (counts >= 0)
    first_index, first_number = item_bounds(indices)[0][rows], item_bounds(numbers)[0][rows]
    # One entry for each stored value of the good rows.
    sizes = np.where(is_good, counts, 0)
    owner = np.repeat(np.arange(len(rows)), sizes)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    pixels = _items(indices)[first_index[owner] + within].astype(np.int64)
    is_pixel = (pixels >= 0) & (pixels < PIXELS)
    is_repeated = np.zeros(len(owner), np.bool_)
    is_repeated[1:] = (np.diff(owner) == 0) & (np.diff(pixels) <= 0)
    is_good[owner[~is_pixel | is_repeated]] = False
    kept = is_good[owner]
    matrix[rows[owner[kept]], pixels[kept]] = _items(numbers)[(first_number[owner] + within)[kept]]
    bad: list[int] = rows[~is_good].tolist()
    return bad


def _items(lists: pa.Array) -> npt.NDArray[Any]:
    """The items of all lists as numbers; NaN, and -1 for integers, where null."""
    items = lists.values
    found = values(items)
    if not items.null_count:
        return found
    return np.where(validity(items), found, -1 if found.dtype.kind in "iu" else np.nan)


def _pixels(matrix: _Matrix, name: str, scale: PixelScale, rejects: _Rejects) -> tuple[Pixels, _Rejects]:
    """Numbers as pixels; rows with other numbers are rejected, in addition to `rejects`."""
    pixels, is_pixel = to_pixels(matrix, scale)
    for row in np.flatnonzero(~is_pixel.all(axis=1)).tolist():
        if row not in rejects:
            pixel = int(is_pixel[row].argmin())
            value = float(matrix[row, pixel])
            rejects[row] = number_reject(row, name, f"{name}[{pixel}]", value, scale)
    pixels[list(rejects)] = 0
    return pixels, rejects
