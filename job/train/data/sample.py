"""A model's test images as files to score, for a first try of the scorer. `dataset` finds the images again."""

import logging
from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from job.contract import PIXELS
from job.errors import OutputOccupied
from job.flag_names import Flag
from job.model.bundle import open_bundle
from job.storage import Storage, join
from job.train.data.dataset import read_again
from job.train.data.split import Split

_CSV_NAME: Final = "test.csv"
_PARQUET_NAME: Final = "test.parquet"

_log = logging.getLogger(__name__)


def write_sample(
    storage: Storage, model_location: str, output: str, *, mnist_dir: str | None, is_overwriting: bool = False
) -> tuple[str, str]:
    """Write the test images of a model's data as `test.csv` and `test.parquet` into a folder; returns both paths.

    Columns: `label`, `pixel0` to `pixel783`, as in Kaggle's file. The data is read again: see `dataset.read_again`.
    Raises OutputOccupied where one of the files exists and `is_overwriting` is false; ModelInvalid, NoInput, DataError.
    """
    folder = storage.resolve(output)
    names = (_CSV_NAME, _PARQUET_NAME)
    refuse_present(storage, [join(folder, name) for name in names], is_overwriting=is_overwriting)
    bundle = open_bundle(storage, model_location, allows_unblessed=True)
    dataset = read_again(storage, bundle, mnist_dir)
    images = f"{len(dataset.test):,}"
    _log.debug("%s: %s test images, taken from %s, as its card says", bundle.path, images, dataset.origin)
    return _written(storage, _table(dataset.test), folder)


def refuse_present(storage: Storage, paths: Iterable[str], *, is_overwriting: bool) -> None:
    """Raise OutputOccupied where one of the files exists, unless they may be replaced."""
    for path in paths:
        if not is_overwriting and storage.stat(path) is not None:
            raise OutputOccupied(
                f"{path}: already exists; choose another {Flag.OUTPUT} or replace it with {Flag.OVERWRITE}"
            )


def _table(images: Split) -> pa.Table:
    """`label` and 784 columns of pixels, all uint8."""
    by_column = np.ascontiguousarray(images.pixels.T)
    columns = {"label": images.labels.astype(np.uint8)} | {f"pixel{index}": by_column[index] for index in range(PIXELS)}
    return pa.table(columns)


def _written(storage: Storage, table: pa.Table, folder: str) -> tuple[str, str]:
    csv_path, parquet_path = join(folder, _CSV_NAME), join(folder, _PARQUET_NAME)
    with storage.commit(csv_path) as file:
        # Arrow would quote the names, which few readers of digits expect.
        file.write((",".join(table.column_names) + "\n").encode())
        pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(include_header=False))
    with storage.commit(parquet_path) as file:
        pq.write_table(table, file)
    return csv_path, parquet_path
