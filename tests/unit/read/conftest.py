"""Parquet files as sources, for the tests of tables."""

import pytest

from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings


@pytest.fixture
def open_parquet(storage):
    """A function that returns the source of a file, with settings as keywords."""
    return lambda path, **choices: parquet_source(storage, storage.stat(str(path)), ReadSettings(**choices))
