"""The files of a Linux system from which a process reads the limits of its control groups."""


def write_system(folder, cgroup, files):
    """Write a file system with control groups; returns its root.

    cgroup: the content of /proc/self/cgroup. files: their contents by path below /sys/fs/cgroup.
    """
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(cgroup)
    for name, content in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
