import io
import json
import subprocess
import sys

import pytest
from support.log_lines import log_lines

from job import log
from job.log import Event, detail, event


def test_text_is_one_line_whatever_a_name_holds(logger, capsys):
    """Control characters are escaped, and warnings begin with their level."""
    log.set_up("text")
    logger.info("scored %s", "a\nb\x1b[31m.csv")
    logger.warning("unusual")
    assert capsys.readouterr().err == "scored a\\x0ab\\x1b[31m.csv\nwarning: unusual\n"


MARKS = "\x7f\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"


def test_marks_that_hide_what_a_name_is_are_spelled_out(logger, capsys):
    """In text and in JSON, which still says the name as it is."""
    log.set_up("text")
    logger.info("scored %s", f"a{MARKS}b\u00e9")
    assert capsys.readouterr().err == (
        "scored a\\x7f\\x85\\x9b\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a\\u202e\\u2066\\u2069b\u00e9\n"
    )
    log.set_up("json")
    logger.info("scored %s", f"a{MARKS}b\u00e9", extra=event(Event.MESSAGE, path=MARKS))
    line = capsys.readouterr().err
    assert not set(MARKS) & set(line)
    assert "b\u00e9" in line
    found = json.loads(line)
    assert (found["message"], found["fields"]["path"]) == (f"scored a{MARKS}b\u00e9", MARKS)


def test_text_omits_what_the_summary_shows(logger, capsys):
    """Unless --verbose."""
    log.set_up("text")
    logger.info("started", extra=event(Event.STARTED))
    log.set_up("text", "verbose")
    logger.info("started again", extra=event(Event.STARTED))
    assert capsys.readouterr().err == "started again\n"


def test_text_omits_details(logger, capsys):
    """One of many events of a kind; verbose text and JSON have all."""
    shown = []
    for log_format, verbosity in (("text", "normal"), ("text", "verbose"), ("json", "normal")):
        log.set_up(log_format, verbosity)
        logger.info("epoch 1", extra=detail(Event.EPOCH, epoch=1))
        logger.info("epoch 2", extra=event(Event.EPOCH, epoch=2))
        shown.append([f"epoch {number}" in line for line in capsys.readouterr().err.splitlines() for number in (1, 2)])
    assert shown == [[False, True], [True, False, False, True], [True, False, False, True]]


def test_the_same_warning_about_many_files_is_bounded(logger, capsys):
    """The last one that is logged says so; other warnings and events are logged all the same."""
    log.set_up("text")
    for number in range(100):
        logger.warning("%d.csv: odd", number)
    logger.warning("%s: another", "a")
    for _ in range(10):
        logger.warning("bounded elsewhere", extra=event(Event.TELEMETRY_FAILED))
    lines = capsys.readouterr().err.splitlines()
    assert lines[4:6] == ["warning: 4.csv: odd; more warnings like this one are not logged", "warning: a: another"]
    assert len(lines) == 16


def test_verbosity_is_the_lowest_level(logger, capsys):
    """--quiet: from warnings on. --verbose: everything."""
    for verbosity, logged in (
        ("quiet", ["warning"]),
        ("normal", ["info", "warning"]),
        ("verbose", ["debug", "info", "warning"]),
    ):
        log.set_up("text", verbosity)
        logger.debug("debug")
        logger.info("info")
        logger.warning("warning")
        assert [line.removeprefix("warning: ") for line in capsys.readouterr().err.splitlines()] == logged


LIBRARIES = """
import gc, logging, threading, warnings
from job import log
log.set_up("json")
logging.getLogger("job.score").info("from the package")
logging.getLogger("somebody.else").warning("from\\na library")
warnings.warn("deprecated")
def die(): raise ValueError("in a thread")
thread = threading.Thread(target=die); thread.start(); thread.join()
class Bad:
    def __del__(self): raise ValueError("in a finaliser")
Bad()
"""


def test_libraries_log_json_too():
    """Their records, warnings, and exceptions in finalisers and threads; nothing else is on standard error."""
    done = subprocess.run([sys.executable, "-c", LIBRARIES], capture_output=True, text=True, check=True)
    lines = log_lines(done.stderr)
    assert [line["event"] for line in lines] == ["message", *["library"] * 4]
    assert lines[1]["message"] == "from\na library"
    assert lines[2]["fields"]["category"] == "UserWarning"
    assert "in a thread" in lines[3]["traceback"]
    assert "in a finaliser" in lines[4]["message"]


def test_names_that_are_not_utf_8_are_json(logger, monkeypatch):
    """Undecodable bytes in a path do not break the line."""
    written = []
    monkeypatch.setattr(sys, "stderr", type("Stream", (), {"write": written.append, "flush": lambda: None}))
    monkeypatch.setattr(log, "_log_libraries", lambda _handler: None)
    monkeypatch.setattr(log, "is_for_machines", lambda _format: True)
    log.set_up("json")
    logger.info("scored %s", "caf\udce9.csv")
    assert json.loads(written[0].encode(errors="backslashreplace"))["message"] == "scored caf\udce9.csv"


@pytest.mark.parametrize("sign", ["variable", "module"])
def test_in_a_notebook_lines_are_for_people(monkeypatch, sign):
    """Both of the kernel itself and of the commands that its cells start; JSON is still there for the asking."""
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert log.is_for_machines("auto")
    if sign == "variable":
        monkeypatch.setenv("JPY_PARENT_PID", "1")
    else:
        monkeypatch.setitem(sys.modules, "ipykernel", None)
    assert not log.is_for_machines("auto")
    assert log.is_for_machines("json")
