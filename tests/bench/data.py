"""The files that are measured: MNIST again and again, or random digits where it is not at hand.

Each is written once, under a temporary name, and kept. Knows nothing of who reads it.
"""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from support.files import PIXEL_NAMES, Digits, csv_text, make_digits, read_mnist

BASE_ROWS = 70_000
ROW_GROUP_ROWS = 65_536
_CSV_BLOCK_ROWS = 5_000
_BESIDE = Path(__file__).parents[3] / "shared/data/mnist"


class Data:
    """A folder of files, written when first asked for. `kind` is `mnist` or `random`."""

    def __init__(self, folder: Path, mnist_dir: str | None) -> None:
        self._folder = folder
        self._mnist = Path(mnist_dir) if mnist_dir else _BESIDE
        self._digits: Digits | None = None
        self.kind = "mnist" if (self._mnist / "train-images-idx3-ubyte.gz").exists() else "random"

    def csv(self, rows: int) -> Path:
        """Integers with a header: `label,pixel0..pixel783`."""
        return self._file(f"{rows}.csv", lambda path: self._write_csv(path, rows))

    def gzip_csv(self, rows: int) -> Path:
        """The same, compressed."""
        return self._file(f"{rows}.csv.gz", lambda path: _compress(self.csv(rows), path))

    def parquet(self, rows: int, row_group_rows: int = ROW_GROUP_ROWS) -> Path:
        """A label and 784 uint8 columns."""
        name = f"{rows}-groups-of-{row_group_rows}.parquet"
        return self._file(name, lambda path: self._write_parquet(path, rows, row_group_rows, _as_columns))

    def binary_parquet(self, rows: int) -> Path:
        """A label and one fixed_size_binary(784) column, `pixels`."""
        return self._file(
            f"{rows}-binary.parquet", lambda path: self._write_parquet(path, rows, ROW_GROUP_ROWS, _as_binary)
        )

    def _file(self, name: str, write: Callable[[Path], None]) -> Path:
        path = self._folder / f"{self.kind}-{name}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            print(f"Writing {path} ...", flush=True)
            temporary = path.with_name(f".{os.getpid()}-{path.name}")
            write(temporary)
            temporary.rename(path)
        return path

    def _write_csv(self, path: Path, rows: int) -> None:
        with path.open("w") as file:
            file.write(",".join(["label", *PIXEL_NAMES]) + "\n")
            lines: dict[int, str] = {}
            for start in range(0, rows, _CSV_BLOCK_ROWS):
                stop, place = min(start + _CSV_BLOCK_ROWS, rows), start % BASE_ROWS
                if stop - start < _CSV_BLOCK_ROWS:
                    file.write(csv_text(self._tiled(start, stop), has_header=False))
                    break
                if place not in lines:
                    lines[place] = csv_text(self._tiled(start, stop), has_header=False)
                file.write(lines[place])

    def _write_parquet(
        self, path: Path, rows: int, row_group_rows: int, as_table: Callable[[Digits], pa.Table]
    ) -> None:
        with pq.ParquetWriter(path, as_table(self._tiled(0, 0)).schema) as writer:
            for start in range(0, rows, row_group_rows):
                digits = self._tiled(start, min(start + row_group_rows, rows))
                writer.write_table(as_table(digits), row_group_size=row_group_rows)

    def _tiled(self, start: int, stop: int) -> Digits:
        """Rows [start, stop) of the base set repeated without end."""
        if self._digits is None:
            self._digits = self._base()
        return self._digits[np.arange(start, stop) % BASE_ROWS]

    def _base(self) -> Digits:
        if self.kind == "random":
            return make_digits(BASE_ROWS)
        train, test = read_mnist(self._mnist, "train"), read_mnist(self._mnist, "t10k")
        return Digits(np.vstack([train.pixels, test.pixels]), np.concatenate([train.labels, test.labels]))


def _as_columns(digits: Digits) -> pa.Table:
    columns = np.asfortranarray(digits.pixels)
    return pa.table({"label": digits.labels} | {name: columns[:, index] for index, name in enumerate(PIXEL_NAMES)})


def _as_binary(digits: Digits) -> pa.Table:
    pixels = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(784), len(digits), [None, pa.py_buffer(digits.pixels.tobytes())]
    )
    return pa.table({"label": digits.labels, "pixels": pixels})


def _compress(source: Path, target: Path) -> None:
    with source.open("rb") as file, gzip.open(target, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(file, packed, 1 << 20)
