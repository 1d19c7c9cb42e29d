"""The output does not depend on how the work is divided."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather
from support.files import csv_text, make_digits, write_idx, write_parquet
from support.runs import score, stable_files

from job.settings import Shard

BAD_LINES = [
    "1,2,3",
    "9" + ",0" * 785,
    "7" + ",x" * 784,
    "7" + ",999" * 784,
    "77" + ",0" * 784,
    "" + ",0" * 784,
    '"unbalanced' + ",0" * 784,
    "",
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder of every kind of file, one of them with every kind of bad record."""
    folder = tmp_path_factory.mktemp("inputs")
    digits = make_digits(48, seed=3)
    lines = csv_text(digits).splitlines()
    for place, line in enumerate(BAD_LINES):
        lines.insert(3 + 6 * place, line)
    (folder / "bad.csv").write_text("\r\n".join(lines))
    (folder / "plain.csv").write_text(csv_text(digits, has_header=False))
    write_parquet(folder / "grouped.parquet", digits[:30], row_group_size=7)
    table = pq.read_table(folder / "grouped.parquet")
    feather.write_feather(table, str(folder / "batches.feather"), chunksize=7)
    (folder / "label=3").mkdir()
    write_parquet(folder / "label=3/a.parquet", digits[:30], row_group_size=7, has_labels=False)
    np.savez(folder / "stored.npz", x=digits.pixels.astype("f4"), y=digits.labels)
    np.savez_compressed(folder / "deflated.npz", x=digits.pixels, y=digits.labels)
    (folder / "idx").mkdir()
    write_idx(folder / "idx", digits)
    return folder


@pytest.fixture(scope="module")
def undisturbed(inputs, model, tmp_path_factory):
    """The output of one thread without interruption."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    score(inputs, output, model)
    return stable_files(output)


@settings(max_examples=20, deadline=None)
@given(
    part_bytes=st.integers(8_000, 200_000),
    block_rows=st.integers(1, 80),
    threads=st.integers(1, 4),
)
def test_any_part_size_block_size_and_thread_count_give_the_same_bytes(
    inputs, model, undisturbed, tmp_path_factory, part_bytes, block_rows, threads
):
    """They are the same for all sizes and numbers of threads."""
    output = tmp_path_factory.mktemp("cut") / "out"
    score(inputs, output, model, part_bytes=part_bytes, block_rows=block_rows, threads=threads)
    assert stable_files(output) == undisturbed


@settings(max_examples=10, deadline=None)
@given(
    part_bytes=st.integers(8_000, 200_000),
    order=st.integers(1, 5).flatmap(lambda count: st.permutations(range(count))),
)
def test_any_number_of_shards_in_any_order_gives_the_same_bytes(
    inputs, model, undisturbed, tmp_path_factory, part_bytes, order
):
    """They are the same for any number of shards in any order, and appear when the last shard has ended."""
    output = tmp_path_factory.mktemp("shards") / "out"
    for index in order:
        assert not (output / "_SUCCESS").exists()
        score(inputs, output, model, part_bytes=part_bytes, shard=Shard(index, len(order)))
    assert stable_files(output) == undisturbed


def test_the_compiled_scanner_gives_the_same_bytes(inputs, model, undisturbed, tmp_path, monkeypatch):
    """Which scanner reads the CSV files makes no difference but in time."""
    monkeypatch.setattr("job.read.source._COMPILED_PAYS_FROM_BYTES", 0)
    score(inputs, tmp_path / "out", model, part_bytes=25_000)
    assert stable_files(tmp_path / "out") == undisturbed
