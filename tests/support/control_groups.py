"""As much of a Linux system as tells a process what its control groups allow."""


def write_system(folder, cgroup, files):
    """cgroup: what /proc/self/cgroup says. files: below /sys/fs/cgroup, with their contents. Returns the folder."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(cgroup)
    for name, content in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
