"""Run uv with the settings that this machine's pip has.

    python3 .lock/run_uv.py pip compile ...

`make lock` runs this, and install.py beside it. uv does not read pip's configuration, so the settings that say where
packages come from are handed over in uv's environment variables. Process lists do not show those, and nothing here
prints them. pip installs uv into .venv. Only the standard library is used, because nothing may be installed yet.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv/bin/python"

# pip's setting -> uv's environment variables, and what separates the values of a list.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}


def run_uv(*arguments: str | Path, is_quiet: bool = False) -> int:
    """Install uv if .venv lacks the locked version, and run it; the exit code of whichever fails, or 0."""
    get = ["--quiet", "--retries", "1", "--require-hashes", "--requirement", ROOT / ".lock/uv.txt"]
    done = subprocess.run([PYTHON, "-m", "pip", "install", *get], capture_output=is_quiet, check=False)
    if done.returncode:
        return done.returncode
    settings = _pip_settings()
    is_offline = settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}
    command = [PYTHON.with_name("uv"), *arguments, *(["--no-index"] if is_offline else [])]
    environment = uv_environment(settings, dict(os.environ))
    return subprocess.run(command, env=environment, capture_output=is_quiet, check=False).returncode


def uv_environment(settings: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    """The environment in which uv looks for packages where pip's `settings` say.

    uv's own variables in `environment` override pip's settings, which override all others.
    """
    # pip trusts the system's certificates, and considers every index for every package.
    found = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for setting, (name, separator) in _VARIABLES.items():
        if words := settings.get(setting, "").split():
            found[name] = separator.join(words)
    return {**environment, **found, **{name: value for name, value in environment.items() if name.startswith("UV_")}}


def parse_settings(listing: str) -> dict[str, str]:
    """The settings of `pip install` in the output of `pip config list`, by name.

    The section [install] overrides [global], and pip's environment variables override both.
    """
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for name, value in re.findall(rf"^{section}\.(\S+?)=(.+)$", listing, re.MULTILINE):
            found[name] = ast.literal_eval(value)
    return found


def _pip_settings() -> dict[str, str]:
    environment = {**os.environ, "PIP_QUIET": "0"}  # a quiet pip lists nothing
    command = [PYTHON, "-m", "pip", "config", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return parse_settings(done.stdout)


if __name__ == "__main__":
    raise SystemExit(run_uv(*sys.argv[1:]))
