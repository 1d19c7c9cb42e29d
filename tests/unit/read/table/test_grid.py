"""The grid: columns of any numeric type become images, and bad values become rejects."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as some
from support.guarded_memory import SIDES, guarded_allocations, guarded_array

from job.compiled.machine_code import kernel
from job.contract import Reason
from job.read.table.grid import Grid

NAMES = [f"pixel{index}" for index in range(784)]


@settings(max_examples=10, deadline=None)
@given(
    rows=some.integers(1, 200),
    bounds=some.tuples(some.integers(0, 200), some.integers(0, 200)),
    types=some.permutations([pa.uint8(), pa.int64(), pa.float32()]),
)
def test_columns_become_rows(rows, bounds, types):
    """Any range of rows is the transpose of the columns, whatever their types."""
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, 784), np.uint8)
    with guarded_allocations(SIDES[rows % 2]):
        grid = Grid(rows, NAMES, "255")
        for pixel in range(784):
            grid.put(pixel, pa.array(pixels[:, pixel]).cast(types[pixel % 3]), 0)
        start, stop = sorted(min(bound, rows) for bound in bounds)
        found, rejects = grid.rows(start, stop)
    np.testing.assert_array_equal(found, pixels[start:stop])
    assert rejects == {}


def test_no_byte_around_columns_and_rows_is_touched():
    """For any number of rows that a block of eight leaves over."""
    for rows in (1, 7, 8, 9, 63, 64, 65, 71, 72):
        for side in SIDES:
            columns = guarded_array(np.random.default_rng(rows).integers(0, 256, (784, rows), np.uint8), side)
            target = guarded_array(np.zeros((rows, 784), np.uint8), side)
            kernel("job.read.table.grid_kernel", "transpose")(columns.ctypes.data, rows, rows, target.ctypes.data)
            np.testing.assert_array_equal(target, columns.T)


def test_a_column_written_directly():
    """Its memory is handed out for whoever decodes the column itself."""
    grid = Grid(3, NAMES, "255")
    for pixel in range(784):
        grid.column(pixel, 0, 3)[:] = [1, 2, pixel % 256]
    pixels, _ = grid.rows(0, 3)
    assert pixels[:, 5].tolist() == [1, 2, 5]


def test_the_first_bad_value_of_a_row_is_its_reject():
    """The row's pixels are 0; other rows are not affected, and a cleared grid has forgotten it."""
    grid = Grid(3, NAMES, "255")
    for pixel in range(784):
        values = {7: [1, 256, 1], 9: [1, None, 1]}.get(pixel, [1, 1, 1])
        grid.put(pixel, pa.array(values, pa.int16()), 0)
    pixels, rejects = grid.rows(0, 3)
    assert pixels.tolist() == [[1] * 784, [0] * 784, [1] * 784]
    assert [(row, each.reason, each.column) for row, each in rejects.items()] == [(1, Reason.OUT_OF_RANGE, "pixel7")]
    assert list(grid.rows(1, 2)[1]) == [0]
    grid.clear()
    assert grid.rows(0, 3)[1] == {}
