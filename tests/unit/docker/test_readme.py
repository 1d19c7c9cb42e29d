"""docker/README.md says what the code and the Kubernetes files do."""

import re
from pathlib import Path

import typer

from job.cli.app import app
from job.errors import DigitJobError, Stopped

ROOT = Path(__file__).parents[3]
README = (ROOT / "docker/README.md").read_text()
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()


def rows(section):
    """The rows of a section's table, as lists of cells."""
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def in_image():
    """What the image sets."""
    return dict(re.findall(r"\b(DIGIT_JOB_[A-Z]+|MNIST_DIR)=(\S+)", DOCKERFILE))


def read_by_code():
    """Every variable that the code reads outside of its flags, but for other programs' own."""
    sources = "".join(path.read_text() for path in (ROOT / "job").rglob("*.py"))
    return set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', sources)) - {"KERAS_BACKEND"}


def flag_rows():
    """The rows for the flags of `digit-job score`, as the README should hold them."""
    found = []
    for option in typer.main.get_command(app).commands["score"].params:
        if option.name != "help":
            name = option.envvar or "DIGIT_JOB_" + option.opts[0].removeprefix("--").upper().replace("-", "_")
            has_default = option.default not in {None, False} and not callable(option.default)
            default = in_image().get(name, str(option.default) if has_default else "")
            meaning = option.help.replace("|", "\\|")
            meaning = meaning.replace("; repeat it for more.", "; several, one per line.")
            found.append(f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(found)


def test_every_flag_of_scoring_is_a_variable_in_the_table():
    """With the default that holds in the image; after a change, paste what this prints."""
    assert f"\n{flag_rows()}\n" in README


def test_every_other_variable_is_in_the_table():
    """Those that the code asks the environment for, and those that the image sets."""
    told = {name.strip("`"): default.strip("`") for name, default, _ in rows("Variables")}
    assert read_by_code() | {*in_image()} <= {*told}
    assert told["MNIST_DIR"] == in_image()["MNIST_DIR"]


def test_every_exit_code_is_in_the_table_with_what_kubernetes_does():
    """As errors.py and the files say; test_kubernetes holds those to errors.py."""
    codes, classes = {0: "Complete"}, [DigitJobError]
    while classes:
        each = classes.pop()
        if each is not Stopped:
            index = "FailIndex" if each.exit_code in {65, 66} else "FailJob"
            codes[each.exit_code] = "try again" if each.can_retry else index
        classes += each.__subclasses__()
    codes[137] = "try again"
    assert {int(code): action for code, _, action in rows("Exit codes")} == codes


def test_links_lead_somewhere():
    """Every file that is named is there."""
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert (ROOT / "docker" / target).exists(), target


def test_the_base_is_named_by_digest():
    """A tag may be another image tomorrow."""
    assert re.search(r"^ARG BASE_IMAGE=\S+:\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
