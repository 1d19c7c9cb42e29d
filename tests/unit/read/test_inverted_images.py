"""`--invert`: a file of dark digits on white is read as the file of bright digits on black, in every format."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support.batches import assert_same, read_all
from support.files import PIXEL_NAMES, csv_text, make_digits, write_csv, write_idx, write_parquet
from support.pictures import as_bytes, as_lists, as_pictures

from job.contract import PIXELS
from job.read.source import files_at, look
from job.settings import ReadSettings

DIGITS = make_digits(40, seed=3)


def _fractions_csv(path, digits):
    rows = zip(digits.labels.tolist(), (digits.pixels / 255).tolist(), strict=True)
    header = ",".join(["label", *PIXEL_NAMES])
    path.write_text("\n".join([header, *(",".join(map(str, [label, *pixels])) for label, pixels in rows)]))


def _image_column(column):
    def write(path, digits):
        pq.write_table(pa.table({"label": digits.labels, "image": column(digits.pixels)}), path)

    return write


def _arrow(path, digits):
    columns = {"label": digits.labels} | {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    feather.write_feather(pa.table(columns), str(path), chunksize=7)


FILES = {
    "csv": ("a.csv", write_csv),
    "csv without a header": ("a.csv", lambda path, digits: write_csv(path, digits, has_header=False)),
    "quoted csv": ("a.csv", lambda path, digits: path.write_text(csv_text(digits).replace(",255", ',"255"'))),
    "csv of fractions": ("a.csv", _fractions_csv),
    "compressed csv": ("a.csv.gz", lambda path, digits: path.write_bytes(gzip.compress(csv_text(digits).encode()))),
    "parquet": ("a.parquet", lambda path, digits: write_parquet(path, digits, row_group_size=13)),
    "lists": ("a.parquet", _image_column(lambda pixels: as_lists(pixels, pa.list_(pa.uint8())))),
    "lists of fractions": ("a.parquet", _image_column(lambda pixels: as_lists(pixels / 255, pa.list_(pa.float32())))),
    "raw bytes": ("a.parquet", _image_column(lambda pixels: as_bytes(pixels, pa.binary()))),
    "pictures": ("a.parquet", _image_column(as_pictures)),
    "arrow": ("a.arrow", _arrow),
    "idx": ("t10k-images-idx3-ubyte", lambda path, digits: write_idx(path.parent, digits)),
    "npy": ("a.npy", lambda path, digits: np.save(path, digits.pixels)),
    "npz of fractions": ("a.npz", lambda path, digits: np.savez(path, x=digits.pixels / 255, y=digits.labels)),
    "booleans": ("a.npy", lambda path, digits: np.save(path, digits.pixels > 127)),
}


def _source(storage, path, **settings):
    (source,) = look(storage, files_at(storage, [str(path)]), ReadSettings(**settings))
    return source


@pytest.mark.parametrize(("name", "write"), FILES.values(), ids=FILES)
def test_an_inverted_file_gives_the_same_images(storage, tmp_path, name, write):
    """Pixels, labels and lines are those of the other file, in blocks of any size."""
    for folder, pixels in (("plain", DIGITS.pixels), ("inverted", 255 - DIGITS.pixels)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / name, type(DIGITS)(pixels, DIGITS.labels))
    expected = read_all(_source(storage, tmp_path / "plain" / name), storage)
    found = read_all(_source(storage, tmp_path / "inverted" / name, is_inverted=True), storage, block_rows=7)
    assert_same(found, expected)
    assert expected.pixels.any()


def test_compiled_readers_invert(storage, tmp_path, monkeypatch):
    """So does the compiled parser of CSV."""
    monkeypatch.setattr("job.read.source._COMPILED_PAYS_FROM_BYTES", 0)
    path = write_csv(tmp_path / "a.csv", DIGITS)
    source = _source(storage, path, is_inverted=True)
    assert source.is_compiled
    assert np.array_equal(read_all(source, storage).pixels, 255 - DIGITS.pixels)


def _with_bad_rows_csv(path):
    lines = csv_text(DIGITS).splitlines()
    lines[3] = lines[3].replace(",0,", ",300,", 1)  # no pixel
    lines[5] = lines[5].rsplit(",", 9)[0]  # too few fields
    lines[7] = f"eleven{lines[7][1:]}"  # no label
    lines[9] = "# a comment"
    path.write_text("\n".join(lines))


def _with_bad_rows_columns(path):
    columns = {"label": DIGITS.labels.astype(np.int16)} | {
        name: DIGITS.pixels[:, index].astype(np.int16) for index, name in enumerate(PIXEL_NAMES)
    }
    columns["label"][6] = 11
    columns["pixel400"][2] = 300
    mask = np.arange(len(DIGITS)) == 4
    columns["pixel500"] = pa.array(columns["pixel500"], mask=mask)
    pq.write_table(pa.table(columns), path)


def _with_bad_rows_list(path):
    images = DIGITS.pixels.tolist()
    images[2], images[4] = None, images[4][:-1]
    labels = np.where(np.arange(len(DIGITS)) == 6, 11, DIGITS.labels)
    pq.write_table(pa.table({"label": labels, "image": pa.array(images, pa.list_(pa.int16()))}), path)


def _with_bad_rows_npz(path):
    images, labels = DIGITS.pixels.astype(np.float64), DIGITS.labels.copy()
    images[2, 5], images[4, 6], labels[6] = 300, np.nan, 11
    np.savez(path, x=images, y=labels)


BAD = {
    "a.csv": _with_bad_rows_csv, "a.parquet": _with_bad_rows_columns, "b.parquet": _with_bad_rows_list,
    "a.npz": _with_bad_rows_npz,
}  # fmt: skip


@pytest.mark.parametrize(("name", "write"), BAD.items(), ids=BAD)
def test_rejected_records_stay_empty(storage, tmp_path, name, write):
    """Their pixels are 0, as without the flag; a record whose label alone is bad has an image."""
    write(tmp_path / name)
    plain = read_all(_source(storage, tmp_path / name), storage)
    found = read_all(_source(storage, tmp_path / name, is_inverted=True), storage)
    empty = [each.row for each in plain.rejects if each.reason.is_fatal]
    assert len(empty) == len(plain.rejects) - 1 > 1
    assert found.rejects == plain.rejects
    assert not found.pixels[empty].any()
    others = np.setdiff1d(np.arange(len(DIGITS)), empty)
    assert np.array_equal(found.pixels[others], 255 - plain.pixels[others])
    assert found.pixels.shape == (len(DIGITS), PIXELS)


def test_it_is_the_same_before_and_after_transposing(storage, tmp_path):
    """Both flags together."""
    turned = DIGITS.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, PIXELS)
    np.save(tmp_path / "a.npy", 255 - turned)
    found = read_all(_source(storage, tmp_path / "a.npy", is_inverted=True, is_transposed=True), storage)
    assert np.array_equal(found.pixels, DIGITS.pixels)


def test_labels_of_folders_are_kept(storage, tmp_path):
    """A partitioned folder's."""
    (tmp_path / "label=7").mkdir()
    np.save(tmp_path / "label=7/a.npy", 255 - DIGITS.pixels)
    found = read_all(_source(storage, tmp_path, is_inverted=True), storage)
    assert np.array_equal(found.pixels, DIGITS.pixels)
    assert set(found.labels.tolist()) == {7}
