"""Help pages as a terminal of some width shows them."""

import re
import shlex

import pytest
import typer

from job.cli.app import app
from job.cli.flags import variable

COMMANDS = typer.main.get_command(app).commands


def page(name, columns, monkeypatch):
    """The help page of a command on a terminal with this number of columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    command = COMMANDS[name]
    with command.make_context(f"digit-job {name}", [], resilient_parsing=True, max_content_width=100) as context:
        return command.get_help(context)


def options_by_group(text):
    """The options of a help page in order, by the title of their group."""
    groups = {}
    for line in text.splitlines():
        if title := re.fullmatch(r"(\w[\w ]+):", line):
            options = groups.setdefault(title[1], [])
        elif option := re.match(r"  (?:-\w, )?(--[\w-]+)", line):
            options.append(option[1])
    return groups


def test_score_shows_first_what_most_users_need(monkeypatch):
    """Five options, then the others by subject."""
    groups = options_by_group(page("score", 80, monkeypatch))
    assert list(groups) == [
        "Examples",
        "Arguments",
        "Main options",
        "Input",
        "Output",
        "Model",
        "Speed",
        "Telemetry",
        "Other",
    ]
    assert groups["Main options"] == ["--input", "--output", "--model", "--keep", "--overwrite"]
    assert groups["Speed"] == ["--threads", "--part-bytes", "--shard-index", "--shard-count"]


def test_a_short_page_has_one_group(monkeypatch):
    """Few options need no sorting."""
    assert list(options_by_group(page("report", 80, monkeypatch))) == ["Examples", "Arguments", "Options"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_once(name, monkeypatch):
    """No group is forgotten."""
    found = [option for options in options_by_group(page(name, 80, monkeypatch)).values() for option in options]
    expected = [each.opts[0] for each in COMMANDS[name].params if each.param_type_name == "option"]
    assert sorted(found) == sorted([*expected, "--help"])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal_or_its_words(name, columns, monkeypatch):
    """No frames, no trailing spaces, and lines stay readable on wide terminals."""
    lines = page(name, columns, monkeypatch).splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert [line for line in lines if line != line.rstrip()] == []
    assert not re.search(r"[╭│╰`\u00a0]", "\n".join(lines))


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_pasted(name):
    """The flags of each example are flags of its command."""
    examples = [line.strip() for line in COMMANDS[name].help.splitlines() if line.startswith("  digit-job ")]
    assert any(example.startswith(f"digit-job {name} ") for example in examples)
    for example in examples:
        _, command, *words = shlex.split(example)
        flags = {option for each in COMMANDS[command].params for option in each.opts}
        assert {word for word in words if word.startswith("--")} <= flags


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_the_variable_that_the_page_promises(name, monkeypatch):
    """--some-flag is DIGIT_JOB_SOME_FLAG; options that can be repeated read theirs by themselves, line by line."""
    text = " ".join(page(name, 80, monkeypatch).split())
    for each in COMMANDS[name].params:
        if each.param_type_name == "option" and not each.multiple and each.envvar != variable(each.opts[0]):
            assert each.envvar == variable(each.opts[0], name)
            assert f"Here {each.opts[0]} is {each.envvar}." in text


def test_a_variable_means_the_same_to_all_commands():
    """The image sets DIGIT_JOB_OUTPUT for `score`: no export goes there, and no gate of one command is the other's."""
    by_variable = {}
    for name, command in COMMANDS.items():
        for each in command.params:
            if each.opts[0] in {"--output", "--overwrite", "--min-accuracy", "--epochs"}:
                by_variable.setdefault(each.envvar, []).append(name)
    assert all(len(names) == 1 for names in by_variable.values()), by_variable
    assert {"DIGIT_JOB_OUTPUT", "DIGIT_JOB_EXPORT_OUTPUT", "DIGIT_JOB_TRAIN_MIN_ACCURACY"} <= set(by_variable)
