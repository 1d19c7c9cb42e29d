"""Parses the JSON log of a command."""

import json
import re

from job.log import Event

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def log_lines(stderr):
    """The lines of standard error, each of which must be a JSON object of the documented form."""
    lines = [json.loads(line) for line in stderr.splitlines()]
    for line in lines:
        assert set(line) - {"traceback"} == {"time", "level", "event", "logger", "message", "fields"}, line
        assert _TIME.fullmatch(line["time"])
        assert line["level"] in {"debug", "info", "warning", "error"}
        assert line["event"] in set(Event)
        assert isinstance(line["fields"], dict)
    return lines


def events(stderr):
    """The events of a log, in order."""
    return [line["event"] for line in log_lines(stderr)]
