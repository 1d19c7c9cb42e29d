"""`prepare --sheet`: pages as files -> a row for each digit, with its page, place and box."""

import io
import logging
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.sheets import compared, sheet

from job.errors import DataError, TooManyRejects
from job.prepare.prepare_settings import PrepareSettings
from job.prepare.preparing import prepare
from job.prepare.sheet_digits import SheetDigits
from job.read.pictures.decoding import decode
from job.settings import RejectLimit


@pytest.fixture
def prepared(storage, tmp_path):
    """Runs `prepare --sheet` with the files of a folder; returns its result and the rows."""

    def run(files, max_rejects="1%"):
        folder = tmp_path / "pages"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        output = str(tmp_path / "out/digits.parquet")
        limit = RejectLimit.parse(max_rejects)
        result = prepare(PrepareSettings((str(folder),), output, max_rejects=limit, are_sheets=True), storage)
        return result, pq.read_table(output).to_pylist()

    return run


def tiff(*pages):
    """A TIFF of several pages."""
    file = io.BytesIO()
    first, *others = [page.convert("L") for page in pages]
    first.save(file, "TIFF", save_all=True, append_images=others)
    return file.getvalue()


def test_each_digit_becomes_a_row_with_its_place(prepared):
    """In the order of the files, and on each page in reading order."""
    pages = {"a.jpg": sheet(1, layout="lined"), "b.jpg": sheet(2, layout="unlined", angle=3)}
    result, rows = prepared({name: page.content for name, page in pages.items()})
    assert list(rows[0]) == ["id", "page", "row", "column", "left", "top", "width", "height", "pixels"]
    assert [row["id"] for row in rows] == ["a.jpg"] * 20 + ["b.jpg"] * 20
    assert (result.counts.pictures, result.counts.digits) == (2, 40)
    for name, page in pages.items():
        places = [(row["row"], row["column"]) for row in rows if row["id"] == name]
        assert places == [(digit.row, digit.column) for digit in page.digits]


def test_pages_of_a_tiff_are_numbered(prepared):
    """The pages of one file have its name and their numbers."""
    few = {"rows": 2, "columns": 4, "layout": "unlined"}
    _, rows = prepared({"scan.tif": tiff(sheet(3, **few).picture, sheet(4, **few).picture)})
    assert [row["page"] for row in rows] == [1] * 8 + [2] * 8


def test_a_page_without_digits_is_rejected_by_its_number(prepared, tmp_path):
    """What is on the other pages is kept, where so many rejects are allowed."""
    few = {"rows": 2, "columns": 4, "layout": "unlined"}
    pages = tiff(sheet(3, **few).picture, sheet(4, count=0, **few).picture, sheet(5, **few).picture)
    result, rows = prepared({"scan.tif": pages}, max_rejects="50%")
    assert {row["page"] for row in rows} == {1, 3}
    assert (result.counts.pictures, result.counts.rejected) == (3, 1)
    rejects = (tmp_path / "out/digits.parquet.rejects.jsonl").read_text()
    assert "scan.tif page 2 shows no digits" in rejects


def test_bad_pages_are_named(prepared):
    """A file that is no picture, and too many rejects."""
    with pytest.raises(TooManyRejects, match=r"bad\.jpg is not a picture"):
        prepared({"a.jpg": sheet(1, rows=2, columns=4).content, "bad.jpg": b"nothing"})


def test_no_digits_at_all_is_an_error(prepared):
    """An output without rows would look like a success."""
    with pytest.raises(DataError, match="no picture shows a digit"):
        prepared({"a.jpg": sheet(count=0, layout="unlined").content}, max_rejects="100%")


def test_boxes_are_those_of_the_upright_page():
    """A photo that EXIF data say to turn has the boxes of the page as viewers show it."""
    page = sheet(6, rows=3, columns=5, layout="lined", size=(1000, 700))
    file = io.BytesIO()
    lying = page.picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(file, "JPEG", quality=95, exif=exif)
    found = SheetDigits().find(decode(file.getvalue()))
    boxes = compared(page.digits, found.digits)
    assert not boxes.missed
    assert not boxes.invented


def test_a_large_page_is_reduced_and_its_boxes_are_not():
    """Of a page of 45 megapixels, decoded to a half, boxes are in pixels of the file."""
    page = sheet(7, rows=2, columns=3, layout="lined")
    large = page.picture.convert("L").resize((5600, 8000), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    large.save(file, "JPEG")
    finder = SheetDigits()
    picture = decode(file.getvalue(), min_side=finder.min_side)
    assert max(picture.grey.shape) <= 5000
    found = finder.find(picture).digits
    assert len(found) == 6
    expected = np.array([digit.box for digit in page.digits]) * 8
    assert np.abs(np.array([digit.box for digit in found]) - expected).max() < 40


def test_doubts_are_logged_and_shown(prepared, caplog):
    """Digits that overlap give a warning with the page's name."""
    page = sheet(8, layout="unlined", cell=0.45, rows=1, columns=8, jitter=0.02, thickness=0.5)
    with caplog.at_level(logging.WARNING):
        result, _ = prepared({"crowded.jpg": page.content})
    assert any("crowded.jpg" in record.getMessage() for record in caplog.records)
    assert "crowded.jpg" in Path(result.page).read_text()
