import json
import logging
import subprocess
import sys

import pytest
from support.log_lines import log_lines

from job import log
from job.log import Event, event


@pytest.fixture
def logger():
    """The job's logger, which is as it was when the test is over."""
    logger = logging.getLogger("job")
    before = logger.handlers[:], logger.level, logger.propagate
    yield logger
    logger.handlers[:], logger.level, logger.propagate = before


def test_text_is_one_line_whatever_a_name_holds(logger, capsys):
    """Control characters are spelled out, and what is more than information says so first."""
    log.set_up("text")
    logger.info("scored %s", "a\nb\x1b[31m.csv")
    logger.warning("odd")
    assert capsys.readouterr().err == "scored a\\x0ab\\x1b[31m.csv\nwarning: odd\n"


def test_people_are_not_told_twice(logger, capsys):
    """What the summary says as well is in the logger for machines, or with --verbose."""
    log.set_up("text")
    logger.info("begun", extra=event(Event.STARTED))
    log.set_up("text", "verbose")
    logger.info("begun again", extra=event(Event.STARTED))
    assert capsys.readouterr().err == "begun again\n"


@pytest.mark.parametrize(
    ("verbosity", "told"),
    [("quiet", ["warning"]), ("normal", ["info", "warning"]), ("verbose", ["debug", "info", "warning"])],
)
def test_verbosity_is_the_least_level_that_is_told(logger, capsys, verbosity, told):
    """--quiet: from warnings on. --verbose: everything."""
    log.set_up("text", verbosity)
    logger.debug("debug")
    logger.info("info")
    logger.warning("warning")
    assert [line.removeprefix("warning: ") for line in capsys.readouterr().err.splitlines()] == told


LIBRARIES = """
import gc, logging, threading, warnings
from job import log
log.set_up("json")
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


def test_names_that_are_no_utf_8_are_json(logger, monkeypatch):
    """A path's stray bytes do not keep the line from being parsed."""
    written = []
    monkeypatch.setattr(sys, "stderr", type("Stream", (), {"write": written.append, "flush": lambda: None}))
    monkeypatch.setattr(log, "_take_over_what_libraries_say", lambda _handler: None)
    monkeypatch.setattr(log, "is_for_machines", lambda _format: True)
    log.set_up("json")
    logger.info("scored %s", "caf\udce9.csv")
    assert json.loads(written[0].encode(errors="backslashreplace"))["message"] == "scored caf\udce9.csv"
