"""The same images get the same predictions from files of every format."""

import csv
import io

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather
from support.files import csv_text, make_digits, write_csv, write_idx, write_parquet
from support.runs import score


def rows_of(path):
    """The rows of a prediction file as tuples of text."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return [tuple("" if value is None else f"{value:.6g}" for value in row.values()) for row in table.to_pylist()]
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    return [tuple(f"{float(value):.6g}" if value else "" for value in row.values()) for row in rows]


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(0, 60), seed=st.integers(0, 1000))
def test_files_of_all_formats_of_the_same_data_agree(model, tmp_path_factory, rows, seed):
    """So do CSV with and without a header, Parquet, Arrow, IDX and NumPy."""
    folder = tmp_path_factory.mktemp("formats")
    digits = make_digits(rows, seed)
    write_csv(folder / "named.csv", digits)
    write_parquet(folder / "table.parquet", digits)
    images = write_idx(folder, digits, is_compressed=True)
    feather.write_feather(pq.read_table(folder / "table.parquet"), str(folder / "table.feather"), chunksize=13)
    np.savez_compressed(folder / "arrays.npz", x=digits.pixels.reshape(-1, 28, 28), y=digits.labels)
    if rows:
        write_csv(folder / "plain.csv", digits, has_header=False)
    score(folder, folder / "out", model, has_probabilities=True)
    found = {path.name: rows_of(path) for path in (folder / "out/predictions").iterdir()}
    names = {"named.csv", "table.parquet", "table.feather.parquet", "arrays.npz.csv", f"{images.name}.csv"}
    assert set(found) >= names
    assert all(len(each) == rows for each in found.values())
    assert len(set(map(tuple, found.values()))) == 1


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(785)))
def test_columns_are_found_by_name_in_any_order(model, tmp_path_factory, order):
    """Shuffled columns get the same predictions as columns in order."""
    folder = tmp_path_factory.mktemp("order")
    digits = make_digits(8)
    table = list(csv.reader(io.StringIO(csv_text(digits))))
    shuffled = "\n".join(",".join(row[index] for index in order) for row in table)
    (folder / "shuffled.csv").write_text(shuffled)
    write_csv(folder / "straight.csv", digits)
    score(folder, folder / "out", model, has_probabilities=True)
    assert rows_of(folder / "out/predictions/shuffled.csv") == rows_of(folder / "out/predictions/straight.csv")
