import os
from pathlib import Path

import pytest
from support.control_groups import write_system

from job.limits import available_cores, default_threads, is_lost_with_container, threads_in_memory
from job.settings import MIB

CORES = 64


def _quota_v1(folder, quota):
    return {f"cpu,cpuacct/{folder}cpu.cfs_quota_us": f"{quota}\n", f"cpu,cpuacct/{folder}cpu.cfs_period_us": "100000\n"}


# /proc/self/cgroup of version 1.
V1 = "12:cpuset:/job\n7:memory:/docker/job\n4:cpu,cpuacct:/docker/job\n1:name=systemd:/job\n"
# By name: /proc/self/cgroup, the files below /sys/fs/cgroup, and the cores they allow.
CPU = {
    "no limit": ("0::/\n", {"cpu.max": "max 100000\n"}, CORES),
    "two cores": ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
    "a part of a core": ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
    "a core and a half": ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
    "a nested group": ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n"}, 3),
    "a limit above": ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, 4),
    "a path of the host": ("0::/host/pod\n", {"cpu.max": "500000 100000\n"}, 5),
    "more than there are": ("0::/\n", {"cpu.max": "9900000 100000\n"}, CORES),
    "no file": ("0::/\n", {}, CORES),
    "malformed content": ("0::/\n", {"cpu.max": "200000\n"}, CORES),
    "no period": ("0::/\n", {"cpu.max": "200000 0\n"}, CORES),
    "version 1": (V1, _quota_v1("docker/job/", 600000), 6),
    "version 1 in a container": (V1, _quota_v1("", 700000), 7),
    "version 1 without limit": (V1, _quota_v1("", -1), CORES),
}
# The same for memory, with the threads that fit into it.
MEMORY = {
    "no limit": ("0::/\n", {"memory.max": "max\n"}, None),
    "no file": ("0::/\n", {}, None),
    "no control groups": ("", {}, None),
    "512 MiB": ("0::/\n", {"memory.max": f"{512 * MIB}\n"}, 4),
    "less than a thread needs": ("0::/\n", {"memory.max": f"{64 * MIB}\n"}, 1),
    "a limit above": ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": f"{400 * MIB}\n"}, 3),
    "a path of the host": ("0::/host/pod\n", {"memory.max": f"{512 * MIB}\n"}, 4),
    "version 1": (V1, {"memory/docker/job/memory.limit_in_bytes": f"{512 * MIB}\n"}, 4),
    "version 1 in a container": (V1, {"memory/memory.limit_in_bytes": f"{512 * MIB}\n"}, 4),
}


@pytest.fixture
def affinity(monkeypatch):
    """Sets the number of cores that the process is bound to; at first, all of the machine's."""

    def bind(cores):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)

    bind(CORES)
    return bind


@pytest.mark.usefixtures("affinity")
@pytest.mark.parametrize("name", CPU)
def test_control_groups_limit_the_cores(tmp_path, name):
    """The lowest quota of all groups above the process, in either version of control groups."""
    cgroup, files, cores = CPU[name]
    assert available_cores(write_system(tmp_path, cgroup, files)) == cores


def test_a_process_may_be_bound_to_fewer_cores(tmp_path, affinity):
    """As by `taskset`."""
    affinity(2)
    assert available_cores(write_system(tmp_path, "0::/\n", {"cpu.max": "800000 100000\n"})) == 2


def test_cores_of_an_unknown_system(tmp_path, monkeypatch):
    """Without CPU affinity, control groups and a core count, it has one core."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores(tmp_path) == 1


@pytest.mark.parametrize("name", MEMORY)
def test_control_groups_limit_the_threads_by_memory(tmp_path, name):
    """As many threads as fit into the lowest limit, at least one, in either version of control groups."""
    cgroup, files, threads = MEMORY[name]
    assert threads_in_memory(write_system(tmp_path, cgroup, files)) == threads


def test_version_1_has_a_large_number_for_no_memory_limit(tmp_path):
    """It allows more threads than any machine has cores."""
    files = {"memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert threads_in_memory(write_system(tmp_path, V1, files)) > 10**9


def test_a_folder_on_the_images_root_is_lost(tmp_path):
    """Also a folder that does not exist yet; not one on another device, a read-only one, or a URI."""
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


@pytest.mark.usefixtures("affinity")
def test_threads_are_as_many_as_cores_and_memory_allow(tmp_path):
    """A thread for each core, if memory has room for them."""
    three = {"cpu.max": "300000 100000\n"}
    for number, (memory, expected) in enumerate(((None, 3), (8192, 3), (320, 2))):
        files = three if memory is None else {**three, "memory.max": f"{memory * MIB}\n"}
        (tmp_path / str(number)).mkdir()
        assert default_threads(write_system(tmp_path / str(number), "0::/\n", files)) == expected
