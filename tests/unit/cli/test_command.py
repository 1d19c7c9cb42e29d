"""Command lines as they are typed: what is given twice, or is too much, is refused with a word on what to do."""

import pytest
import typer

from job.cli.app import app
from job.cli.score import inputs_of
from job.errors import UsageError

COMMANDS = typer.main.get_command(app).commands


def parse(name, *arguments):
    """The parameters of a command line by their names."""
    with COMMANDS[name].make_context(f"digit-job {name}", list(arguments)) as context:
        return context.params


def complaint(name, *arguments):
    """What is wrong with a command line."""
    with pytest.raises(Exception) as refused:  # noqa: PT011  # the class belongs to Typer's copy of Click
        parse(name, *arguments)
    assert refused.value.exit_code == 2
    return refused.value.format_message()


def options():
    """Each option of each command that takes one value or none: (command, its first name, its value)."""
    for name, command in COMMANDS.items():
        for each in command.params:
            if each.param_type_name == "option" and not each.multiple and each.name != "help":
                yield name, each.opts[0], [] if each.is_flag else ["1"]


def test_every_option_given_twice_repeats_or_is_refused():
    """Where the last value won, `train --data a.csv --data b.csv` trained on the last file alone."""
    found = list(options())
    assert len(found) > 60
    for name, option, value in found:
        assert complaint(name, option, *value, option, *value) == f"{option} is given 2 times; give it once" or (
            f"{option}/" in complaint(name, option, *value, option, *value)
        ), (name, option)


def test_the_same_option_by_its_short_name_and_its_opposite():
    """All names of an option are one option."""
    assert complaint("train", "--augment", "--no-augment") == "--augment/--no-augment is given 2 times; give it once"
    assert complaint("score", "-m", "a", "--model", "b") == "--model is given 2 times; give it once"
    assert parse("score", "--input", "a", "-i", "b", "-o", "x")["inputs"] == ["a", "b"]


def test_a_pattern_without_quotes_gets_a_hint(tmp_path):
    """The shell has made names of it; other arguments are only named."""
    files = [tmp_path / name for name in "abcde"]
    for each in files:
        each.touch()
    assert complaint("inspect", *map(str, files[:3])).endswith(
        f"unexpected arguments: {files[1]} {files[2]}; if the shell made these names of a pattern, put it in quotes: "
        "'in/*.csv'"
    )
    assert f"{files[3]} ...; if the shell" in complaint("inspect", *map(str, files))
    assert complaint("inspect", str(files[0]), "nothing") == "unexpected argument: nothing"


def test_score_takes_inputs_as_arguments():
    """Also several, as the shell makes of a pattern."""
    assert parse("score", "a.csv", "b.csv", "-o", "x")["sources"] == ["a.csv", "b.csv"]
    short = parse("score", "a.csv", "-o", "x", "-m", "n", "-k", "id", "-f", "parquet")
    assert [short[name] for name in ("output", "model", "keep", "format_")] == ["x", "n", ["id"], "parquet"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["a"], ["a"]), (["-i", "b"], ["b"]), (["-i", "b", "a", "c"], ["b", "a", "c"]), ([], ["/input", "/more"])],
)
def test_inputs_on_the_command_line_come_before_the_variable(arguments, expected, monkeypatch):
    """The image sets the variable. `--input in/*.csv` without quotes gives the flag one name."""
    monkeypatch.setenv("DIGIT_JOB_INPUT", "/input\n/more")
    with COMMANDS["score"].make_context("digit-job score", [*arguments, "-o", "x"]) as context:
        assert inputs_of(context, context.params["inputs"], context.params["sources"] or []) == tuple(expected)


def test_score_needs_an_input():
    """Of any kind."""
    with (
        COMMANDS["score"].make_context("digit-job score", ["-o", "x"]) as context,
        pytest.raises(UsageError, match="no input"),
    ):
        inputs_of(context, [], [])
