"""A container engine, and what the tests do with it. A base image is made where none can be pulled."""

import importlib.util
import os
import shutil
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Someone whom the image has never heard of, and who is nobody on this machine.
USER = 4711
# As locked up as an operator may run it.
LOCKED = [
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    f"--user={USER}:{USER}",
]
_RELEASE = "bookworm"
_PACKAGES = "ca-certificates,python3,python3-venv"


def build_module():
    """docker/build.py as a module."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "docker/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Engine:
    """docker or podman."""

    name: str

    def __call__(self, *arguments, **how):
        """Run a command of the engine's; its output is text."""
        return subprocess.run([self.name, *map(str, arguments)], capture_output=True, text=True, check=False, **how)

    def said(self, *arguments):
        """What a command that must end well says."""
        result = self(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def run(self, image, *arguments, options=(), volumes=(), entrypoint=None):
        """A container from its start to its end. volumes: (folder, place in the container, "ro" or "rw")."""
        mounts = [f"--volume={folder}:{place}:{mode}" for folder, place, mode in volumes]
        entry = [f"--entrypoint={entrypoint}"] if entrypoint else []
        return self("run", "--rm", *options, *mounts, *entry, image, *arguments)

    def start(self, image, *arguments, options=(), volumes=()):
        """A running container's name."""
        name = f"digit-job-test-{uuid.uuid4().hex[:12]}"
        mounts = [f"--volume={folder}:{place}:{mode}" for folder, place, mode in volumes]
        self.said("run", "--detach", "--name", name, *options, *mounts, image, *arguments)
        return name

    def ended(self, name):
        """A container's exit code, once it ends, and what it said on standard error; the container is removed."""
        code = int(self.said("wait", name))
        said = self("logs", name).stderr
        self("rm", "--force", name)
        return code, said


def base_image(engine):
    """An image with Python to build on: the one that BASE_IMAGE names, or one made here; None: the Dockerfile's own."""
    if given := os.environ.get("BASE_IMAGE"):
        return given
    if not shutil.which("debootstrap"):
        return None
    image = f"localhost/digit-job-test-base:{_RELEASE}"
    if engine("image", "inspect", image).returncode:
        engine.said("import", _base_archive(), image)
    return image


def _base_archive():
    """A minimal Debian with Python as a tar, made once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "digit-job")
    archive = cache / f"base-{_RELEASE}.tar"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        root, temporary = cache / f"{uuid.uuid4().hex}.root", cache / f"{uuid.uuid4().hex}.tmp"
        try:
            _checked("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, root)
            _checked("chroot", root, "apt-get", "clean")
            _checked("tar", "--create", "--numeric-owner", "--file", temporary, "--directory", root, ".")
            temporary.rename(archive)
        finally:
            shutil.rmtree(root, ignore_errors=True)
            temporary.unlink(missing_ok=True)
    return archive


def clean_checkout(folder):
    """The files that git knows, or would take, and no others, as they are now."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def wait_for(condition, seconds=120):
    """Return once a condition holds, with what it gave; it must do so in time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def _checked(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    base_image(Engine(build_module().engine()))
