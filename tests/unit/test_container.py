import os
from pathlib import Path

import pytest

from job.limits import is_lost_with_container


def test_a_folder_on_the_images_root_is_lost(tmp_path):
    """Also one that is yet to be made; not one on another device, as a volume is, or that is read-only, nor a URI."""
    assert not is_lost_with_container(str(tmp_path / "out"), tmp_path)
    (tmp_path / "opt/digit-job").mkdir(parents=True)
    assert is_lost_with_container(str(tmp_path), tmp_path)
    assert is_lost_with_container(str(tmp_path / "out/deeper"), tmp_path)
    assert not is_lost_with_container("s3://bucket/out", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda _path, _mode: False)
        assert not is_lost_with_container(str(tmp_path), tmp_path)
    if Path("/proc").exists():
        assert not is_lost_with_container("/proc", tmp_path)
