"""Flags are named in one place below the command line."""

import ast
from pathlib import Path

import typer

import job
from job.cli.app import app
from job.flag_names import Flag

PACKAGE = Path(job.__file__).parent


def _flags_of_commands():
    command = typer.main.get_command(app)
    return {
        name
        for each in command.commands.values()
        for parameter in each.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }


def _texts(path):
    """Every string of a module except docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_every_named_flag_exists():
    """No message refers to a flag that no command has."""
    assert {str(flag) for flag in Flag} <= _flags_of_commands()


def test_nothing_else_below_the_command_line_names_a_flag():
    """Renaming a flag means editing its command and one line more."""
    flags = _flags_of_commands()
    modules = [path for path in PACKAGE.rglob("*.py") if "cli" not in path.parts and path.name != "flag_names.py"]
    named = {
        (path.name, flag)
        for path in modules
        for text in _texts(path)
        for flag in flags
        if f"{flag} " in f"{text} " and flag != "--help"
    }
    assert named == set()
