import errno
from types import SimpleNamespace

import pytest

from job.storage import filesystem as module
from job.storage.filesystem import LocalFileSystem


@pytest.fixture
def answer(monkeypatch):
    """Let the system answer an exchange with an error's number; without a number it does not know the call."""

    def let(number):
        library = SimpleNamespace() if number is None else SimpleNamespace(renameat2=lambda *_: -1)
        monkeypatch.setattr(module.ctypes, "CDLL", lambda *_, **_named: library)
        monkeypatch.setattr(module.ctypes, "get_errno", lambda: number)

    return let


@pytest.mark.parametrize("number", [None, errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.EOPNOTSUPP, errno.EPERM])
def test_a_system_or_a_mount_that_cannot_swap_names_says_so(answer, number):
    """Old kernels, other systems, and file systems such as NFS or FUSE; there is another way then."""
    answer(number)
    assert LocalFileSystem().exchange("/one", "/other") is False


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOENT])
def test_a_swap_that_fails_is_an_error(answer, number):
    """Anything else is trouble, and no reason to try another way."""
    answer(number)
    with pytest.raises(OSError) as error:  # noqa: PT011  # the number says which
        LocalFileSystem().exchange("/one", "/other")
    assert error.value.errno == number
