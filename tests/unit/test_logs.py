import json
import logging
import subprocess
import sys

import pytest
from support.log_lines import log_lines

from job import logs
from job.events import Event, told_as


@pytest.fixture
def log():
    """The job's logger, which is as it was when the test is over."""
    log = logging.getLogger("job")
    before = log.handlers[:], log.level, log.propagate
    yield log
    log.handlers[:], log.level, log.propagate = before


def test_text_is_one_line_whatever_a_name_holds(log, capsys):
    """Control characters are spelled out, and what is more than information says so first."""
    logs.set_up("text")
    log.info("scored %s", "a\nb\x1b[31m.csv")
    log.warning("odd")
    assert capsys.readouterr().err == "scored a\\x0ab\\x1b[31m.csv\nwarning: odd\n"


def test_people_are_not_told_twice(log, capsys):
    """What the summary says as well is in the log for machines, or with --verbose."""
    logs.set_up("text")
    log.info("begun", extra=told_as(Event.STARTED))
    logs.set_up("text", "verbose")
    log.info("begun again", extra=told_as(Event.STARTED))
    assert capsys.readouterr().err == "begun again\n"


@pytest.mark.parametrize(
    ("verbosity", "told"),
    [("quiet", ["warning"]), ("normal", ["info", "warning"]), ("verbose", ["debug", "info", "warning"])],
)
def test_verbosity_is_the_least_level_that_is_told(log, capsys, verbosity, told):
    """--quiet: from warnings on. --verbose: everything."""
    logs.set_up("text", verbosity)
    log.debug("debug")
    log.info("info")
    log.warning("warning")
    assert [line.removeprefix("warning: ") for line in capsys.readouterr().err.splitlines()] == told


LIBRARIES = """
import gc, logging, threading, warnings
from job import logs
logs.set_up("json")
logging.getLogger("job.score").info("said by us")
logging.getLogger("somebody.else").warning("said\\nby a library")
warnings.warn("deprecated")
def die(): raise ValueError("in a thread")
thread = threading.Thread(target=die); thread.start(); thread.join()
class Bad:
    def __del__(self): raise ValueError("in a finaliser")
Bad()
"""


def test_what_libraries_say_is_json_too():
    """Their logging, warnings, finalisers and threads; nothing else of Python's gets to standard error."""
    done = subprocess.run([sys.executable, "-c", LIBRARIES], capture_output=True, text=True, check=True)
    lines = log_lines(done.stderr)
    assert [line["event"] for line in lines] == ["message", *["library"] * 4]
    assert lines[1]["message"] == "said\nby a library"
    assert lines[2]["fields"]["category"] == "UserWarning"
    assert "in a thread" in lines[3]["traceback"]
    assert "in a finaliser" in lines[4]["message"]


def test_names_that_are_no_utf_8_are_json(log, monkeypatch):
    """A path's stray bytes do not keep the line from being parsed."""
    written = []
    monkeypatch.setattr(sys, "stderr", type("Stream", (), {"write": written.append, "flush": lambda: None}))
    monkeypatch.setattr(logs, "_take_over_what_libraries_say", lambda _handler: None)
    monkeypatch.setattr(logs, "is_for_machines", lambda _format: True)
    logs.set_up("json")
    log.info("scored %s", "caf\udce9.csv")
    assert json.loads(written[0].encode(errors="backslashreplace"))["message"] == "scored caf\udce9.csv"
