"""What every document of the repository says: links lead somewhere, commands exist, the README is short."""

import os
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer
from support.reports import make_report

from job.cli.app import app

ROOT = Path(__file__).parents[2]
_NOT_OURS = {"build", "dist", "node_modules"}


@pytest.fixture(scope="module")
def documents():
    """The text of each Markdown file of the repository, by its path."""
    found = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_OURS]
        paths = [Path(folder, name) for name in names if name.endswith(".md")]
        found.update({path: path.read_text(encoding="utf-8") for path in paths})
    return found


def prose(text):
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """What the headings can be linked by, as GitHub makes it of their words."""
    found = {}
    for heading in re.findall(r"^#+ +(.*)$", prose(text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        times = found[slug] = found.get(slug, -1) + 1
        if times:
            found[f"{slug}-{times}"] = 0
    return set(found)


def links(text):
    """Where a document's links, pictures and definitions lead to."""
    plain = re.sub(r"`[^`\n]*`", "", prose(text))
    return re.findall(r"\]\(([^)\s]+)\)", plain) + re.findall(r"^\[[^\]]+\]: +(\S+)$", plain, re.MULTILINE)


def commands(text):
    """Every `digit-job ...` in a document, as words: in fenced blocks and between backticks."""
    fenced = re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced for line in block.splitlines()]
    for line in [*lines, *re.findall(r"`([^`\n]+)`", prose(text))]:
        found = re.match(r"(?:\$ )?(?:\S*/)?digit-job ([a-z].*)", line.strip())
        if found:
            yield shlex.split(found[1], comments=True)


def test_the_reference_stands_beside_the_code(documents):
    """A reader of the tree meets it there."""
    names = {str(path.relative_to(ROOT)) for path in documents}
    assert names >= {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docker/README.md", "job/README.md"}
    assert names >= {f"job/{name}/README.md" for name in ("cli", "read", "report", "score", "telemetry", "train")}
    assert names >= {"tests/README.md", "tests/bench/README.md"}


def test_every_relative_link_leads_somewhere(documents):
    """The file is there, and so is the heading."""
    followed, broken = 0, []
    for path, text in documents.items():
        for link in links(text):
            name, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            followed += 1
            target = (path.parent / unquote(name)).resolve() if name else path
            if not target.exists() or (anchor and anchor not in anchors(documents.get(target, ""))):
                broken.append(f"{path.relative_to(ROOT)}: {link}")
    assert not broken
    assert followed > 100


def test_every_command_exists_with_the_flags_that_are_shown(documents):
    """In fenced blocks and between backticks."""
    known = {
        name: {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
        for name, command in typer.main.get_command(app).commands.items()
    }
    shown, wrong = set(), []
    for path, text in documents.items():
        for name, *words in commands(text):
            shown.add(name)
            flags = [word.partition("=")[0] for word in words if word.startswith("--")]
            if name not in known or not set(flags) <= known[name]:
                wrong.append(f"{path.relative_to(ROOT)}: digit-job {shlex.join([name, *words])}")
    assert not wrong
    assert shown == {*known}


def test_every_make_target_exists(documents):
    """In fenced blocks and between backticks."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (str(path.relative_to(ROOT)), target)
        for path, text in documents.items()
        for target in re.findall(r"(?:^|`|\$ )make ([a-z][a-z-]*)", text, re.MULTILINE)
    }
    assert not [f"{path}: make {target}" for path, target in sorted(named) if target not in targets]


def test_the_readme_is_short():
    """Two screens; the reference is elsewhere."""
    assert (ROOT / "README.md").stat().st_size <= 10_000


def test_the_picture_is_small():
    """Everybody who clones the repository gets it."""
    assert (ROOT / "job/report/report.png").stat().st_size < 150_000


def test_every_key_of_the_report_is_documented():
    """In job/report/README.md, key by key."""
    section = (ROOT / "job/report/README.md").read_text(encoding="utf-8").split("\n## report.json\n")[1]
    cells = re.findall(r"^\| (`[^|]*) \|", section.split("\n## ")[0], re.MULTILINE)
    assert {key for cell in cells for key in re.findall(r"`(\w+)`", cell)} == set(make_report(rows=50))
