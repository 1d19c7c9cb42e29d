"""The generated reference is up to date, and says of every command what the command line does."""

import re
from pathlib import Path

import pytest
import typer

from job.cli.app import app
from job.cli.reference import documents, reference
from job.errors import DigitJobError, Stopped

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def sections():
    """The reference, by its headings."""
    return dict(part.split("\n", 1) for part in reference().split("\n## ")[1:])


@pytest.fixture(scope="module")
def commands(sections):
    """Each command with the section about it and its arguments and flags."""
    return [
        (name, command, sections[f"`digit-job {name}`"], [each for each in command.params if each.name != "help"])
        for name, command in typer.main.get_command(app).commands.items()
    ]


def test_the_committed_files_are_what_the_generator_writes():
    """`make docs` leaves nothing changed; where this fails, run it and commit what it writes."""
    for path, content in documents(ROOT).items():
        assert path.read_text(encoding="utf-8") == content, f"{path}: run `make docs`"


def test_generating_twice_changes_nothing(tmp_path):
    """The markers around the generated table survive."""
    page = tmp_path / "docker/README.md"
    page.parent.mkdir()
    for name in ("docker/README.md", "docker/Dockerfile"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    once = documents(tmp_path)[page]
    page.write_text(once, encoding="utf-8")
    assert documents(tmp_path)[page] == once
    assert once.count("| `DIGIT_JOB_OUTPUT` | `/output` |") == 1


def test_every_flag_stands_in_the_reference(commands):
    """With its short form, its variable, and whether it is required."""
    for name, _, text, options in commands:
        for option in options:
            [row] = re.findall(rf"^\| `{option.opts[0]}[`/].*$", text, re.MULTILINE)
            # Options that repeat read it themselves.
            variable = option.envvar or getattr(option.default, "variable", None)
            has_variable = variable or option.param_type_name == "option"
            assert all(each in row for each in (*option.opts, *option.secondary_opts)), name
            assert (f"| `{variable}` |" in row) == bool(has_variable), name
            assert ("(required)" in row) == (option.required or "(required)" in option.help)
            assert "[" not in row


def test_every_command_shows_an_example(commands):
    """Help teaches by example."""
    for name, _, text, _ in commands:
        assert re.search(rf"^(?:Example: `)?digit-job {name} ", text, re.MULTILINE), name


def test_choices_defaults_and_switches_are_told(sections):
    """As the annotations of the commands have them."""
    text = sections["`digit-job score`"]
    assert "| `auto`, `csv`, `parquet`, `kaggle` | `DIGIT_JOB_FORMAT` | `auto` |" in text
    assert "| `N\\|P%` | `DIGIT_JOB_MAX_REJECTS` | `1%` |" in text
    assert "| `--threads` | `N` | `DIGIT_JOB_THREADS` |  |" in text
    assert "| `--overwrite` |  | `DIGIT_JOB_OVERWRITE` |  |" in text


def test_every_exit_code_stands_in_the_reference(sections):
    """Every code that an error can end with, no other, and whether a retry can help."""
    rows = re.findall(r"^\| (\d+) \| (?:`(\w+)`)? ?\|.*\|([^|]*)\|$", sections["Exit codes"], re.MULTILINE)
    codes, names, classes = {0: ""}, {""}, [DigitJobError]
    while classes:
        each = classes.pop()
        if each is not Stopped:  # never raised as itself
            codes[each.exit_code] = "yes" if each.can_retry else "no"
        names |= {each.__name__} - {"DigitJobError", "Stopped"}
        classes += each.__subclasses__()
    assert {int(code): helps.strip() for code, _, helps in rows} == codes
    assert {name for _, name, _ in rows} == names


def test_every_other_variable_stands_in_the_reference(sections):
    """Those that the code asks the environment for outside of its flags, but for other programs' own."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "job").rglob("*.py"))
    asked = set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', sources)) - {"KERAS_BACKEND", "ORT_DISABLE_TELEMETRY"}
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", sections["Other environment variables"], re.MULTILINE))
    assert asked - {"DIGIT_JOB_LOG_FORMAT"} <= told
