"""Who asks a reader to stop is heard within a piece of work, also where no record comes out for long."""

import pytest
from support.files import csv_text, make_digits, write_csv, write_idx, write_parquet
from support.packed import PACKERS

from job.errors import Terminated
from job.read.source import look
from job.settings import ReadSettings

DIGITS = make_digits(3)
SWOLLEN = csv_text(DIGITS).encode() + bytes(64 << 20)


class StopAt:
    """A `check_stop` that raises at its nth call; `calls` counts them."""

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
    """The batches that come out before the nth call raises."""
    found = []
    with pytest.raises(Terminated):
        found.extend(source.read(storage.stopping(StopAt(number)), source.split(1 << 40)[0], 1000))
    return found


@pytest.mark.parametrize("pack", [bytes, *PACKERS.values()], ids=["plain", *PACKERS])
def test_a_line_that_swells_without_end(storage, tmp_path, pack):
    """Between the records before it and those behind it there are many moments to stop at."""
    (tmp_path / "a.csv").write_bytes(pack(SWOLLEN))
    source = source_at(storage, tmp_path / "a.csv")
    asked = StopAt()
    list(source.read(storage.stopping(asked), source.split(1 << 40)[0], 1000))
    assert asked.calls >= 5
    with pytest.raises(Terminated):
        list(source.read(storage.stopping(StopAt(asked.calls - 1)), source.split(1 << 40)[0], 1000))


def test_members_of_nothing_without_end(storage, tmp_path):
    """A packed file that never comes to its content can be stopped at before it was looked at."""
    (tmp_path / "a.csv").write_bytes(PACKERS["gzip"](b"") * 20_000)
    with pytest.raises(Terminated):
        look(storage.stopping(StopAt(5)), [storage.stat(str(tmp_path / "a.csv"))], ReadSettings())


def test_a_row_group_that_is_long_to_decode(storage, tmp_path, monkeypatch):
    """Stripe after stripe of columns, before the first image is whole."""
    monkeypatch.setattr("job.read.parquet.window._STRIPE_BYTES", 1)
    source = source_at(storage, write_parquet(tmp_path / "a.parquet", DIGITS))
    assert read_until_stopped(storage, source, 700) == []


def test_labels_that_are_long_to_count(storage, tmp_path):
    """Packed labels are counted from their beginning to their end before the first image comes out."""
    source = source_at(storage, write_idx(tmp_path, DIGITS, is_compressed=True))
    assert read_until_stopped(storage, source, 4) == []


def test_many_files_to_look_at(storage, tmp_path):
    """Each file is a moment to stop at, before the first is scored."""
    files = [storage.stat(str(write_csv(tmp_path / f"{number}.csv", DIGITS))) for number in range(20)]
    with pytest.raises(Terminated):
        look(storage.stopping(StopAt(60)), files, ReadSettings())
