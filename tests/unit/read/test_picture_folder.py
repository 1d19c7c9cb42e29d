"""Folders of pictures as a source: which pictures, in which order, with which labels, and what cannot be read."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.pictures import encoded, png

from job.contract import Reason
from job.errors import InputChanged, LayoutError, ResourceExhausted, StorageError
from job.read.picture_folder import PictureFolder
from job.read.source import files_at, look
from job.settings import LabelMap, ReadSettings


def _photo(shade=200, ink=40, side=90):
    """A picture of a 1 on paper."""
    grey = np.full((side, side), shade, np.uint8)
    grey[side // 4 : -side // 4, side // 2 - 4 : side // 2 + 4] = ink
    return encoded(grey, "PNG")


@pytest.fixture
def folder(tmp_path):
    """Writes pictures by their paths below a folder."""

    def written(contents, name="scans"):
        for path, content in contents.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return tmp_path / name

    return written


@pytest.fixture
def source_of(storage):
    """The sources of a location with the settings of `read`."""

    def source(*locations, **read):
        return look(storage, files_at(storage, [str(each) for each in locations]), ReadSettings(**read))

    return source


def _ids(source, storage):
    return [
        name
        for batch in source.read(storage, (0, source.rows), 100)
        for name in batch.passthrough.column("id").to_pylist()
    ]


def _labels(source, storage):
    return [label for batch in source.read(storage, (0, source.rows), 100) for label in batch.labels.tolist()]


def test_what_is_taken(folder, source_of, storage):
    """Pictures of any suffix, sorted by path; not what is hidden, what Windows leaves, or folders called like one."""
    path = folder({
        "b.png": _photo(), "a/2.JPG": _photo(), "a/10.tiff": _photo(), "é ü.png": _photo(), ".hidden.png": b"",
        "._a.png": b"mac", "Thumbs.db": b"x", "x.png/inner.bmp": _photo(), "_b/c.png": b"",
    })  # fmt: skip
    [source] = source_of(path)
    assert (source.file.path, source.format) == (str(path), "pictures")
    assert _ids(source, storage) == ["a/10.tiff", "a/2.JPG", "b.png", "x.png/inner.bmp", "é ü.png"]


def test_pictures_of_mnists_size_are_taken_as_they_are(folder, source_of, storage, digits):
    """Bit by bit, if all have that size."""
    path = folder({f"{row:03}.png": png(pixels) for row, pixels in enumerate(digits.pixels)})
    [source] = source_of(path)
    found = np.concatenate([batch.pixels for batch in source.read(storage, (0, source.rows), 100)])
    np.testing.assert_array_equal(found, digits.pixels)
    [inverted] = source_of(path, is_inverted=True)
    [batch] = inverted.read(storage, (0, 1), 100)
    np.testing.assert_array_equal(batch.pixels[0], 255 - digits.pixels[0])
    [transposed] = source_of(path, is_transposed=True)
    [batch] = transposed.read(storage, (0, 1), 100)
    np.testing.assert_array_equal(batch.pixels[0].reshape(28, 28).T.ravel(), digits.pixels[0])


def test_pictures_of_any_size_are_brought_to_mnists_form(folder, source_of, storage):
    """Dark on light or light on dark, whatever the size: also those of 28x28 among others."""
    path = folder({
        "a.png": _photo(), "b.png": _photo(30, 220, 300), "c.jpg": _photo(255, 0, 28), "d.png": _photo(128, 90, 400),
    })  # fmt: skip
    [source] = source_of(path)
    [batch] = source.read(storage, (0, 4), 100)
    assert not batch.rejects
    for pixels in batch.pixels.reshape(-1, 28, 28):
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        assert (rows[0], rows[-1]) == (4, 23)
        assert 8 <= columns[0] <= columns[-1] <= 19
        assert pixels.max() > 240


def test_a_picture_of_an_impossible_shape(folder, source_of, storage):
    """Is refused, instead of taking memory for the square of its longer side."""
    path = folder({"a.png": encoded(np.arange(60_000).reshape(1, -1).astype(np.uint8), "PNG"), "b.png": _photo()})
    [batch] = source_of(path)[0].read(storage, (0, 2), 10)
    assert [each.detail for each in batch.rejects] == ["a.png is a PNG of 60000x1, too long and thin for a digit"]


def test_bad_pictures_are_rejects(folder, source_of, storage):
    """With the file's name and the reason; the others are read."""
    path = folder({"1.png": _photo(), "2.png": b"", "3.jpg": b"text", "4.png": _photo()[:50], "5.png": _photo(90, 90)})
    [source] = source_of(path)
    [batch] = source.read(storage, (0, 5), 100)
    assert [(each.row, each.reason) for each in batch.rejects] == [(row, Reason.BAD_IMAGE) for row in range(1, 5)]
    details = [each.detail for each in batch.rejects]
    assert details[0] == "2.png is empty (0 bytes)"
    assert details[1].startswith("3.jpg is not a picture")
    assert details[2].startswith("4.png is a damaged PNG")
    assert details[3] == "5.png shows nothing but an even background"
    assert batch.pixels[0].any()
    assert not batch.pixels[1:].any()


@pytest.mark.parametrize(
    ("names", "read", "labels"),
    [
        (["7/a.png", "train/3/b.png", "x/c.png"], {}, [7, 3, -1]),
        (["label=7/a.png", "seven/b.png", "y=2/n/c.png"], {}, [7, 7, 2]),
        (["1/2/a.png"], {}, [2]),
        (["a/x.png", "b/x.png"], {}, None),
        (["7/a.png"], {"is_label_ignored": True}, None),
        (["eins/a.png", "3/b.png"], {"label_map": LabelMap("m", (("eins", 1),))}, [3, 1]),
        (["z=5/7/a.png"], {"label_column": "z"}, [5]),
    ],
    ids=["folders", "names", "deepest", "none", "ignored", "map", "column"],
)
def test_labels_of_folders(folder, source_of, storage, names, read, labels):
    """The deepest folder that is called like a digit is the label of its pictures."""
    [source] = source_of(folder(dict.fromkeys(names, _photo())), **read)
    assert source.has_labels == (labels is not None)
    if labels is not None:
        assert _labels(source, storage) == labels


def test_the_folder_that_is_named_may_be_the_label(folder, source_of, storage):
    """As may that of a single picture."""
    path = folder({"7/a.png": _photo(), "7/b.png": _photo()})
    [whole], [single] = source_of(path / "7"), source_of(path / "7/a.png")
    assert _labels(whole, storage) == [7, 7]
    assert (_labels(single, storage), _ids(single, storage), single.file.path) == ([7], ["a.png"], f"{path}/7/a.png")


def test_locations_that_overlap(folder, source_of):
    """Each picture is read once, as one of the outermost folder."""
    path = folder({"7/a.png": _photo(), "7/b.png": _photo(), "c.png": _photo()})
    for locations in ([path / "7", path], [path, path / "7/*.png"], [path / "c.png", path]):
        [source] = source_of(*locations)
        assert (source.file.path, source.rows) == (str(path), 3)
    one, two = source_of(path / "7", path / "c.png")
    assert (one.rows, two.rows) == (2, 1)


def test_pictures_that_are_named_one_by_one(folder, source_of, storage):
    """As a shell makes them of a pattern: those of a folder are one input, too."""
    path = folder({"7/a.png": _photo(), "7/b.png": _photo(), "c.png": _photo()})
    of_folder, alone = source_of(path / "7/a.png", path / "7/b.png", path / "c.png")
    assert (of_folder.file.path, _ids(of_folder, storage)) == (f"{path}/7", ["a.png", "b.png"])
    assert (alone.file.path, _ids(alone, storage)) == (f"{path}/c.png", ["c.png"])
    assert _labels(of_folder, storage) == [7, 7]


def test_pictures_beside_data(folder, source_of, caplog):
    """Are skipped with a warning that says how to read them; a pattern takes both."""
    path = folder({"a.csv": b"x", "b.png": _photo()})
    with pytest.raises(LayoutError, match=r"a\.csv"):
        source_of(path)
    assert f"skipped 1 pictures, because there are data files; name them with a pattern such as '{path}/" in caplog.text
    [source] = source_of(path / "*.png")
    assert isinstance(source, PictureFolder)


def test_a_picture_by_its_content(folder, source_of):
    """A file that is named is a picture whatever it is called."""
    [source] = source_of(folder({"scan": _photo()}) / "scan")
    assert source.rows == 1


def test_parts(folder, source_of, storage):
    """Pictures are divided by their bytes; every range has at least one."""
    [source] = source_of(folder({f"{number:02}.png": _photo() for number in range(20)}))
    ranges = source.split(300_000)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 20
    assert len(ranges) > 4
    assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
    assert source.split(1) == [(number, number + 1) for number in range(20)]
    assert sum(len(batch.pixels) for each in ranges for batch in source.read(storage, each, 3)) == 20


def test_the_version_changes_with_any_picture(folder, source_of):
    """With its bytes, its time or its name, so that the fingerprint of a run does."""
    path = folder({"a.png": _photo(), "b.png": _photo()})
    seen = {source_of(path)[0].file.version}
    os.utime(path / "b.png", ns=(1, 1))
    seen.add(source_of(path)[0].file.version)
    (path / "b.png").rename(path / "c.png")
    seen.add(source_of(path)[0].file.version)
    (path / "d.png").write_bytes(_photo())
    seen.add(source_of(path)[0].file.version)
    assert len(seen) == 4


def test_a_picture_that_changes_while_it_is_read(folder, source_of, storage):
    """Ends the reading, and is no reject."""
    path = folder({"a.png": _photo(), "b.png": _photo()})
    [source] = source_of(path)
    (path / "b.png").write_bytes(_photo(10, 250))
    with pytest.raises(InputChanged):
        list(source.read(storage, (0, 2), 10))
    (path / "b.png").unlink()
    with pytest.raises(StorageError):
        list(source.read(storage, (0, 2), 10))


def test_what_pictures_have_not(folder, source_of):
    """Other columns than `id`, fractions, a label column."""
    path = folder({"a.png": _photo()})
    assert source_of(path, keep=("id",))[0].passthrough_schema.names == ["id"]
    with pytest.raises(LayoutError, match="pictures have no column 'name', only 'id'"):
        source_of(path, keep=("name",))
    with pytest.raises(LayoutError, match="the pixels of pictures are 0-255"):
        source_of(path, scale="1")
    with pytest.raises(LayoutError, match=r"no folder of its pictures is called target=\.\."):
        source_of(path, label_column="target")


def test_names_that_are_not_utf8(folder, source_of, storage):
    """Are spelled out in the column."""
    path = folder({"a.png": _photo()})
    os.rename(os.fsencode(path / "a.png"), os.fsencode(path) + b"/\xe9.png")
    assert _ids(source_of(path)[0], storage) == [r"\xe9.png"]


def test_links(folder, source_of, storage):
    """A link to a picture of the folder is the same picture; one to another is read."""
    path = folder({"a.png": _photo()})
    other = folder({"o.png": _photo()}, "other")
    Path(path / "b.png").symlink_to(path / "a.png")
    Path(path / "c.png").symlink_to(other / "o.png")
    assert _ids(source_of(path)[0], storage) == ["a.png", "c.png"]


def test_nothing_is_shown_of_what_a_link_leads_to(folder, source_of, storage, tmp_path):
    """Out of the folder: Pillow quotes the header of a damaged file."""
    path = folder({"a.png": _photo()})
    (tmp_path / "secret").write_bytes(b"P5 hunter2 \0\1")
    (path / "b.pgm").symlink_to(tmp_path / "secret")
    [batch] = source_of(path)[0].read(storage, (0, 2), 10)
    assert [each.detail for each in batch.rejects] == [
        "b.pgm cannot be used, and is a link that leads out of the folder, so that nothing of it is shown"
    ]


def test_a_lack_of_memory_is_no_bad_picture(folder, source_of, storage, monkeypatch):
    """It ends the run, and a retry can help."""

    def without_memory(*_arguments, **_more):
        raise MemoryError

    [source] = source_of(folder({"a.png": _photo()}))
    monkeypatch.setattr("job.read.picture_folder.digit_of", without_memory)
    with pytest.raises(ResourceExhausted, match=r"a\.png"):
        list(source.read(storage, (0, 1), 10))
