import os

import pytest
from support.control_groups import write_system

from job import limits as cores
from job.limits import available_cores, default_threads
from job.settings import MIB


@pytest.fixture(autouse=True)
def machine_of_64(monkeypatch):
    """A process that is bound to none of its machine's cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


def _v1(folder, quota):
    return {f"cpu,cpuacct/{folder}cpu.cfs_quota_us": f"{quota}\n", f"cpu,cpuacct/{folder}cpu.cfs_period_us": "100000\n"}


V1 = "12:cpuset:/job\n4:cpu,cpuacct:/docker/job\n1:name=systemd:/job\n"
SYSTEMS = {
    "no limit": ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
    "two cores": ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
    "a part of a core": ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
    "a core and a half": ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
    "a group of its own": ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n"}, 3),
    "a limit above": ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, 4),
    "a path of the host's": ("0::/host/pod\n", {"cpu.max": "500000 100000\n"}, 5),
    "more than there are": ("0::/\n", {"cpu.max": "9900000 100000\n"}, 64),
    "no file": ("0::/\n", {}, 64),
    "strange content": ("0::/\n", {"cpu.max": "200000\n"}, 64),
    "no period": ("0::/\n", {"cpu.max": "200000 0\n"}, 64),
    "version 1": (V1, _v1("docker/job/", 600000), 6),
    "version 1 in a container": (V1, _v1("", 700000), 7),
    "version 1 without limit": (V1, _v1("", -1), 64),
}


@pytest.mark.parametrize(("cgroup", "files", "expected"), SYSTEMS.values(), ids=SYSTEMS.keys())
def test_control_groups_set_the_limit(tmp_path, cgroup, files, expected):
    """The lowest of all that hold for the process, in either version of control groups."""
    assert available_cores(write_system(tmp_path, cgroup, files)) == expected


def test_a_process_may_be_bound_to_fewer_cores(tmp_path, monkeypatch):
    """As `taskset` does."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    assert available_cores(write_system(tmp_path, "0::/\n", {"cpu.max": "800000 100000\n"})) == 2


def test_a_system_without_any_of_it(tmp_path, monkeypatch):
    """Where nothing can be bound and there are no control groups, all cores are there."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.available_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "300000 100000\n"}, 3),
        ({"cpu.max": "300000 100000\n", "memory.max": f"{8192 * MIB}\n"}, 3),
        ({"cpu.max": "300000 100000\n", "memory.max": f"{320 * MIB}\n"}, 2),
    ],
)
def test_threads_are_as_many_as_cores_and_memory_allow(tmp_path, files, expected):
    """A thread for each core, if memory has room for them."""
    assert default_threads(write_system(tmp_path, "0::/\n", files)) == expected
