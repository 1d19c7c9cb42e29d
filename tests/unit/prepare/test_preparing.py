"""`prepare`: folders of pictures -> one file of pixels, its page and its list of rejects."""

import json
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from support.pictures import encoded, png

from job.errors import DataError, OutputOccupied, TooManyRejects
from job.prepare.prepare_settings import PrepareSettings
from job.prepare.prepared_part import prepare_part
from job.prepare.preparing import prepare
from job.read.source import files_at, look
from job.settings import ReadSettings, RejectLimit


@pytest.fixture
def scans(tmp_path, digits):
    """A folder of twenty digits as pictures of 50x60, dark on light, two in each of ten folders called like digits."""
    for row in range(20):
        grey = np.full((60, 50), 220, np.uint8)
        grey[20:48, 10:38] = 220 - digits.pixels[row].reshape(28, 28) // 2
        path = tmp_path / "scans" / str(row % 10) / f"{row:02}.png"
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


def test_bad_pictures_are_passed_over_and_named(scans, prepared):
    """In the list of rejects, which a later run without any removes, and on the page; they have no row."""
    (scans / "bad.png").write_bytes(b"")
    (scans / "3").mkdir(exist_ok=True)
    (scans / "3/<b>&.jpg").write_bytes(b"<svg")
    result = prepared(scans, max_rejects="2")
    assert (result.counts.pictures, result.counts.rejected, result.counts.digits) == (22, 2, 20)
    lines = [json.loads(line) for line in Path(result.rejects).read_text(encoding="utf-8").splitlines()]
    assert [(each["file"], each["reason"], each["detail"].split(" is ")[0]) for each in lines] == [
        ("scans", "bad_image", "3/<b>&.jpg"),
        ("scans", "bad_image", "bad.png"),
    ]
    page = Path(result.page).read_text(encoding="utf-8")
    assert "3/<wbr>&lt;b&gt;&amp;.jpg" in page
    assert "<b>&" not in page
    for name in ("bad.png", "3/<b>&.jpg"):
        (scans / name).unlink()
    assert prepared(scans, is_overwriting=True).rejects is None
    assert not (scans.parent / "out/digits.parquet.rejects.jsonl").exists()


def test_too_many_rejects(scans, prepared, tmp_path):
    """The output is not written, the list and the page are; a higher limit finishes without reading pictures again."""
    (scans / "bad.png").write_bytes(b"")
    with pytest.raises(TooManyRejects, match=r"1 of 21 pictures were rejected, more than .*1%.*bad\.png is"):
        prepared(scans)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        ".digits.parquet.parts", "digits.parquet.rejects.jsonl", "prepare.html",
    }  # fmt: skip
    before = (tmp_path / "out/.digits.parquet.parts/000000.arrow").stat().st_mtime_ns
    with pytest.raises(TooManyRejects):
        prepared(scans, max_rejects="0")
    assert (tmp_path / "out/.digits.parquet.parts/000000.arrow").stat().st_mtime_ns == before
    assert prepared(scans, max_rejects="5%").counts.digits == 20
    assert not (tmp_path / "out/.digits.parquet.parts").exists()


def test_no_digit_at_all(prepared, tmp_path):
    """Pictures without ink make no file."""
    (tmp_path / "blank").mkdir()
    (tmp_path / "blank/a.png").write_bytes(encoded(np.full((40, 40), 255, np.uint8), "PNG"))
    with pytest.raises(DataError, match="is not written, because no picture shows a digit"):
        prepared(tmp_path / "blank", max_rejects="100%")
    assert not (tmp_path / "out/digits.parquet").exists()


def test_what_is_there(scans, prepared, tmp_path):
    """The same run is done; another refuses to replace its file without being told."""
    first = prepared(scans)
    content = Path(first.output).read_bytes()
    again = prepared(scans)
    assert (again.was_done, again.counts) == (True, first.counts)
    with pytest.raises(OutputOccupied, match="already exists; add --overwrite"):
        prepared(scans / "7")
    (tmp_path / "out/other.parquet").write_bytes(b"not ours")
    with pytest.raises(OutputOccupied):
        prepared(scans, output="out/other.parquet")
    assert not prepared(scans, output="out/other.parquet", is_overwriting=True).was_done
    assert Path(tmp_path / "out/other.parquet").read_bytes() == content


def test_the_same_bytes_whatever_is_stopped(scans, prepared, tmp_path, monkeypatch):
    """With any number of threads, and continued from some of the parts, one of which was damaged."""
    monkeypatch.setattr("job.prepare.preparing.PART_BYTES", 300_000)
    whole = Path(prepared(scans).output).read_bytes()
    assert Path(prepared(scans, output="out/b.parquet", threads=4).output).read_bytes() == whole
    seen = []

    def stopped(*arguments):
        seen.append(arguments)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return prepare_part(*arguments)

    monkeypatch.setattr("job.prepare.preparing.prepare_part", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepared(scans, output="out/c.parquet")
    parts = tmp_path / "out/.c.parquet.parts"
    assert not (tmp_path / "out/c.parquet").exists()
    assert len(list(parts.glob("*.arrow"))) == 2
    (parts / "000001.arrow").write_bytes((parts / "000001.arrow").read_bytes()[:-9] + bytes(9))
    seen[:] = [None] * 10
    assert Path(prepared(scans, output="out/c.parquet").output).read_bytes() == whole
    assert len(seen) - 10 == len(seen[10:]) < len(list(scans.rglob("*.png")))
    first_parts = [arguments[1].span[0] for arguments in seen[10:]]
    assert 0 not in first_parts


def test_another_unfinished_run(scans, prepared):
    """Is not thrown away without being told."""
    (scans / "bad.png").write_bytes(b"")
    with pytest.raises(TooManyRejects):
        prepared(scans)
    (scans / "bad.png").unlink()
    with pytest.raises(OutputOccupied, match="holds an unfinished run over other pictures or with other flags"):
        prepared(scans)
    assert prepared(scans, is_overwriting=True).counts.digits == 20


def test_pictures_of_28x28_keep_their_pixels(prepared, tmp_path, digits):
    """As exported MNIST has them, without labels where no folder is a digit."""
    (tmp_path / "mnist").mkdir()
    for row in range(5):
        (tmp_path / f"mnist/{row}.png").write_bytes(png(digits.pixels[row]))
    table = pq.read_table(prepared(tmp_path / "mnist").output)
    assert table.schema.names == ["id", "pixels"]
    np.testing.assert_array_equal(np.stack(table["pixels"].to_numpy()), digits.pixels[:5])


def test_several_sources(scans, prepared):
    """Their ids begin with the folder below the one that holds them all, so that each is unique."""
    result = prepared(scans / "0", scans / "1", is_overwriting=True)
    names = pq.read_table(result.output)["id"].to_pylist()
    assert len(set(names)) == len(names)
    assert {name.split("/")[0] for name in names} == {"0", "1"}


def test_csv(scans, prepared):
    """The same rows with a column for each pixel, which is read as well."""
    table = pa_csv.read_csv(prepared(scans, output="out/digits.csv").output)
    assert table.schema.names[:3] == ["id", "label", "pixel0"]
    expected = pq.read_table(prepared(scans).output)
    assert table["id"].to_pylist() == expected["id"].to_pylist()
    np.testing.assert_array_equal(
        np.stack([each.to_numpy() for each in table.columns[2:]], axis=1), np.stack(expected["pixels"].to_numpy())
    )


def test_labels_that_cannot_be_read(scans, prepared):
    """Leave the row, without its label, and are listed."""
    (scans / "0").rename(scans / "z=x")
    for path in list(scans.iterdir()):
        if path.name != "z=x":
            path.rename(scans / f"z={path.name}")
    result = prepared(scans, read=ReadSettings(label_column="z"))
    table = pq.read_table(result.output)
    assert table["label"].null_count == sum(name.startswith("z=x") for name in table["id"].to_pylist()) > 0
    assert "bad_label" in Path(f"{result.output}.rejects.jsonl").read_text(encoding="utf-8")


def test_the_output_inside_the_folder(scans, prepared):
    """Data files beside the pictures do not matter, so that the command can be repeated."""
    output = scans / "digits.parquet"
    prepared(scans, output=output)
    assert prepared(scans, output=output).was_done


@pytest.mark.parametrize("name", ["prepare.html", "digits.parquet.rejects.jsonl"])
def test_files_of_others_stay(scans, prepared, tmp_path, name):
    """Where the page or the list would be; those of an earlier run are replaced."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(OutputOccupied, match="already exists and is not"):
        prepared(scans, is_overwriting=True)
    assert (tmp_path / "out" / name).read_text() == "mine"
    assert not (tmp_path / "out/digits.parquet").exists()
