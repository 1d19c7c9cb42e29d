"""The laws of the Parquet kernels, which `make fuzz` checks for longer."""

import numpy as np
import pytest
from fuzz import seeds
from fuzz.interpreted import Memory, interpreted
from fuzz.parquet_kernels import FooterTarget, PageTarget, SnappyTarget
from hypothesis import given, settings
from hypothesis import strategies as some

from job.read.parquet.snappy_kernel import unpack


def _target(kind):
    return kind(lambda _function: None)


PAGES, FOOTERS, SNAPPY = (_target(kind) for kind in (PageTarget, FooterTarget, SnappyTarget))
SEEDS = [
    *((PAGES, seed) for seed in seeds.page_seeds()),
    *((FOOTERS, seed) for seed in seeds.footer_seeds()),
    *((SNAPPY, seed) for seed in seeds.snappy_seeds()),
]


def test_what_writers_write_is_read_by_both_kernels_alike():
    """And as Arrow reads it."""
    for target, seed in SEEDS:
        target.check(seed)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=some.sampled_from(SEEDS), place=some.floats(0, 1, exclude_max=True), piece=some.binary(max_size=3))
def test_damage_is_read_by_both_kernels_alike(seed, place, piece):
    """Whichever bytes are changed, and where the input ends."""
    target, content = seed
    start = int(place * len(content))
    target.check(content[:start] + piece + content[start + len(piece) :])
    target.check(content[:start])


def test_plain_python_notices_a_byte_outside():
    """The kernel may write to eight bytes behind these eight, and here to one less."""
    packed = np.array([8, 7 << 2, *range(16)], np.uint8)

    def run(slack):
        memory = Memory()
        plain = interpreted(unpack, memory, lambda _function: None)
        plain(memory.place(packed), len(packed), memory.place(np.zeros(8 + slack, np.uint8)), 8)

    run(slack=8)
    with pytest.raises(IndexError, match="8 bytes at offset 8 of 15"):
        run(slack=7)
