"""Arrow arrays as NumPy arrays: whatever slice of a column comes in, its own values come out."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job.read.arrow import can_be_image, item_bounds, leaf_type, validity, values, width_bytes

NUMBERS = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64()),
]
LISTS = [pa.list_(pa.int16()), pa.large_list(pa.int16()), pa.binary(), pa.large_binary()]


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(st.one_of(st.none(), st.integers(0, 100)), max_size=40),
    type_=st.sampled_from(NUMBERS),
    start=st.integers(0, 20),
    stop=st.integers(0, 40),
)
def test_numbers_and_nulls_of_any_slice(numbers, type_, start, stop):
    """`values` and `validity` give the numbers and the nulls of a slice, and not those of the whole column."""
    column = pa.array(numbers, type_)[start:stop]
    expected = numbers[start:stop]
    found, is_valid = values(column), validity(column)
    assert found.dtype == type_.to_pandas_dtype()
    assert is_valid.tolist() == [number is not None for number in expected]
    assert found[is_valid].tolist() == [number for number in expected if number is not None]


@settings(max_examples=100, deadline=None)
@given(
    lengths=st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=20),
    type_=st.sampled_from(LISTS),
    start=st.integers(0, 10),
    stop=st.integers(0, 20),
)
def test_bounds_of_the_items_of_any_slice(lengths, type_, start, stop):
    """`item_bounds` tells where each item of a slice starts and stops in the memory of the whole column."""
    is_list = pa.types.is_nested(type_)
    items = [length if length is None else ([0] * length if is_list else bytes(length)) for length in lengths]
    starts, stops = item_bounds(pa.array(items, type_)[start:stop])
    ends = np.cumsum([0, *[length or 0 for length in lengths]])
    assert starts.tolist() == ends[:-1][start:stop].tolist()
    assert stops.tolist() == ends[1:][start:stop].tolist()


def test_bounds_of_items_of_fixed_size():
    """Items of a fixed size follow one another, nulls among them."""
    for column in (
        pa.array([b"ab", None, b"cd"], pa.binary(2)),
        pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
    ):
        starts, stops = item_bounds(column[1:])
        assert (starts.tolist(), stops.tolist()) == ([2, 4], [4, 6])


@pytest.mark.parametrize("rows", [0, 3])
def test_a_column_of_nulls_alone(rows):
    """Arrow allocates no memory for it."""
    column = pa.nulls(rows, pa.float32())
    assert len(values(column)) == rows
    assert validity(column).tolist() == [False] * rows
    assert [each.tolist() for each in item_bounds(pa.nulls(rows, pa.binary()))] == [[0] * rows] * 2


def test_types_that_can_hold_images():
    """Lists of 784 or of 28 by 28 numbers, 784 bytes, bytes of any length, and Hugging Face's struct."""
    u8 = pa.uint8()
    good = [
        pa.list_(u8), pa.list_(u8, 784), pa.large_list(pa.float64()), pa.list_(pa.list_(u8)),
        pa.list_(pa.list_(u8, 28), 28), pa.fixed_shape_tensor(u8, (28, 28)), pa.binary(), pa.large_binary(),
        pa.binary_view(), pa.binary(784), pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    ]  # fmt: skip
    bad = [
        u8, pa.string(), pa.list_(u8, 783), pa.list_(pa.list_(u8, 27), 28), pa.list_(pa.list_(u8, 28), 27),
        pa.list_(pa.string()), pa.binary(783), pa.struct([("path", pa.binary())]), pa.struct([("bytes", pa.string())]),
        pa.list_(pa.list_(pa.list_(u8))),
    ]  # fmt: skip
    assert [type_ for type_ in good if not can_be_image(type_)] == []
    assert [type_ for type_ in bad if can_be_image(type_)] == []


def test_memory_of_a_value():
    """A list is taken for 784 numbers; of text, only its pointer is known beforehand."""
    assert [width_bytes(type_) for type_ in (pa.uint8(), pa.float64(), pa.bool_(), pa.string())] == [1, 8, 1, 8]
    assert width_bytes(pa.list_(pa.list_(pa.float32()))) == 4 * 784
    assert leaf_type(pa.fixed_shape_tensor(pa.int16(), (28, 28))) == pa.int16()


def test_buffers_with_bytes_left_over():
    """A damaged file may have a buffer that is no whole number of values."""
    numbers = pa.Array.from_buffers(pa.int32(), 2, [None, pa.py_buffer(bytes(11))])
    assert values(numbers).tolist() == [0, 0]
    lists = pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(bytes(11)), pa.py_buffer(b"")])
    assert [bound.tolist() for bound in item_bounds(lists)] == [[0], [0]]
