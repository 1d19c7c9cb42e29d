"""`make setup` installs with uv, and with pip where uv does not work."""

import sys
from pathlib import Path

import pytest
from support.scripts import load_script

ROOT = Path(__file__).parents[3]

script = load_script(ROOT / ".lock/install.py")


@pytest.fixture
def setup(monkeypatch):
    """Run the script, with commands noted and not run; gives what uv and the other commands were told."""

    def run(*, uv_code=0, is_usable=True):
        uv, commands = [], []
        monkeypatch.setattr(script, "run_uv", lambda *told, **_: uv.append([*map(str, told)]) or uv_code)
        monkeypatch.setattr(script, "_run", lambda *told: commands.append([*map(str, told)]))
        monkeypatch.setattr(script, "_is_usable", lambda: is_usable)
        script.main()
        return uv, commands

    return run


def _is_creation(command):
    return command[1:3] == ["-m", "venv"]


def _locked_by_pip(commands):
    return [command for command in commands if command[-1] == str(ROOT / ".lock/dev.txt")]


def test_uv_changes_what_is_there(setup, capsys):
    """What is locked and nothing else, with hashes and bytecode; pip adds the job itself."""
    (uv,), commands = setup()
    assert uv[:2] == ["pip", "sync"]
    assert {"--require-hashes", "--compile-bytecode"} <= set(uv)
    assert uv[-2:] == [str(ROOT / ".lock/dev.txt"), str(ROOT / ".lock/uv.txt")]
    assert [command[-2:] for command in commands] == [["--editable", str(ROOT)], ["0", str(ROOT / "job")]]
    assert capsys.readouterr().out == ""


def test_pip_starts_anew_where_uv_fails(setup, capsys):
    """With one line that says so, and hashes all the same; then bytecode is compiled of everything."""
    _, commands = setup(uv_code=2)
    (locked,) = _locked_by_pip(commands)
    assert _is_creation(commands[0])
    assert "--require-hashes" in locked
    assert [command[-1] for command in commands if "compileall" in command] == [
        str(ROOT / ".venv/lib"),
        str(ROOT / "job"),
    ]
    assert capsys.readouterr().out == "uv does not work here; pip installs, which takes a few minutes\n"


@pytest.mark.parametrize("uv_code", [0, 1])
def test_an_environment_that_cannot_be_used_is_made_anew(setup, uv_code):
    """Before uv is asked for."""
    _, commands = setup(uv_code=uv_code, is_usable=False)
    assert _is_creation(commands[0])


def test_an_environment_is_used_again_if_it_is_of_the_same_python(monkeypatch, tmp_path):
    """Not one of another version, nor one that is damaged or not there."""
    monkeypatch.setattr(script, "PYTHON", Path(sys.executable))
    assert script._is_usable()
    other = tmp_path / "python"
    monkeypatch.setattr(script, "PYTHON", other)
    assert not script._is_usable()
    other.write_text("#!/bin/sh\necho /usr 3.10\n")
    other.chmod(0o755)
    assert not script._is_usable()


def test_a_command_that_fails_ends_the_script():
    """With its exit code."""
    with pytest.raises(SystemExit, match="3"):
        script._run(sys.executable, "-c", "raise SystemExit(3)")
