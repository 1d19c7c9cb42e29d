"""Bring .venv to the locked versions: with uv, or with pip where uv does not work.

    python3 .lock/install.py

`make setup` runs this with the Python that .venv is to have. uv changes an existing .venv in place, in seconds; pip
takes minutes and starts from an empty one. Only the standard library is used, because nothing is installed yet.
"""

import subprocess
import sys
from pathlib import Path

from run_uv import PYTHON, ROOT, run_uv

_VENV = ROOT / ".venv"
_LOCK = ROOT / ".lock"


def main() -> None:
    """Install; exits with pip's code where pip fails."""
    if not _is_usable():
        _create()
    if not _install_with_uv():
        print("uv does not work here; pip installs, which takes a few minutes", flush=True)
        _install_with_pip()
    _pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT)
    _compile(ROOT / "job")


def _is_usable() -> bool:
    """Whether .venv exists, has pip, and is made of the Python that runs this."""
    code = "import pip, sys; print(sys.base_prefix, sys.version)"
    try:
        done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout == f"{sys.base_prefix} {sys.version}\n"


def _create() -> None:
    _run(sys.executable, "-m", "venv", "--clear", _VENV)


def _install_with_uv() -> bool:
    """Make .venv hold what is locked and nothing else; False where uv cannot be had, or fails."""
    options = ["--python", PYTHON, "--require-hashes", "--compile-bytecode"]
    # Progress is for people; what uv says of errors is not needed, because pip says it again.
    return run_uv("pip", "sync", *options, _LOCK / "dev.txt", _LOCK / "uv.txt", is_quiet=not sys.stderr.isatty()) == 0


def _install_with_pip() -> None:
    _create()
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    _pip("install", *quiet, "--no-compile", "--require-hashes", "--requirement", _LOCK / "dev.txt")
    _compile(_VENV / "lib")  # on all cores, where pip uses one


def _compile(folder: Path) -> None:
    """Compile to bytecode. Without it TensorFlow takes three times as long to import, every time where none is kept."""
    _run(PYTHON, "-m", "compileall", "-q", "-j", "0", folder)


def _pip(*arguments: str | Path) -> None:
    _run(PYTHON, "-m", "pip", *arguments)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
