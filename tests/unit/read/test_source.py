"""Which files an input names, and which reader each is for."""

import gzip
import logging
import os
import shutil
import traceback

import numpy as np
import pytest
from support.batches import read_all
from support.files import make_digits, write_csv, write_idx, write_parquet

from job.errors import DataError, InputChanged, LayoutError, NoInput
from job.read import source as module
from job.read.source import files_at, look
from job.settings import ReadSettings


def _names(storage, *locations):
    return [file.name for file in files_at(storage, [str(location) for location in locations])]


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


# Which files


@pytest.mark.parametrize(
    "name",
    [
        "a.csv", "a.CSV", "a.tsv", "a.parquet", "a.pq", "a.parq", "a.csv.gz", "a.CSV.GZ",
        "a.csv.bz2", "a.csv.xz", "a.csv.zst", "a.csv.zip",
        "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "a.idx",
    ],
)  # fmt: skip
def test_files_of_a_folder_are_chosen_by_name(storage, tmp_path, name):
    """By the suffix, compressed or not."""
    _touch(tmp_path, name, "README.md", "notes", "model.onnx", "csv", "archive.gz", "a.txt.zip")
    assert _names(storage, tmp_path) == [name]


def test_skipped_files_of_a_folder_give_a_warning(storage, tmp_path, caplog):
    """It names the files that do not look like data, but not hidden ones."""
    _touch(tmp_path, "a.csv", "README.md", "LICENSE", ".hidden", "_SUCCESS")
    with caplog.at_level(logging.WARNING):
        _names(storage, tmp_path)
    [record] = caplog.records
    assert record.getMessage() == f"{tmp_path}: skipped 2 files that are not data: ['LICENSE', 'README.md']"


@pytest.mark.parametrize("location", ["notes", "no*", "data/*", "_hidden", "data/.x"])
def test_a_named_or_matched_file_is_always_taken(storage, tmp_path, monkeypatch, location):
    """Even if it does not look like data, or is hidden."""
    _touch(tmp_path, "notes", "data/notes", "_hidden", "data/.x")
    monkeypatch.chdir(tmp_path)
    assert len(_names(storage, location)) == 1


def test_each_file_is_taken_once_in_order_of_paths(storage, tmp_path):
    """Locations may overlap and come in any order."""
    _touch(tmp_path, "b/2.csv", "a/1.csv", "c.csv")
    locations = [tmp_path / "c.csv", tmp_path / "b", tmp_path, tmp_path / "*" / "*.csv", f"{tmp_path}/b/../c.csv"]
    assert _names(storage, *locations) == ["1.csv", "2.csv", "c.csv"]


def test_a_file_with_two_names_is_one_input(storage, tmp_path, caplog):
    """Links to it count as the file itself, under its own name."""
    caplog.set_level("INFO")
    _touch(tmp_path, "b.csv")
    for name in ("a.csv", "c.csv"):
        (tmp_path / name).symlink_to("b.csv")
    (tmp_path / "folder").symlink_to(tmp_path)
    assert _names(storage, str(tmp_path)) == ["b.csv"]
    assert _names(storage, str(tmp_path), f"{tmp_path}/folder/*.csv") == ["b.csv"]
    assert _names(storage, f"{tmp_path}/a.csv") == ["a.csv"]
    assert "a.csv: is the same file as" in caplog.text


def test_file_uris(storage, tmp_path):
    """A file:// URI is the same file as its path."""
    _touch(tmp_path, "a b.csv")
    assert _names(storage, f"file://{tmp_path}/a%20b.csv", tmp_path / "a b.csv") == ["a b.csv"]


@pytest.mark.parametrize("folder", ["run[1]", "what?", "all*"])
def test_folder_whose_name_looks_like_a_pattern(storage, tmp_path, folder):
    """An existing folder is never read as a pattern."""
    _touch(tmp_path / folder, "a.csv", "README.md")
    assert _names(storage, tmp_path / folder) == ["a.csv"]


def test_a_folder_without_data(storage, tmp_path):
    """A folder of other files is an error."""
    _touch(tmp_path, "README.md")
    with pytest.raises(NoInput) as error:
        _names(storage, tmp_path)
    assert str(error.value) == f"{tmp_path}: holds neither a CSV, Parquet, Arrow, IDX or NumPy file nor a picture"


def test_every_location_must_give_something(storage, tmp_path):
    """One that names no file is an error, even if the others name some."""
    _touch(tmp_path, "a.csv")
    with pytest.raises(NoInput, match="found no file there"):
        _names(storage, tmp_path / "a.csv", tmp_path / "b.csv")


# Which reader


@pytest.fixture
def looked(storage):
    def look_at(*paths, choice=ReadSettings()):  # frozen
        return look(storage, [storage.stat(str(path)) for path in paths], choice)

    return look_at


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a-idx3-ubyte"])
def test_a_file_that_is_still_being_written(storage, tmp_path, digits, name):
    """It looks damaged, but the error says that it changed, so that a retry may help."""
    whole = {
        "a.csv": lambda: write_csv(tmp_path / "whole", digits).read_bytes(),
        "a.csv.gz": lambda: gzip.compress(write_csv(tmp_path / "whole", digits).read_bytes()),
        "a.parquet": lambda: write_parquet(tmp_path / "whole", digits).read_bytes(),
        "a-idx3-ubyte": lambda: write_idx(tmp_path, digits).read_bytes(),
    }[name]()
    (tmp_path / name).write_bytes(whole[:700])
    seen = storage.stat(str(tmp_path / name))
    (tmp_path / name).write_bytes(whole[:1000])
    with pytest.raises(InputChanged, match=f"{name}: was changed while it was being read"):
        look(storage, [seen], ReadSettings())


def _zip(path):
    with open(path, "rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    return f"{path}.gz"


@pytest.mark.parametrize("name", ["digits", "digits.csv", "digits.parquet", "digits.idx", "digits.gz"])
def test_content_decides_the_format(storage, looked, tmp_path, digits, name):
    """A file is read as what it is, whatever it is called."""
    few = digits[:5]
    written = {
        "csv": write_csv(tmp_path / "1", few, has_labels=False),
        "parquet": write_parquet(tmp_path / "2", few, has_labels=False),
        "idx": write_idx(tmp_path, few, has_labels=False),
    }
    for format_, path in written.items():
        os.replace(path, tmp_path / name)
        [source] = looked(tmp_path / name)
        assert source.format == format_
        np.testing.assert_array_equal(read_all(source, storage).pixels, few.pixels)


def test_compressed_files(storage, looked, tmp_path, digits):
    """Compressed CSV and IDX are recognised by their content."""
    few = digits[:5]
    sources = looked(_zip(write_csv(tmp_path / "a.csv", few)), write_idx(tmp_path, few, is_compressed=True))
    assert [source.format for source in sources] == ["csv", "idx"]
    for source in sources:
        np.testing.assert_array_equal(read_all(source, storage).pixels, few.pixels)


def test_compressed_parquet(looked, tmp_path, digits):
    """Parquet inside gzip is refused with advice."""
    path = _zip(write_parquet(tmp_path / "a.parquet", digits[:5]))
    with pytest.raises(LayoutError, match=f"^{path}: is a compressed Parquet file; .*; unpack it$"):
        looked(path)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["plain", "gzip"])
def test_empty_files(looked, tmp_path, content):
    """A file of no bytes is refused."""
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(LayoutError, match=r"a.csv: is empty, or its first line is"):
        looked(tmp_path / "a.csv")


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x1f\x8bgarbage and more of it"])
def test_damaged_gzip(looked, tmp_path, content):
    """A gzip file that is damaged at its start is a data error."""
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"a.csv.gz: the gzip data is damaged or truncated"):
        looked(tmp_path / "a.csv.gz")


def test_labels_belong_to_their_images(looked, tmp_path, digits):
    """A file of IDX labels is no source of its own."""
    images = write_idx(tmp_path, digits[:5])
    [source] = looked(images, tmp_path / "t10k-labels-idx1-ubyte")
    assert source.file.path == str(images)
    assert source.has_labels


def test_labels_alone(looked, tmp_path, digits):
    """Labels without images are refused with advice."""
    write_idx(tmp_path, digits[:5])
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    with pytest.raises(DataError) as error:
        looked(labels)
    assert str(error.value) == (f"{labels}: holds labels only; name the file of images, and keep the labels beside it")


def test_no_label_holds_for_every_format(looked, tmp_path, digits):
    """With --no-label, no source has labels."""
    few = digits[:5]
    paths = [write_csv(tmp_path / "a.csv", few), write_parquet(tmp_path / "a.parquet", few), write_idx(tmp_path, few)]
    assert [source.has_labels for source in looked(*paths)] == [True, True, True]
    assert [source.has_labels for source in looked(*paths, choice=ReadSettings(is_label_ignored=True))] == [False] * 3


def test_one_bad_file_is_an_error_for_all(looked, tmp_path, digits):
    """If the layout of one file cannot be settled, nothing is read; the error names that file."""
    (tmp_path / "b.csv").write_text("name,age\nx,3\n")
    with pytest.raises(LayoutError, match=r"b\.csv: found 2 columns"):
        looked(write_csv(tmp_path / "a.csv", digits[:5]), tmp_path / "b.csv")


@pytest.mark.parametrize(("is_packed", "is_compiled"), [(False, False), (True, True)])
def test_large_inputs_use_the_compiled_scanner(looked, tmp_path, digits, monkeypatch, is_packed, is_compiled):
    """The size of all files together decides; compressed files count with their estimated plain size."""
    paths = [write_csv(tmp_path / name, digits) for name in ("a.csv", "b.csv")]
    paths = [_zip(path) for path in paths] if is_packed else paths
    size = sum(os.path.getsize(path) for path in paths)
    monkeypatch.setattr(module, "_COMPILED_PAYS_FROM_BYTES", size + 1)
    assert {source.is_compiled for source in looked(*paths)} == {is_compiled}
    monkeypatch.setattr(module, "_COMPILED_PAYS_FROM_BYTES", size)
    assert {source.is_compiled for source in looked(*paths)} == {True}


def test_labels_without_their_images_give_a_warning(looked, tmp_path, digits, caplog):
    """They are never skipped silently."""
    write_idx(tmp_path, digits, prefix="lost").unlink()
    [source] = looked(write_csv(tmp_path / "a.csv", digits), tmp_path / "lost-labels-idx1-ubyte")
    assert source.file.name == "a.csv"
    assert "lost-labels-idx1-ubyte: skipped: it holds labels" in caplog.text


# Links that lead out of the folder


def _planted(folder, name="x.csv"):
    """A link in a folder of input to a file that others cannot read."""
    (folder / "in").mkdir()
    (folder / "secret").write_text("root:SECRET:1:2\ndaemon:SECRET:3:4\n")
    (folder / "in" / name).symlink_to("../secret")
    return folder / "in"


@pytest.mark.parametrize("pattern", ["", "*.csv", "**", "x.c[s]v", "../in/*"])
def test_nothing_is_shown_of_a_file_outside_the_folder(storage, tmp_path, pattern):
    """Anyone who can write to the folder could make the job show what only its user can read."""
    files = files_at(storage, [f"{_planted(tmp_path)}/{pattern}"])
    with pytest.raises(DataError, match=r"in/x\.csv: .* is a link that leads out of the input folder") as error:
        look(storage, files, ReadSettings())
    assert "SECRET" not in "".join(traceback.format_exception(error.value))


def test_a_link_that_is_named_itself_is_the_users_choice(storage, tmp_path):
    """The message says what is wrong; and so for a link within the folder, as Kubernetes makes them."""
    folder = _planted(tmp_path)
    (folder / "..data").mkdir()
    (folder / "..data/y.csv").write_text("a,b\nSECRET,2\n")
    (folder / "y.csv").symlink_to("..data/y.csv")
    for location in (folder / "x.csv", folder / "y*.csv"):
        with pytest.raises(DataError) as error:
            look(storage, files_at(storage, [str(location)]), ReadSettings())
        assert "leads out of" not in str(error.value)


def test_data_outside_the_folder_is_read(storage, tmp_path):
    """DVC, git-annex and Hugging Face's cache link to data kept elsewhere."""
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "kept.csv", make_digits(3))
    (tmp_path / "in/a.csv").symlink_to("../kept.csv")
    [source] = look(storage, files_at(storage, [str(tmp_path / "in")]), ReadSettings())
    [batch] = source.read(storage, source.split(1 << 20)[0], 10)
    assert len(batch.pixels) == 3
