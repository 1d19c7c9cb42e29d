"""CSV files to read with either scanner, for the tests of this folder."""

import pytest

from job.read.csv import csv_source as module
from job.read.csv import quoted
from job.read.csv.csv_source import csv_source
from job.settings import ReadSettings


@pytest.fixture(params=[False, True], ids=["plain", "compiled"])
def is_compiled(request):
    """Which scanner `open_csv` uses; a test that asks for it runs with both."""
    return request.param


@pytest.fixture
def write_csv_source(storage, tmp_path):
    """A function that writes a text or bytes to a.csv and returns its source, with settings as keywords."""

    def write(content, *, is_compiled, **choices):
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return csv_source(storage, storage.stat(str(path)), ReadSettings(**choices), is_compiled=is_compiled)

    return write


@pytest.fixture
def open_csv(write_csv_source, is_compiled):
    """The same, once with each scanner."""
    return lambda content, **choices: write_csv_source(content, is_compiled=is_compiled, **choices)


@pytest.fixture
def small_buffer(monkeypatch):
    """A read buffer of two records, so that small files are read in many steps."""
    monkeypatch.setattr(module, "_BUFFER_BYTES", 8192)
    monkeypatch.setattr(module, "_REFILL_BELOW_BYTES", 4096)


@pytest.fixture
def small_text_buffer(monkeypatch):
    """A read buffer of a few records of text, and a shorter reach of quotes, so that small files exceed them."""
    monkeypatch.setattr(module, "_BUFFER_BYTES", 32768)
    monkeypatch.setattr(module, "_REFILL_BELOW_BYTES", 16384)
    monkeypatch.setattr(quoted, "QUOTE_REACH_BYTES", 8192)
