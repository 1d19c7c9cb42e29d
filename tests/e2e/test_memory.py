import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import PIXEL_NAMES, Digits, csv_text, make_digits, read_mnist
from support.models import write_dense_model

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")


def write_tiled(path, digits, rows):
    """A CSV file with this number of rows, which repeats the digits."""
    header, _, block = csv_text(digits).partition("\n")
    with path.open("w") as file:
        file.write(f"{header}\n")
        for _ in range(rows // len(digits)):
            file.write(block)
    return path


# For a child process getrusage includes the memory of its parent; this is the child's own.
MEASURED_COMMAND = """
import atexit, sys
from pathlib import Path

def print_peak():
    print("peak:", Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

atexit.register(print_peak)
from job.cli.app import main
main()
"""


def peak_mib(source, output, model):
    """Peak memory in MiB of a process that scores a file with two threads."""
    command = [sys.executable, "-c", MEASURED_COMMAND, "score", "--input", source]
    command += ["--output", output, "--model", model, "--threads", "2"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(result.stdout.split("peak:")[1]) / 1024


def peaks(folder, model, digits, sizes):
    """Peak memory in MiB by number of rows."""
    found = {}
    for rows in sizes:
        source = write_tiled(folder / "tiled.csv", digits, rows)
        found[rows] = peak_mib(source, folder / f"out-{rows}", model)
        source.unlink()
    return found


def test_memory_does_not_grow_with_the_input(tmp_path, model):
    """Five times as many rows need less than a tenth more memory."""
    found = peaks(tmp_path, model, make_digits(1000), [20_000, 100_000])
    assert found[100_000] < 1.1 * found[20_000]


@pytest.mark.soak
def test_700_000_rows_need_no_more_memory_than_70_000(tmp_path, model, mnist, figure):
    """All of MNIST, and ten times all of MNIST."""
    train, test = read_mnist(mnist, "train"), read_mnist(mnist, "t10k")
    digits = Digits(np.vstack([test.pixels, train.pixels]), np.concatenate([test.labels, train.labels]))
    found = peaks(tmp_path, model, digits, [70_000, 700_000])
    figure(f"peak memory for CSV of 70,000 and 700,000 rows: {found[70_000]:.0f} and {found[700_000]:.0f} MiB")
    assert found[700_000] < 1.1 * found[70_000]


@pytest.mark.soak
@pytest.mark.parametrize(("group_rows", "limit"), [(65_536, 400e6), (122_880, 400e6), (10**6, 600e6)])
def test_memory_for_row_groups_of_noise(tmp_path, group_rows, limit, figure):
    """Two threads with a row group each stay below a fixed limit, even for data that cannot be compressed."""
    random = np.random.default_rng(0)
    columns = {name: random.integers(0, 256, group_rows, dtype=np.uint8) for name in PIXEL_NAMES}
    table = pa.table(columns)
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema, max_rows_per_page=group_rows) as writer:
        for _ in range(max(2, 400_000 // group_rows)):
            writer.write_table(table, row_group_size=group_rows)
    peak = peak_mib(tmp_path / "a.parquet", tmp_path / "out", write_dense_model(tmp_path / "model"))
    figure(f"peak memory for row groups of {group_rows:,} images of noise: {peak:.0f} MiB")
    assert peak * 2**20 <= limit
