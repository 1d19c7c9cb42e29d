"""The checkpoint file, which belongs to one run, and history.csv."""

import csv
import io
import os
import zipfile
from dataclasses import astuple

import pytest
from support.neighbours import OTHER_USER, only_as_root

from job.errors import DataError, ModelInvalid, OutputOccupied, StorageError
from job.train.fit.checkpoint import Checkpoint, Epoch, TrainingState, differences, history_csv

RUN = {"epochs": 4, "hidden": (16, 8), "data": "digits"}
FILES = {"latest.weights.h5": b"precious", "training_metadata.json": b"{}", "random.npz": b""}
EPOCHS = tuple(Epoch(number, 1 / number, 0.5, 2 / number, 0.25, 0.001, 1.5) for number in (1, 2))


@pytest.fixture
def checkpoint(storage, tmp_path):
    return Checkpoint(storage, str(tmp_path / "model"), RUN)


def test_a_state_is_loaded_as_it_was_saved(checkpoint, tmp_path):
    """From one hidden file beside the model folder; the last saved state counts."""
    assert not checkpoint.exists
    assert checkpoint.load() is None
    for count in (1, 2):
        checkpoint.save(TrainingState(EPOCHS[:count], {**FILES, "random.npz": bytes([count])}))
    assert checkpoint.load() == TrainingState(EPOCHS, {**FILES, "random.npz": b"\2"})
    assert [path.name for path in tmp_path.iterdir()] == [".model.checkpoint"]
    checkpoint.remove()
    assert not checkpoint.exists


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 5}, r"\(epochs: 4 then, 5 now\); repeat .* settings, or train without --resume to start over"),
        ({"hidden": (16,)}, r"\(hidden: \[16, 8\] then, \[16\] now\)"),
        ({"epochs": 5, "data": "mnist"}, r"\(epochs: 4 then, 5 now; data: digits then, mnist now\)"),
        ({"dropout": 0.1}, r"\(dropout: None then, 0\.1 now\)"),
    ],
)
def test_the_state_of_another_run_is_refused(storage, tmp_path, checkpoint, change, message):
    """The error names the differences, and the state stays."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    with pytest.raises(OutputOccupied, match=r"\.model\.checkpoint: belongs to another training run " + message):
        Checkpoint(storage, str(tmp_path / "model"), {**RUN, **change}).load()
    assert checkpoint.load() is not None


def test_equal_runs_have_no_differences():
    """Whatever the order of their settings."""
    assert differences({"a": 1, "b": None}, {"b": None, "a": 1}) == ""


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-30])


def _flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"precious")] ^= 1
    path.write_bytes(content)


def _omit_the_run(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("history.json", "[]")


def _write_another_history(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run.json", "{}")
        archive.writestr("history.json", '[{"epoch": 1}]')


def _rewrite(path, method=zipfile.ZIP_STORED, **changes):
    """Write a checkpoint again, compressed by a method, with other or more members, or without those of value None."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def _omit_the_weights(path):
    _rewrite(path, **{"latest.weights.h5": None})


def _compress(path):
    _rewrite(path, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    "damage", [_truncate, _flip_a_bit, _omit_the_run, _write_another_history, _omit_the_weights, _compress]
)
def test_a_damaged_state_is_refused(checkpoint, tmp_path, damage):
    """The error says how to start over."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    damage(tmp_path / ".model.checkpoint")
    with pytest.raises(ModelInvalid, match=r"checkpoint: is damaged \(.*train without --resume to start over"):
        checkpoint.load()


def test_only_the_files_of_a_state_are_read(checkpoint, tmp_path):
    """Other members, such as those with the path of another file, are not."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    more = {"/etc/passwd": b"x", "../../planted": b"x", "latest.weights.h5.bkp": b"x", str(tmp_path / "planted"): b"x"}
    _rewrite(tmp_path / ".model.checkpoint", **more)
    assert checkpoint.load() == TrainingState(EPOCHS, FILES)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_nobody_else_may_read_a_state(checkpoint, tmp_path, umask):
    """Whatever the umask."""
    before = os.umask(umask)
    try:
        checkpoint.save(TrainingState(EPOCHS, FILES))
    finally:
        os.umask(before)
    assert (tmp_path / ".model.checkpoint").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_state_that_others_can_write_is_refused(checkpoint, tmp_path, mode):
    """The error says so, and the state stays."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    (tmp_path / ".model.checkpoint").chmod(mode)
    with pytest.raises(ModelInvalid, match=rf"can be written by other users \(mode 0{mode:o}\).* without --resume"):
        checkpoint.load()
    assert checkpoint.exists


def test_a_state_behind_a_link_is_refused(checkpoint, tmp_path):
    """Who made the link is not known."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    (tmp_path / ".model.checkpoint").rename(tmp_path / "elsewhere")
    (tmp_path / ".model.checkpoint").symlink_to("elsewhere")
    with pytest.raises(ModelInvalid, match="is a link, expected a file; train without --resume"):
        checkpoint.load()


def test_a_state_of_unbelievable_size_is_not_read(checkpoint, tmp_path):
    """It would fill the memory."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    os.truncate(tmp_path / ".model.checkpoint", 1 << 40)
    with pytest.raises(ModelInvalid, match=r"has 1,099,511,627,776 bytes, expected at most"):
        checkpoint.load()


@only_as_root
def test_the_state_of_another_user_is_refused(checkpoint, tmp_path):
    """Also by root, whom it would harm most."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    os.chown(tmp_path / ".model.checkpoint", OTHER_USER, -1)
    with pytest.raises(ModelInvalid, match=f"belongs to user {OTHER_USER}, who may have changed it; train without"):
        checkpoint.load()


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [(None, False), (ModelInvalid("no"), False), (DataError("no"), False), (StorageError("no"), True),
     (KeyboardInterrupt(), True), (RuntimeError("a defect"), True)],
)  # fmt: skip
def test_a_state_is_kept_only_while_resuming_can_help(checkpoint, error, is_kept):
    """A run that succeeded, or that would fail again, deletes it."""
    checkpoint.save(TrainingState(EPOCHS, FILES))
    if error is None:
        with checkpoint.removed_when_done():
            pass
    else:
        with pytest.raises(type(error)), checkpoint.removed_when_done():
            raise error
    assert checkpoint.exists == is_kept


def test_history_csv_has_a_line_for_each_epoch():
    """Below a header; numbers are read back to the last bit."""
    history = [Epoch(number, 1 / number, 1 - 0.1 / number, 2 / number, 1.0, 0.001, 0.25) for number in range(1, 6)]
    lines = list(csv.DictReader(io.StringIO(history_csv(history).decode())))
    read = [[float(value) for value in line.values()] for line in lines]
    assert read == [list(astuple(epoch)) for epoch in history]
    header = b"epoch,loss,accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n"
    assert history_csv(history).startswith(header + b"1,1.0,")
