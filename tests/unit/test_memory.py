import pytest
from support.control_groups import write_system

from job.limits import threads_in_memory
from job.settings import MIB

V1 = "12:cpuset:/job\n7:memory:/docker/job\n1:name=systemd:/job\n"
V1_NONE = 9_223_372_036_854_771_712
SYSTEMS = {
    "no limit": ("0::/\n", {"memory.max": "max\n"}, None),
    "no file": ("0::/\n", {}, None),
    "no control groups": ("", {}, None),
    "512 MiB": ("0::/\n", {"memory.max": f"{512 * MIB}\n"}, 4),
    "less than a thread needs": ("0::/\n", {"memory.max": f"{64 * MIB}\n"}, 1),
    "a limit above": ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": f"{400 * MIB}\n"}, 3),
    "a path of the host's": ("0::/host/pod\n", {"memory.max": f"{512 * MIB}\n"}, 4),
    "version 1": (V1, {"memory/docker/job/memory.limit_in_bytes": f"{512 * MIB}\n"}, 4),
    "version 1 in a container": (V1, {"memory/memory.limit_in_bytes": f"{512 * MIB}\n"}, 4),
}


@pytest.mark.parametrize(("cgroup", "files", "expected"), SYSTEMS.values(), ids=SYSTEMS.keys())
def test_control_groups_set_the_limit(tmp_path, cgroup, files, expected):
    """As many threads as the lowest limit has room for, in either version of control groups; at least one."""
    assert threads_in_memory(write_system(tmp_path, cgroup, files)) == expected


def test_version_1_says_that_there_is_no_limit_by_a_large_one(tmp_path):
    """More threads than any machine has cores."""
    files = {"memory/memory.limit_in_bytes": f"{V1_NONE}\n"}
    assert threads_in_memory(write_system(tmp_path, V1, files)) > 10**9
