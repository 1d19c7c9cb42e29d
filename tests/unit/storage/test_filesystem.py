import errno
from types import SimpleNamespace

import pytest

from job.storage import filesystem as module
from job.storage.filesystem import LocalFileSystem


@pytest.fixture
def answer(monkeypatch):
    """Make renameat2 fail with an errno; None: the C library has no such function."""

    def let(number):
        library = SimpleNamespace() if number is None else SimpleNamespace(renameat2=lambda *_: -1)
        monkeypatch.setattr(module.ctypes, "CDLL", lambda *_, **_named: library)
        monkeypatch.setattr(module.ctypes, "get_errno", lambda: number)

    return let


@pytest.mark.parametrize("number", [None, errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.EOPNOTSUPP, errno.EPERM])
def test_exchange_returns_false_where_it_is_not_supported(answer, number):
    """By old kernels, other systems, and file systems such as NFS or FUSE."""
    answer(number)
    assert LocalFileSystem().exchange("/one", "/other") is False


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOENT])
def test_a_failing_exchange_is_an_error(answer, number):
    """Any other errno."""
    answer(number)
    with pytest.raises(OSError) as error:  # noqa: PT011  # the number says which
        LocalFileSystem().exchange("/one", "/other")
    assert error.value.errno == number
