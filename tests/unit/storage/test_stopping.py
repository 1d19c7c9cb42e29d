"""Readers call the stop token often, even while no record is complete."""

import pytest
from support.files import csv_text, make_digits, write_csv, write_idx, write_parquet
from support.packed import PACKERS

from job.errors import Terminated
from job.read.source import look
from job.settings import ReadSettings

DIGITS = make_digits(3)
LONG_LINE = csv_text(DIGITS).encode() + bytes(16 << 20)


class StopAt:
    """A `check_stop` that raises at its nth call. calls: how often it was called."""

    def __init__(self, number=None):
        self._number = number
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls == self._number:
            raise Terminated("enough")


def source_at(storage, path):
    (source,) = look(storage, [storage.stat(str(path))], ReadSettings())
    return source


def read_until_stopped(storage, source, number):
    """The batches that come before the nth call raises."""
    found = []
    with pytest.raises(Terminated):
        found.extend(source.read(storage.stopping(StopAt(number)), source.split(1 << 40)[0], 1000))
    return found


@pytest.mark.parametrize("pack", [bytes, *PACKERS.values()], ids=["plain", *PACKERS])
def test_a_line_without_end_can_be_stopped(storage, tmp_path, pack):
    """Between the records before and behind it."""
    (tmp_path / "a.csv").write_bytes(pack(LONG_LINE))
    source = source_at(storage, tmp_path / "a.csv")
    counter = StopAt()
    list(source.read(storage.stopping(counter), source.split(1 << 40)[0], 1000))
    assert counter.calls >= 5
    with pytest.raises(Terminated):
        list(source.read(storage.stopping(StopAt(counter.calls - 1)), source.split(1 << 40)[0], 1000))


def test_a_compressed_file_of_empty_members_can_be_stopped(storage, tmp_path):
    """While its layout is looked for."""
    (tmp_path / "a.csv").write_bytes(PACKERS["gzip"](b"") * 20_000)
    with pytest.raises(Terminated):
        look(storage.stopping(StopAt(5)), [storage.stat(str(tmp_path / "a.csv"))], ReadSettings())


def test_a_slow_row_group_can_be_stopped(storage, tmp_path, monkeypatch):
    """Between stripes of columns, before the first image is whole."""
    monkeypatch.setattr("job.read.table.window._STRIPE_BYTES", 1)
    source = source_at(storage, write_parquet(tmp_path / "a.parquet", DIGITS))
    assert read_until_stopped(storage, source, 700) == []


def test_counting_labels_can_be_stopped(storage, tmp_path):
    """Compressed labels are counted to the end before the first image is read."""
    source = source_at(storage, write_idx(tmp_path, DIGITS, is_compressed=True))
    assert read_until_stopped(storage, source, 4) == []


def test_inspecting_many_files_can_be_stopped(storage, tmp_path):
    """Before each of them."""
    files = [storage.stat(str(write_csv(tmp_path / f"{number}.csv", DIGITS))) for number in range(20)]
    with pytest.raises(Terminated):
        look(storage.stopping(StopAt(60)), files, ReadSettings())
