"""Model folders are put into place whole, in ordinary folders and in mounted volumes, and replace nothing else."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from support.files import write_csv
from support.models import write_model
from support.neighbours import only_as_root

from job.errors import ModelInvalid, OutputOccupied, StorageError
from job.model.bundle import mark, open_bundle
from job.storage import LocalStorage
from job.storage.filesystem import LocalFileSystem
from job.train.phases import Phases
from job.train.place import beside, commit_model, place_for, refuse_occupied, staged_folder
from job.train.train_settings import DataSettings, TrainSettings
from job.train.training import train


class Mounted(LocalStorage):
    """Takes one folder for a mount point; moving the `at`th file into it fails."""

    def __init__(self, folder, at=0):
        super().__init__(_CountsRenames(str(folder), at))
        self._folder = str(folder)

    def is_mount(self, path):
        return path == self._folder


class _CountsRenames(LocalFileSystem):
    def __init__(self, folder, at):
        self._folder, self._left = folder, at

    def rename(self, source, target):
        if os.path.dirname(target) == self._folder and not target.endswith(".checkpoint"):
            self._left -= 1
            if self._left == 0:
                raise OSError(errno.EIO, "no")
        super().rename(source, target)


@pytest.fixture
def volume(tmp_path):
    """A folder with an older model, for `Mounted`."""
    return write_model(tmp_path / "models/mine")


def _commit(storage, new, target):
    """Stage a copy of a model folder for a target, and put it into place."""
    refuse_occupied(storage, str(target))
    with staged_folder(storage, str(target)) as staging:
        shutil.copytree(new, staging)
        commit_model(storage, staging, str(target))


def _occupied_by_a_file(folder):
    folder.write_text("a file")


def _occupied_by_files(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")


def _occupied_by_files_beside_a_model(folder):
    write_model(folder)
    (folder / "thesis.tex").write_text("precious")


def _occupied_by_another_kind_of_model(folder):
    folder.mkdir()
    (folder / "model.json").write_text("{}")


@pytest.mark.parametrize(
    "occupy",
    [
        _occupied_by_a_file,
        _occupied_by_files,
        _occupied_by_files_beside_a_model,
        _occupied_by_another_kind_of_model,
    ],
)
def test_only_model_folders_are_replaced(storage, tmp_path, occupy):
    """A training refuses anything else before any work: the data is not even looked for."""
    target = tmp_path / "target"
    occupy(target)
    before = {path: path.read_bytes() for path in [target, *target.rglob("*")] if path.is_file()}
    settings = TrainSettings(DataSettings((str(tmp_path / "no data"),)), str(target))
    with pytest.raises(OutputOccupied, match="expected a model folder"):
        train(settings, storage, mnist_dir=None, on_text=lambda _: None, phases=Phases())
    assert {path: path.read_bytes() for path in before} == before


@only_as_root
def test_a_device_is_refused(storage, tmp_path):
    """Before any work: the folder would take its place."""
    os.mknod(tmp_path / "null", 0o666 | 0o020000, os.makedev(1, 3))
    with pytest.raises(
        OutputOccupied, match="null: is a pipe or a device, expected a new path; choose another --model"
    ):
        refuse_occupied(storage, str(tmp_path / "null"))


def test_absent_and_empty_folders_and_model_folders_are_free(storage, tmp_path, trained):
    """A model folder with all of its files, too."""
    (tmp_path / "empty").mkdir()
    shutil.copytree(trained.result.path, tmp_path / "model")
    for name in ("absent", "empty", "model"):
        refuse_occupied(storage, str(tmp_path / name))


def test_a_staging_folder_is_deleted_if_the_work_fails(storage, tmp_path):
    """Whatever ends it, a signal included; it lies hidden beside the target."""
    paths = []

    def work():
        with staged_folder(storage, str(tmp_path / "model")) as staging:
            paths.append(Path(staging))
            paths[0].mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert paths[0].parent == tmp_path
    assert paths[0].name.startswith(".model.")
    assert not list(tmp_path.iterdir())


def test_a_hidden_path_is_on_the_file_system_of_its_target(storage, tmp_path):
    """Beside it, or inside it if it is a mount point."""
    target = str(tmp_path / "model")
    assert beside(storage, target, "tmp") == str(tmp_path / ".model.tmp")
    assert beside(Mounted(target), target, "tmp") == str(tmp_path / "model/.model.tmp")


def test_a_model_that_failed_its_gate_replaces_only_its_like(storage, volume):
    """It goes beside a blessed one, in a volume hidden inside."""
    target = str(volume)
    assert place_for(storage, target, passed=True) == target
    assert place_for(storage, target, passed=False) == f"{target}.not_blessed"
    assert place_for(Mounted(volume), target, passed=False) == f"{target}/.mine.not_blessed"
    mark(storage, target, ["it is bad"])
    assert place_for(storage, target, passed=False) == target


@pytest.mark.usefixtures("no_fit")
def test_a_model_is_trained_into_a_mounted_volume(volume, balanced, tmp_path):
    """A volume cannot be renamed over or beside: everything happens inside, and no older file stays."""
    (volume / "lost+found").mkdir()
    (volume / "NOT_BLESSED").write_text("of the older model")
    source = str(write_csv(tmp_path / "train.csv", balanced))
    settings = TrainSettings(DataSettings((source,)), str(volume), epochs=1, is_overwriting=True)
    train(settings, Mounted(volume), mnist_dir=None, on_text=lambda _: None, phases=Phases())
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
    assert not [path.name for path in volume.iterdir() if path.name.startswith(".")]
    assert not (volume / "NOT_BLESSED").exists()
    assert open_bundle(LocalStorage(), str(volume)).name == "dense-accurate"


def test_a_volume_that_fails_holds_no_mixture(volume, trained):
    """Whichever file cannot be moved: the volume holds one model or is refused, and the next training repairs it."""
    for at in range(1, 30):
        shutil.rmtree(volume)
        write_model(volume)
        try:
            _commit(Mounted(volume, at), trained.result.path, volume)
        except StorageError:
            _check_whole_or_refused(volume)
            _commit(Mounted(volume), trained.result.path, volume)
            assert open_bundle(LocalStorage(), str(volume)).name == "dense-accurate"
        else:
            break
    assert 5 < at < 29


def _check_whole_or_refused(volume):
    try:
        name = open_bundle(LocalStorage(), str(volume)).name
    except ModelInvalid:
        return
    assert name in {"linear-0", "dense-accurate"}


def test_a_volume_keeps_its_model_if_the_swap_fails(volume, trained):
    """At whichever file, and without strays such as the new model's NOT_BLESSED."""
    before = {path.name: path.read_bytes() for path in volume.iterdir()}
    for at in range(1, 30):
        try:
            _commit(Mounted(volume, at), trained.result.path, volume)
        except StorageError:
            assert {path.name: path.read_bytes() for path in volume.iterdir()} == before
        else:
            break
    assert 5 < at < 29


@pytest.mark.usefixtures("no_fit")
def test_a_model_set_aside_by_an_interrupted_training_is_restored_first(storage, volume, balanced, tmp_path, caplog):
    """Before the gate asks what is in its place: a new model that falls short does not take it."""
    os.rename(volume, volume.with_name(f".mine.{'0' * 32}.old"))
    with pytest.raises(ModelInvalid, match=r"has no model\.json; a training that was interrupted left it as .*\.old; "):
        open_bundle(storage, str(volume))
    source = str(write_csv(tmp_path / "train.csv", balanced))
    settings = TrainSettings(DataSettings((source,)), str(volume), epochs=1, min_accuracy=1.0, is_overwriting=True)
    result = train(settings, storage, mnist_dir=None, on_text=lambda _: None, phases=Phases())
    assert result.path == f"{volume}.not_blessed"
    assert open_bundle(storage, str(volume)).name == "linear-0"
    assert "restored; a run that was replacing it had been interrupted" in caplog.text


def test_a_volume_that_holds_something_else_is_refused(volume):
    """As any folder."""
    (volume / "thesis.tex").write_text("")
    with pytest.raises(OutputOccupied, match=r"thesis\.tex"):
        refuse_occupied(Mounted(volume), str(volume))


@pytest.mark.usefixtures("no_fit")
def test_a_model_that_fails_its_gate_lies_hidden_in_a_volume(volume, balanced, tmp_path):
    """The blessed one stays in use, and the result says where the new one is."""
    source = str(write_csv(tmp_path / "train.csv", balanced))
    settings = TrainSettings(DataSettings((source,)), str(volume), epochs=1, min_accuracy=1.0, is_overwriting=True)
    result = train(settings, Mounted(volume), mnist_dir=None, on_text=lambda _: None, phases=Phases())
    assert result.path == str(volume / ".mine.not_blessed")
    assert open_bundle(LocalStorage(), str(volume)).name == "linear-0"
