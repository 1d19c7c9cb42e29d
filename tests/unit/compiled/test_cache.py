"""Compiled code is taken only from folders and files that no other user can have written."""

import hashlib
import logging
import os

import pytest
from support.neighbours import OTHER_USER, only_as_root

from job.compiled import cache

CODE = b"machine code"
PLANTED = hashlib.sha256(b"planted").digest() + b"planted"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's cache folder, which does not exist yet, below a folder that is writable for everyone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    cache._warn.cache_clear()
    return cache.user_folder()


def test_a_folder_for_a_library_is_made(folder):
    """As long as no other user can write to it or around it."""
    assert cache.library_folder("fonts") == str(folder / "fonts")
    assert (folder / "fonts").stat().st_mode & 0o777 == 0o700
    for each in (folder / "fonts", folder):
        each.chmod(0o777)
        assert cache.library_folder("fonts") is None
        each.chmod(0o700)


def test_what_is_written_is_read(folder):
    """From the first folder that can be written to; none but it is made."""
    cache.write([folder, folder / "other"], "name", CODE)
    assert cache.read([folder / "other", folder], "name") == CODE
    assert [path.name for path in folder.iterdir()] == ["name"]


@pytest.mark.parametrize("umask", [0, 0o002, 0o077])
def test_only_the_user_enters_the_cache_folder(folder, umask):
    """Whatever the umask; and no other user can write to an entry."""
    before = os.umask(umask)
    try:
        cache.write([folder], "name", CODE)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "name").stat().st_mode & 0o022 == 0
    assert cache.read([folder], "name") == CODE


def test_a_folder_beside_a_source_serves_all_users(tmp_path):
    """Of a shared installation; they can only read it."""
    cache.write([tmp_path / "__pycache__"], "name", CODE)
    assert (tmp_path / "__pycache__").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_used(folder, caplog, mode):
    """Nothing is read from it, nothing written to it; one warning says so."""
    folder.mkdir()
    (folder / "name").write_bytes(PLANTED)
    (folder / "name").chmod(0o644)
    folder.chmod(mode)
    assert cache.read([folder], "name") is None
    with caplog.at_level(logging.WARNING):
        for name in ("name", "another"):
            cache.write([folder], name, CODE)
    assert [path.name for path in folder.iterdir()] == ["name"]
    (message,) = caplog.messages
    assert message.startswith(
        f"{folder}: can be written by other users (mode {mode:04o}), so compiled code is not kept"
    )


def test_there_is_no_warning_where_another_folder_will_do(folder, tmp_path, caplog):
    """As in a checkout that its group may write to."""
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__").chmod(0o775)
    cache.write([tmp_path / "__pycache__", folder], "name", CODE)
    assert cache.read([tmp_path / "__pycache__", folder], "name") == CODE
    assert not caplog.messages


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_an_entry_that_others_can_write_is_not_used(folder, mode):
    """It is made anew, and replaced."""
    cache.write([folder], "name", CODE)
    (folder / "name").write_bytes(PLANTED)
    (folder / "name").chmod(mode)
    assert cache.read([folder], "name") is None
    cache.write([folder], "name", CODE)
    assert cache.read([folder], "name") == CODE


def test_links_are_not_followed(folder, tmp_path):
    """Neither one in place of the folder, nor one in place of an entry."""
    cache.write([tmp_path / "elsewhere"], "name", CODE)
    folder.symlink_to(tmp_path / "elsewhere")
    assert cache.read([folder], "name") is None
    folder.unlink()
    folder.mkdir(0o700)
    (folder / "name").symlink_to(tmp_path / "elsewhere/name")
    assert cache.read([folder], "name") is None
    os.mkfifo(folder / "pipe")
    assert cache.read([folder], "pipe") is None


@only_as_root
@pytest.mark.parametrize("what", ["folder", "entry"])
def test_what_another_user_owns_is_not_used(folder, what):
    """However its mode forbids others to write."""
    folder.mkdir(0o700)
    (folder / "name").write_bytes(PLANTED)
    (folder / "name").chmod(0o600)
    assert cache.read([folder], "name") == b"planted"
    os.chown(folder if what == "folder" else folder / "name", OTHER_USER, -1)
    assert cache.read([folder], "name") is None


def test_an_image_has_no_cache_folder(folder, tmp_path, monkeypatch):
    """Its code lies beside the sources."""
    assert list(cache.folders(tmp_path / "a.py")) == [tmp_path / "__pycache__", folder]
    monkeypatch.setenv("DIGIT_JOB_CODE_CACHE", "off")
    assert list(cache.folders(tmp_path / "a.py")) == [tmp_path / "__pycache__"]
