"""Folders of pictures through the commands: score, inspect, show, prepare."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.command import invoke
from support.documented_events import assert_documented
from support.log_lines import log_lines
from support.pictures import encoded, png
from support.runs import score, stable_files


def _picture(number):
    """A bar on paper, whose place depends on the number."""
    grey = np.full((70, 50), 210, np.uint8)
    grey[12:58, 10 + number % 20 : 16 + number % 20] = 30
    return encoded(grey, ("PNG", "JPEG", "BMP")[number % 3])


@pytest.fixture
def scans(tmp_path):
    """Thirty pictures in folders called 0 to 9, and a damaged one."""
    for number in range(30):
        path = tmp_path / f"scans/{number % 10}/{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_picture(number))
    (tmp_path / "scans/7/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return tmp_path / "scans"


def _rows(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_predictions_carry_the_names_of_the_pictures(scans, model, tmp_path):
    """In one file for the folder; a damaged picture has its row, and is named in the rejects."""
    where = ["--input", scans, "--output", tmp_path / "out", "--model", model]
    result = invoke("score", *where, "--max-rejects", "1", "--log-format", "json")
    assert result.returncode == 0, result.stderr
    rows = _rows(tmp_path / "out/predictions/scans.csv")
    names = sorted(str(path.relative_to(scans)) for path in scans.rglob("*.*"))
    assert [row["id"] for row in rows] == names
    assert [row["label"] for row in rows] == [name[0] for name in names]
    [reject] = (tmp_path / "out/rejects/scans.jsonl").read_text().splitlines()
    assert json.loads(reject)["detail"].startswith("7/broken.jpg is a damaged JPEG")
    assert [row["id"] for row in rows if row["reject"]] == ["7/broken.jpg"]
    assert invoke("score", *where).returncode == 65


def test_the_same_results_in_parts_in_shards_and_by_prepare(scans, model, tmp_path):
    """However the pictures are divided, and whether or not a file is made of them first."""
    score(scans, tmp_path / "one", model)
    expected = _rows(tmp_path / "one/predictions/scans.csv")
    score(scans, tmp_path / "parts", model, part_bytes=200_000, threads=4)
    assert _rows(tmp_path / "parts/predictions/scans.csv") == expected
    for index in ("0", "1", "2"):
        shard = ["--part-bytes", "200000", "--shard-count", "3", "--shard-index", index, "--max-rejects", "1"]
        result = invoke("score", "-i", scans, "-o", tmp_path / "shards", "-m", model, *shard)
        assert result.returncode == 0, result.stderr
    assert _rows(tmp_path / "shards/predictions/scans.csv") == expected
    result = invoke("prepare", scans, "-o", tmp_path / "d.parquet", "--max-rejects", "1", "--log-format", "json")
    assert result.returncode == 0, result.stderr
    assert_documented(log_lines(result.stderr), "prepare")
    result = invoke("score", tmp_path / "d.parquet", "-o", tmp_path / "p", "-m", model, "--keep", "id", "-f", "csv")
    assert result.returncode == 0, result.stderr
    assert _rows(tmp_path / "p/predictions/d.parquet.csv") == [row for row in expected if not row["reject"]]


def test_a_changed_picture_is_another_run(scans, model, tmp_path):
    """A finished run over the same pictures is done; after a change, it is refused without --overwrite."""
    where = ["--input", scans, "--output", tmp_path / "out", "--model", model, "--max-rejects", "1"]
    assert invoke("score", *where).returncode == 0
    before = stable_files(tmp_path / "out")
    assert invoke("score", *where).returncode == 0
    assert stable_files(tmp_path / "out") == before
    os.utime(scans / "3/03.png", ns=(5, 5))
    assert invoke("score", *where).returncode == 73
    assert invoke("score", *where, "--overwrite").returncode == 0


def test_only_folders_that_are_new(scans, model, tmp_path):
    """--skip-done knows a folder of pictures by all of them."""
    arguments = ["--model", model, "--max-rejects", "1", "--skip-done", tmp_path / "out"]
    assert invoke("score", "-i", scans, "-o", tmp_path / "out/1", *arguments).returncode == 0
    assert invoke("score", "-i", scans, "-o", tmp_path / "out/2", *arguments).returncode == 0
    assert not (tmp_path / "out/2").exists()
    (scans / "9/new.png").write_bytes(_picture(9))
    assert invoke("score", "-i", scans, "-o", tmp_path / "out/3", *arguments).returncode == 0
    assert len(_rows(tmp_path / "out/3/predictions/scans.csv")) == 32


def test_exported_digits_are_scored_as_they_are(model, tmp_path, digits):
    """Pictures of 28x28 have the predictions of the file that they were made of."""
    (tmp_path / "mnist").mkdir()
    for row, pixels in enumerate(digits.pixels):
        (tmp_path / f"mnist/{row:04}.png").write_bytes(png(pixels))
    np.save(tmp_path / "images.npy", digits.pixels.reshape(-1, 28, 28))
    score([tmp_path / "mnist", tmp_path / "images.npy"], tmp_path / "out", model)
    pictures, array = (_rows(tmp_path / f"out/predictions/{name}.csv") for name in ("mnist", "images.npy"))
    assert [row["prediction"] for row in pictures] == [row["prediction"] for row in array]
    assert [row["confidence"] for row in pictures] == [row["confidence"] for row in array]


def test_inspect_and_show(scans, model):
    """Say how the folder is read, and show one of its pictures."""
    result = invoke("inspect", scans)
    assert result.returncode == 0, result.stderr
    assert "31 pictures of any size, brought to MNIST's form + id (the file name) + label" in result.stdout
    assert "warning: 1 of the first 31 records would be rejected" in result.stdout
    result = invoke("show", scans, "--row", "0", "--model", model)
    assert result.returncode == 0, result.stderr
    assert "label       0" in result.stdout


def test_prepare_ends_as_score_does(scans, tmp_path):
    """With 65 where too many pictures are bad, 66 where there is none, 73 where something else is there."""
    output = ["-o", tmp_path / "d.parquet"]
    assert invoke("prepare", scans, *output).returncode == 65
    assert not (tmp_path / "d.parquet").exists()
    assert invoke("prepare", tmp_path / "nothing", *output).returncode == 66
    assert invoke("prepare", scans, "-o", tmp_path / "d.png").returncode == 2
    assert invoke("prepare", scans, *output, "--max-rejects", "5%").returncode == 0
    assert pq.read_metadata(tmp_path / "d.parquet").num_rows == 30
    assert invoke("prepare", scans / "3", *output).returncode == 73
    assert invoke("prepare", tmp_path / "d.parquet", "-o", tmp_path / "e.parquet").returncode == 65


def test_results_inside_the_folder_of_pictures(scans, model, tmp_path):
    """Are no input: neither the predictions, which are data, nor the pictures that a run draws for review."""
    (scans / "7/broken.jpg").unlink()
    where = ["--input", scans, "--output", scans / "out", "--model", model, "--review-pictures", "folders"]
    for _ in range(2):
        result = invoke("score", *where)
        assert result.returncode == 0, result.stderr
    assert list((scans / "out/review").rglob("*.png"))
    assert len(_rows(scans / "out/predictions/scans.csv")) == 30
    assert invoke("prepare", scans, "-o", tmp_path / "d.parquet").returncode == 0
    assert pq.read_metadata(tmp_path / "d.parquet").num_rows == 30
