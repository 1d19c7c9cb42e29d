"""Whatever interrupts the replacement of a folder, and however: none is lost, and the next run goes on."""

import errno
import itertools
import os
import shutil
import subprocess
import sys
import textwrap
import time

import pytest
from support.faulty_file_system import Dead, FaultyFileSystem, die, with_error
from support.neighbours import OTHER_USER, only_as_root

from job.errors import StorageError
from job.storage import LocalStorage
from job.storage import local as module
from job.storage.filesystem import LocalFileSystem

OLD = {"card": b"old", "a": b"old", "gone": b"old"}
NEW = {"card": b"new", "a": b"new", "added": b"new"}
NAMES = {*OLD, *NEW}
DAY = 24 * 60 * 60
CODE = "0123456789abcdef" * 2


class WithoutExchange(FaultyFileSystem):
    """A file system that cannot exchange two names, such as NFS and macOS's."""

    def exchange(self, _one, _other):
        return False


class SignalAfterRename(WithoutExchange):
    """Raises right after a rename has happened, before the next line runs."""

    def rename(self, source, target):
        LocalFileSystem.rename(self, source, target)
        self.count("rename", target)


def interrupt():
    """A fault: a signal's exception."""
    raise KeyboardInterrupt


def _write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


class ByFolder:
    """A folder that is replaced as one."""

    @staticmethod
    def stage(folder):
        return _write(folder / ".model.1.tmp", NEW)

    @staticmethod
    def commit(storage, staging, folder):
        storage.commit_folder(staging, str(folder / "model"))

    @staticmethod
    def recover(storage, folder):
        return storage.recover_folder(str(folder / "model"))


class ByFile:
    """A mounted volume, whose files are replaced."""

    @staticmethod
    def stage(folder):
        return _write(folder / "model/.model.1.tmp", NEW)

    @staticmethod
    def commit(storage, staging, folder):
        storage.commit_files(staging, str(folder / "model"), last="card", names=NAMES)

    @staticmethod
    def recover(storage, folder):
        return storage.recover_files(str(folder / "model"), last="card", names=NAMES)


def _attempts(tmp_path, way, system_of):
    """The folder and system of commits that are struck at their 1st, 2nd, ... operation, until one is not."""
    for at in itertools.count(1):
        folder = tmp_path / f"{at}"
        _write(folder / "model", OLD)
        system = system_of(at)
        try:
            way.commit(LocalStorage(system), way.stage(folder), folder)
        except (StorageError, KeyboardInterrupt, Dead):
            assert system.was_struck
        yield folder, system
        if not system.was_struck:
            assert at > 5
            return


@pytest.mark.parametrize("way", [ByFolder, ByFile])
@pytest.mark.parametrize(
    "system_of",
    [
        lambda at: WithoutExchange(with_error(), at),
        lambda at: WithoutExchange(interrupt, at),
        lambda at: WithoutExchange(die, at),
        lambda at: SignalAfterRename(interrupt, at),
        lambda at: SignalAfterRename(die, at),
        lambda at: FaultyFileSystem(interrupt, at),
    ],
    ids=["error", "signal", "death", "signal after rename", "death after rename", "signal, with exchange"],
)
def test_whatever_interrupts_a_swap_the_next_run_goes_on(tmp_path, way, system_of):
    """An error or signal leaves the old or the new folder in its place; after a death, recovering does."""
    for folder, system in _attempts(tmp_path, way, system_of):
        if system._fault is not die:
            assert _content(folder / "model") in (OLD, NEW)
        storage = LocalStorage(WithoutExchange())
        way.recover(storage, folder)
        assert _content(folder / "model") in (OLD, NEW)
        assert not way.recover(storage, folder)
        shutil.rmtree(folder / "model/.model.1.tmp", ignore_errors=True)
        shutil.rmtree(folder / ".model.1.tmp", ignore_errors=True)
        way.commit(storage, way.stage(folder), folder)
        assert _content(folder / "model") == NEW


@pytest.mark.parametrize("way", [ByFolder, ByFile])
def test_an_interrupted_recovery_is_repeated(tmp_path, way):
    """A second death in the middle of it loses nothing, either."""
    for folder, _ in _attempts(tmp_path, way, lambda at: WithoutExchange(die, at)):
        for at in itertools.count(1):
            again = folder / f"{at}"
            shutil.copytree(folder / "model", again / "model") if (folder / "model").exists() else again.mkdir()
            for path in folder.glob(".model.*"):
                shutil.copytree(path, again / path.name)
            system = WithoutExchange(die, at)
            try:
                way.recover(LocalStorage(system), again)
            except Dead:
                way.recover(LocalStorage(), again)
            assert _content(again / "model") in (OLD, NEW)
            if not system.was_struck:
                break


def test_a_process_that_is_killed_in_a_swap(tmp_path):
    """By the operating system, right after each rename, in a process of its own."""
    script = f"""
        import os, sys
        sys.path.insert(0, {os.path.dirname(os.path.dirname(os.path.dirname(module.__file__)))!r})
        from job.storage import LocalStorage
        from job.storage.filesystem import LocalFileSystem

        class Killed(LocalFileSystem):
            left = 0

            def exchange(self, one, other):
                return False

            def rename(self, source, target):
                super().rename(source, target)
                self.left -= 1
                if not self.left:
                    os._exit(0)

        for left in (1, 2, 3):
            folder = os.path.join({str(tmp_path)!r}, str(left))
            if os.fork() == 0:
                system = Killed()
                system.left = left
                LocalStorage(system).commit_folder(folder + "/staging", folder + "/model")
            os.wait()
    """
    for left in (1, 2, 3):
        _write(tmp_path / f"{left}/model", OLD)
        _write(tmp_path / f"{left}/staging", NEW)
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True)
    assert not (tmp_path / "1/model").exists()
    restored = [LocalStorage().recover_folder(str(tmp_path / f"{left}/model")) for left in (1, 2, 3)]
    assert restored == [True, False, False]
    assert [_content(tmp_path / f"{left}/model") for left in (1, 2, 3)] == [OLD, NEW, NEW]


def test_the_folder_retired_last_is_restored(storage, tmp_path):
    """By the time of its rename: its own modification time is that of its last training."""
    old, older = (tmp_path / f".model.{code}.old" for code in (CODE, CODE[::-1]))
    for path in (older, old):
        _write(path.with_suffix(".made"), {"card": path.name.encode()})
        os.utime(path.with_suffix(".made"), (0, 0))
        time.sleep(0.02)
        path.with_suffix(".made").rename(path)
    os.utime(older, (0, 1000))
    time.sleep(0.02)
    os.rename(old, f"{old}.")
    os.rename(f"{old}.", old)
    (tmp_path / "model").mkdir()
    assert storage.recover_folder(str(tmp_path / "model"))
    assert _content(tmp_path / "model") == {"card": old.name.encode()}
    assert older.exists()


def test_leftovers_of_a_day_are_deleted(storage, tmp_path, monkeypatch):
    """Not those that were renamed today, however old they are; nor files, other names, or what has no successor."""
    abandoned = [f".mine.{CODE}.tmp", f".mine.{CODE[::-1]}.old"]
    names = [*abandoned, f".other.{CODE}.tmp", f".mine.too.{CODE}.tmp", ".mine.mine.tmp"]
    for name in names:
        _write(tmp_path / name, {"card": b""})
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f".mine.{CODE[1:]}0.tmp").write_bytes(b"")
    _write(tmp_path / "mine", {"card": b""})
    before = {path.name for path in tmp_path.iterdir()}
    assert not storage.recover_folder(str(tmp_path / "mine"))
    assert {path.name for path in tmp_path.iterdir()} == before
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + DAY + 60)
    assert not storage.recover_folder(str(tmp_path / "mine"))
    assert {path.name for path in tmp_path.iterdir()} == before - set(abandoned)
    assert not storage.recover_folder(str(tmp_path / "nowhere/mine"))


def test_an_old_folder_without_successor_is_kept_at_any_age(storage, tmp_path, monkeypatch):
    """It is the only copy: it gets its name back."""
    _write(tmp_path / f".mine.{CODE}.old", OLD)
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + 1000 * DAY)
    assert storage.recover_folder(str(tmp_path / "mine"))
    assert _content(tmp_path / "mine") == OLD


@only_as_root
@pytest.mark.parametrize("what", ["", "card", "sub"])
def test_leftovers_of_another_user_stay(storage, tmp_path, monkeypatch, what):
    """Whether the folder belongs to another user or something in it does."""
    folder = tmp_path / f".mine.{CODE}.old"
    _write(folder, OLD)
    (folder / "sub").mkdir()
    _write(tmp_path / "mine", NEW)
    os.chown(folder / what, OTHER_USER, -1)
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + 2 * DAY)
    assert not storage.recover_folder(str(tmp_path / "mine"))
    assert (folder if not what else folder.with_suffix(".tmp") / what).exists()


@only_as_root
@pytest.mark.parametrize("kind", [ByFolder, ByFile])
def test_the_retired_folder_of_another_user_is_not_restored(storage, tmp_path, kind):
    """It would be a model of theirs; unless the folder around it is theirs, too."""
    around = tmp_path if kind is ByFolder else tmp_path / "model"
    retired = around / f".model.{CODE}.old"
    _write(retired, OLD)
    os.chown(retired, OTHER_USER, -1)
    assert not kind.recover(storage, tmp_path)
    os.chown(around, OTHER_USER, -1)
    assert kind.recover(storage, tmp_path)


def test_leftovers_that_cannot_be_deleted_do_no_harm(tmp_path, monkeypatch):
    """The next run tries again."""

    class Failing(LocalFileSystem):
        def unlink(self, _path, **_options):
            raise OSError(errno.EACCES, "no")

    _write(tmp_path / f".mine.{CODE}.tmp", OLD)
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + 2 * DAY)
    assert not LocalStorage(Failing()).recover_folder(str(tmp_path / "mine"))


def test_commit_files_moves_the_last_file_last(tmp_path):
    """The old ones are set aside first, theirs last, too, and it is the first to leave; each step rests on the last."""
    system = FaultyFileSystem()
    _write(tmp_path / "model", {**OLD, "other": b"stays"})
    ByFile.commit(LocalStorage(system), ByFile.stage(tmp_path), tmp_path)
    steps = [(operation, os.path.basename(path)) for operation, path in system.log if operation in {"link", "rename"}]
    assert steps[:6] == [
        *(("link", "a"), ("link", "gone"), ("link", "card"), ("rename", "a"), ("rename", "added"), ("rename", "card")),
    ]
    operations = [operation for operation, _ in system.log]
    linked, moved = operations.index("link"), operations.index("rename")
    unlinked = operations.index("unlink", linked)
    assert linked < unlinked < moved
    assert "sync_path" in operations[linked:unlinked]
    assert operations[unlinked : unlinked + 2] == ["unlink", "sync_path"]
    assert _content(tmp_path / "model") == {**NEW, "other": b"stays"}


def test_files_without_the_last_are_not_kept(storage, tmp_path):
    """They are what an earlier version left of an interrupted commit."""
    _write(tmp_path / "model", {"gone": b"old"})
    ByFile.commit(storage, ByFile.stage(tmp_path), tmp_path)
    assert [path.name for path in (tmp_path / "model").iterdir() if path.name.startswith(".")] == []
    assert _content(tmp_path / "model") == NEW
