"""The events of the log as job/telemetry/README.md lists them, in a table for each command."""

import re
from pathlib import Path

_README = (Path(__file__).parents[2] / "job/telemetry/README.md").read_text(encoding="utf-8")


_WITH_FLAGS = {
    field for text in re.findall(r"; with `--[\w-]+` also ([^|]*)\|", _README) for field in re.findall(r"`(\w+)`", text)
}


def documented_events():
    """By command, or `any command`: the fields of each event by its name."""
    section = _README.partition("\n## Log events\n")[2].partition("\n## ")[0]
    parts = re.split(r"^Of (any command|`\w+`):$", section, flags=re.MULTILINE)[1:]
    return {command.strip("`"): _fields(table) for command, table in zip(parts[::2], parts[1::2], strict=True)}


def assert_documented(lines, command):
    """Each line of a command's log has an event of the command or of any, with exactly the fields that are documented.

    `failed` has more, as its row says; fields after "with" and a flag are there with that flag only.
    """
    tables = documented_events()
    known = tables["any command"] | tables[command]
    for line in lines:
        fields = set(line["fields"])
        if line["event"] == "failed":
            assert known["failed"] - {"phase"} <= fields, line
        elif line["event"] != "library":
            assert fields | _WITH_FLAGS == known[line["event"]] | _WITH_FLAGS, line


def _fields(table):
    rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", table, re.MULTILINE)
    return {event: set(re.findall(r"`(\w+)`", fields)) for event, fields in rows}
