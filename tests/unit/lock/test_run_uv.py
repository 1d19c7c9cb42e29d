"""uv finds packages where pip is told to look."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.scripts import load_script

ROOT = Path(__file__).parents[3]
SECRET = "https://me:secret@index.example/simple"  # noqa: S105  # an example
# Stands for pip and for uv: notes what it is told, and answers as the test asks.
STAND_IN = """#!{python}
import json, os, sys
with open("{calls}", "a") as file:
    file.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
if sys.argv[1:5] == ["-m", "pip", "config", "list"]:
    print(os.environ.get("LISTING", ""))
elif sys.argv[1:4] == ["-m", "pip", "install"]:
    sys.exit(int(os.environ.get("PIP_CODE", 0)))
else:
    sys.exit(int(os.environ.get("UV_CODE", 0)))
"""

script = load_script(ROOT / ".lock/run_uv.py")


@pytest.fixture
def run(tmp_path):
    """Run the script with stand-ins for pip and uv; gives the exit code, the output, and the calls of both."""
    (tmp_path / ".lock").mkdir()
    shutil.copy(ROOT / ".lock/run_uv.py", tmp_path / ".lock")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("python", "uv"):
        path = tmp_path / ".venv/bin" / name
        path.write_text(STAND_IN.format(python=sys.executable, calls=tmp_path / "calls"))
        path.chmod(0o755)

    def run(*arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        command = [sys.executable, tmp_path / ".lock/run_uv.py", *arguments]
        done = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, check=False)
        calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        return done.returncode, done.stdout + done.stderr, calls

    return run


def test_settings_are_read_from_pips_listing():
    """With lists, and whatever quotes a value needs."""
    listing = "global.extra-index-url='https://a/simple\\nhttps://b/simple'\nglobal.index-url=\"https://it's/simple\"\n"
    settings = script.parse_settings(listing)
    assert settings == {"extra-index-url": "https://a/simple\nhttps://b/simple", "index-url": "https://it's/simple"}


def test_the_nearer_setting_wins():
    """[install] overrides [global], the environment overrides both, and other commands' sections do not count."""
    lines = [
        ":env:.cert='c'", "download.index-url='4'", "global.cert='a'", "global.index-url='1'", "install.cert='b'",
        "install.index-url='2'",
    ]  # fmt: skip
    assert script.parse_settings("\n".join(lines)) == {"cert": "c", "index-url": "2"}


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("index-url", SECRET, {"UV_DEFAULT_INDEX": SECRET}),
        ("extra-index-url", "https://a\nhttps://b", {"UV_INDEX": "https://a https://b"}),
        ("find-links", "/a https://b/c", {"UV_FIND_LINKS": "/a,https://b/c"}),
        ("trusted-host", "a b:8080", {"UV_INSECURE_HOST": "a b:8080"}),
        ("cert", "/ca.pem", {"SSL_CERT_FILE": "/ca.pem"}),
        ("client-cert", "/me.pem", {"SSL_CLIENT_CERT": "/me.pem"}),
        ("proxy", "http://proxy:3128", {"ALL_PROXY": "http://proxy:3128"}),
        ("timeout", "60", {"UV_HTTP_TIMEOUT": "60"}),
        ("default-timeout", "60", {"UV_HTTP_TIMEOUT": "60"}),
        ("quiet", "1", {}),
    ],
)
def test_each_setting_has_its_variable(setting, value, expected):
    """Beside the two that make uv look for packages as pip does."""
    always = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    assert script.uv_environment({setting: value}, {"PATH": "/bin"}) == {"PATH": "/bin", **always, **expected}


def test_uvs_own_variables_come_first():
    """Before pip's settings, which come before what is meant for all programs."""
    environment = {"UV_DEFAULT_INDEX": "mine", "UV_INDEX_STRATEGY": "first-index", "SSL_CERT_FILE": "all"}
    found = script.uv_environment({"index-url": "pip's", "cert": "pip's"}, environment)
    assert found["UV_DEFAULT_INDEX"] == "mine"
    assert found["UV_INDEX_STRATEGY"] == "first-index"
    assert found["SSL_CERT_FILE"] == "pip's"


def test_uv_is_installed_by_its_hash_and_run(run):
    """As pip is set up here; credentials are in no command line and in no output."""
    code, output, calls = run("pip", "compile", "--quiet", LISTING=f"global.index-url='{SECRET}'")
    (install, _), (_, listing), (uv, environment) = calls
    assert (code, output) == (0, "")
    assert install[:3] == ["-m", "pip", "install"]
    assert "--require-hashes" in install
    assert listing["PIP_QUIET"] == "0"
    assert uv == ["pip", "compile", "--quiet"]
    assert environment["UV_DEFAULT_INDEX"] == SECRET


@pytest.mark.parametrize(("value", "expected"), [("true", ["pip", "sync", "--no-index"]), ("0", ["pip", "sync"])])
def test_no_index_is_a_flag(run, value, expected):
    """Uv has no variable for it."""
    *_, (uv, _) = run("pip", "sync", LISTING=f":env:.no-index='{value}'")[2]
    assert uv == expected


def test_an_index_without_uv_is_told_by_the_exit_code(run):
    """Uv is then not called."""
    code, _, calls = run("pip", "sync", PIP_CODE="1")
    assert (code, len(calls)) == (1, 1)


def test_uvs_exit_code_is_the_scripts(run):
    """Make stops where uv fails."""
    assert run("pip", "sync", UV_CODE="2")[0] == 2


def test_pip_lists_what_is_expected_of_it(monkeypatch, tmp_path):
    """The real pip, with settings in a file and in the environment."""
    (tmp_path / "pip.conf").write_text(
        "[global]\nextra-index-url =\n    https://a\n    https://b\nindex-url = https://c\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://d")
    monkeypatch.setenv("PIP_QUIET", "2")
    monkeypatch.setattr(script, "PYTHON", Path(sys.executable))
    settings = script._pip_settings()
    assert settings["extra-index-url"].split() == ["https://a", "https://b"]
    assert settings["index-url"] == "https://d"
