"""Digits that a model misreads, corrected by people, make the next model better: score, correct, train again."""

import csv
import json

import numpy as np
import pytest
from support.command import digit_job, invoke
from support.files import write_csv

from job.train.data.optdigits import optdigits
from job.train.data.split import Split

# Keras reads TensorFlow's variables in a way that NumPy 2 deprecates; only Keras can fix that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

# MNIST's form would centre the digits, which are to be unlike those that were trained on.
AS_STORED = ["--normalize", "none"]


def moved(images):
    """Digits six pixels to the right: a camera that is not straight."""
    pixels = images.pixels.reshape(-1, 28, 28)
    return Split(np.roll(pixels, 6, axis=2).reshape(-1, 784), images.labels)


def accuracy(path, model, output):
    result = invoke("score", "--input", path, "--output", output, "--model", model, *AS_STORED)
    assert result.returncode == 0, result.stderr
    return json.loads((output / "report.json").read_text())["accuracy"]


def test_corrected_rows_raise_the_accuracy(tmp_path):
    """On digits of the same kind that nobody has labelled; the card says what was added."""
    train = ["train", "--data", "digits", "--recipe", "baseline", "--epochs", "8", *AS_STORED]
    assert digit_job(*train, "--model", tmp_path / "first").returncode == 0
    digits = moved(optdigits().images)
    pool, others = digits.rows(np.arange(0, 600)), digits.rows(np.arange(600, 1200))
    write_csv(tmp_path / "pool.csv", pool, has_labels=False)
    write_csv(tmp_path / "others.csv", others)
    run = ["score", "--input", tmp_path / "pool.csv", "--output", tmp_path / "out", "--model", tmp_path / "first"]
    assert invoke(*run, *AS_STORED, "--review-rows", "100").returncode == 0
    review = tmp_path / "out/review/review.csv"
    with review.open(newline="") as file:
        header, *rows = csv.reader(file)
    label, row = header.index("label"), header.index("row")
    for each in rows[:90]:
        each[label] = str(pool.labels[int(each[row])])
    with review.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    result = digit_job(*train, "--model", tmp_path / "second", "--add", review)
    assert result.returncode == 0, result.stderr
    added = json.loads((tmp_path / "second/model.json").read_text())["data"]["added"]
    assert (added["images"], added["weight"], added["left_out"], added["relabelled"]) == (90, 10, 0, 0)
    assert [(each["source"], each["unlabelled"]) for each in added["sources"]] == [(str(review), 10)]
    before, after = (
        accuracy(tmp_path / "others.csv", tmp_path / name, tmp_path / f"of {name}") for name in ("first", "second")
    )
    assert before < 0.6
    assert after > before + 0.2
    assert f"--add {review} --add-weight 10" in (tmp_path / "second/report.html").read_text()
    assert "| added for training | 90, each 10 times, from " in (tmp_path / "second/MODEL.md").read_text()
