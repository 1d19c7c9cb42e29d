"""Data and disks that training cannot use: one clear message, the right exit code, and no files left behind."""

import errno
import json
import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import start
from support.faulty_file_system import FaultyFileSystem, with_error
from support.files import Digits, write_csv, write_idx, write_parquet
from support.models import write_model

from job.errors import DigitJobError, ResourceExhausted
from job.storage import LocalStorage
from job.train import training as run
from job.train.phases import Phases
from job.train.train_settings import DataSettings, TrainSettings


def _train(settings, storage):
    return run.train(settings, storage, mnist_dir=None, on_text=lambda _text: None, phases=Phases())


def _relabelled(digits, label):
    return Digits(digits.pixels, np.where(np.arange(len(digits)) == 50, label, digits.labels).astype(np.int8))


def _idx(folder, digits, side=28, cut=0):
    """A folder of MNIST's files whose headers declare images of side x side, less the last `cut` bytes."""
    for prefix in ("train", "t10k"):
        images = write_idx(folder, digits, prefix=prefix)
        content = images.read_bytes()
        images.write_bytes(struct.pack(">IIII", 0x803, len(digits), side, side) + content[16 : len(content) - cut])
    return folder


def _parquet_with_nan(folder, digits):
    path = write_parquet(folder / "train.parquet", digits)
    table = pq.read_table(path)
    column = pa.array(np.where(np.arange(len(digits)) == 7, np.nan, 0.0))
    index = table.column_names.index("pixel3")
    pq.write_table(table.set_column(index, "pixel3", column), path)
    return path


def _csv(folder, digits):
    return write_csv(folder / "train.csv", digits)


CASES = {
    "a label of 10, IDX": (
        lambda folder, digits: _idx(folder, _relabelled(digits, 10)), r"row 50 .*label is 10, expected 0-9",
    ),
    "a label of 12, Parquet": (
        lambda folder, digits: write_parquet(folder / "train.parquet", _relabelled(digits, 12)), r"label is '?12'?",
    ),
    "a label of -3, CSV": (lambda folder, digits: _csv(folder, _relabelled(digits, -3)), r"line 52 .*label is '-3'"),
    "no sevens, IDX": (
        lambda folder, digits: _idx(folder, digits[digits.labels != 7]), r"holds 0 images of the digit 7, expected",
    ),
    "one seven, CSV": (
        lambda folder, digits: _csv(folder, digits[(digits.labels != 7) | (np.arange(len(digits)) == 7)]),
        r"holds 1 images of the digit 7, expected at least 5",
    ),
    "27x27, IDX": (lambda folder, digits: _idx(folder, digits, side=27), r"27 ?x ?27"),
    "cut off, IDX": (lambda folder, digits: _idx(folder, digits, cut=100), r"images-idx3-ubyte"),
    "NaN, Parquet": (_parquet_with_nan, r"pixel3"),
    "no images, CSV": (lambda folder, digits: _csv(folder, digits[:0]), r"train\.csv"),
    "no images, Parquet": (
        lambda folder, digits: write_parquet(folder / "train.parquet", digits[:0]), r"train\.parquet",
    ),
    "no images, IDX": (lambda folder, digits: _idx(folder, digits[:0]), r"holds no images"),
}  # fmt: skip


@pytest.mark.parametrize(("write", "message"), CASES.values(), ids=CASES.keys())
def test_data_that_cannot_be_used_is_refused(storage, tmp_path, balanced, write, message):
    """The message says what is wrong and where; exit code 65; neither a model folder nor a checkpoint is created."""
    (tmp_path / "data").mkdir()
    source = write(tmp_path / "data", balanced)
    with pytest.raises(DigitJobError, match=message) as error:
        _train(TrainSettings(DataSettings((str(source),)), str(tmp_path / "model")), storage)
    assert error.value.exit_code == 65
    assert "\n" not in str(error.value)
    assert str(tmp_path / "data") in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def settings(tmp_path, balanced):
    """Two hundred images, one short epoch, and an older model in the target."""
    (tmp_path / "models").mkdir()
    write_model(tmp_path / "models/mine")
    source = write_csv(tmp_path / "train.csv", balanced)
    return TrainSettings(
        DataSettings((str(source),)),
        str(tmp_path / "models/mine"),
        epochs=1,
        is_augmented=False,
        hidden=(8,),
        is_overwriting=True,
    )


def test_a_temporary_folder_that_is_full(small_disk, balanced, tmp_path):
    """Refused before Keras starts a file that it cannot finish, which would crash the process at exit."""
    place, resize = small_disk
    resize(100)  # Python skips a folder with no room at all
    source = write_csv(tmp_path / "train.csv", balanced)
    command = ["train", "--data", source, "--model", tmp_path / "model", "--epochs", 1, "--hidden", 8, "--no-augment"]
    process = start(*command, TMPDIR=str(place))
    _, stderr = process.communicate()
    *_, error = map(json.loads, stderr.splitlines())
    assert (process.returncode, error["level"]) == (75, "error"), stderr
    assert error["message"].startswith(f"{place}/digit-job-")
    assert "No space left on device: " in error["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "train.csv"]


def _full_disk(at):
    return FaultyFileSystem(with_error(errno.ENOSPC), at, only="write")


def test_a_disk_that_is_full_before_the_first_checkpoint_leaves_the_old_model(settings, tmp_path):
    """Nothing is left beside it, and the exit code says that a retry can help."""
    system = _full_disk(1)
    with pytest.raises(ResourceExhausted, match=r"mine\.checkpoint: No space left on device; free some") as error:
        _train(settings, LocalStorage(system))
    assert (system.was_struck, error.value.exit_code) == (True, 75)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


def test_a_disk_that_is_full_while_the_model_is_saved_keeps_the_checkpoint(settings, tmp_path, monkeypatch):
    """The old model stays; once there is room, `--resume` saves the trained one without training again."""
    system = _full_disk(2)
    with pytest.raises(ResourceExhausted, match="No space left on device") as error:
        _train(settings, LocalStorage(system))
    assert (system.was_struck, error.value.exit_code) == (True, 75)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [".mine.checkpoint", "mine"]
    fits, true_fit = [], run.fit

    def fit(*arguments, **named):
        fits.append(true_fit(*arguments, **named))
        return fits[0]

    monkeypatch.setattr(run, "fit", fit)
    result = _train(replace(settings, is_resuming=True), LocalStorage())
    assert int(fits[0].model.optimizer.iterations) == 2
    assert [epoch["epoch"] for epoch in result.card["history"]] == [1]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
