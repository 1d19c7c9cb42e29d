"""`prepare`: folders of pictures -> one file of pixels, its page and its list of rejects."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.pictures import encoded

from job.prepare.prepare_settings import PrepareSettings
from job.prepare.preparing import prepare
from job.read.source import files_at, look
from job.settings import ReadSettings, RejectLimit


@pytest.fixture
def scans(tmp_path, digits):
    """A folder of twenty digits as pictures of 60x50, dark on light, in folders called like their labels."""
    for row in range(20):
        grey = np.full((60, 50), 220, np.uint8)
        grey[20:48, 10:38] = 220 - digits.pixels[row].reshape(28, 28) // 2
        path = tmp_path / "scans" / str(digits.labels[row]) / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(grey, "PNG"))
    return tmp_path / "scans"


@pytest.fixture
def prepared(storage, tmp_path):
    """Runs `prepare` with settings; the output is out/digits.parquet unless they say otherwise."""

    def run(*inputs, output="out/digits.parquet", max_rejects="1%", **settings):
        limit = RejectLimit.parse(max_rejects)
        paths = tuple(map(str, inputs))
        return prepare(PrepareSettings(paths, str(tmp_path / output), max_rejects=limit, **settings), storage)

    return run


def test_pictures_become_a_file_that_is_read(scans, prepared, storage):
    """One row for each picture with its name, its label and its pixels; nothing else is left beside it."""
    result = prepared(scans)
    table = pq.read_table(result.output)
    assert table.schema.names == ["id", "label", "pixels"]
    assert table["id"].to_pylist() == sorted(str(path.relative_to(scans)) for path in scans.rglob("*.png"))
    assert table["label"].to_pylist() == [int(each[0]) for each in table["id"].to_pylist()]
    [source] = look(storage, files_at(storage, [result.output]), ReadSettings())
    [direct] = look(storage, files_at(storage, [str(scans)]), ReadSettings())
    [read], [expected] = source.read(storage, (0, 1), 100), direct.read(storage, (0, 20), 100)
    np.testing.assert_array_equal(read.pixels, expected.pixels)
    np.testing.assert_array_equal(read.labels, expected.labels)
    names = {path.name for path in (scans.parent / "out").iterdir()}
    assert names == {"digits.parquet", "prepare.html"}
