"""The README says of the command line what the command line does."""

import re
from pathlib import Path

import pytest
import typer

from job.cli.app import app
from job.errors import DigitJobError, Stopped
from job.log import Event
from job.telemetry.prometheus import registry_of
from job.telemetry.recorder import Recorder

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = typer.main.get_command(app).commands


def flag_table(command):
    """The table of a command's flags as the README should hold it."""
    rows = ["| flag | variable | default | meaning |", "| --- | --- | --- | --- |"]
    for option in command.params:
        if option.name == "help":
            continue
        flag = f"`{'/'.join([option.opts[0], *option.secondary_opts])}`" + (" (required)" if option.required else "")
        variable = option.envvar or "DIGIT_JOB_" + option.opts[0].removeprefix("--").upper().replace("-", "_")
        has_default = option.default not in {None, False} and not callable(option.default)
        default = f"`{option.default}`" if has_default else ""
        meaning = option.help.replace(f" [env var: {variable}, one a line]", "").replace("|", "\\|")
        rows.append(f"| {flag} | `{variable}` | {default} | {meaning} |")
    return "\n".join(rows)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_stands_in_the_readme_as_it_is(name):
    """The README's table of a command is the one made from the code; after a change, paste what this prints."""
    section = README.split(f"### `digit-job {name}`")[1].split("\n### ")[0].split("\n## ")[0]
    assert flag_table(COMMANDS[name]) in section


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_has_the_variable_that_its_name_promises(name):
    """--some-flag is DIGIT_JOB_SOME_FLAG."""
    for option in COMMANDS[name].params:
        if option.name not in {"help", "inputs", "keep"}:
            assert option.envvar == "DIGIT_JOB_" + option.opts[0].removeprefix("--").upper().replace("-", "_")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name):
    """Help teaches by example."""
    assert f"Example: `digit-job {name}" in COMMANDS[name].help


def test_every_exit_code_stands_in_the_readme():
    """The README lists every code that an error can end with, no other, and whether trying again can help."""
    section = README.split("### Exit codes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|.*\|([^|]*)\|$", section, re.MULTILINE)
    codes, classes = {0: ""}, [DigitJobError]
    while classes:
        each = classes.pop()
        if each is not Stopped:  # never raised as itself
            codes[each.exit_code] = "yes" if each.can_retry else "no"
        classes += each.__subclasses__()
    assert {int(code): helps.strip() for code, helps in rows} == codes


def _first_column(heading):
    """What stands between backticks in the first column of the first table behind a heading."""
    section = README.split(heading)[1].split("\n#")[0]
    return re.findall(r"^\| `(\w+)", section, re.MULTILINE)


def test_every_event_stands_in_the_readme():
    """The list of the log's events is closed."""
    assert _first_column("### The log") == [event.value for event in Event]


def test_every_metric_stands_in_the_readme():
    """And no other."""
    registry = registry_of(Recorder())
    named = {family.name for family in registry.collect()} | {"digit_job_accuracy_ratio"}  # which needs labels
    assert set(_first_column("### Metrics, lineage")) == named
