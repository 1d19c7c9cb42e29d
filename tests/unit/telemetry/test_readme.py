"""job/telemetry/README.md lists every event and every metric, and no other."""

import re
from pathlib import Path

from support.documented_events import documented_events

from job.log import Event
from job.telemetry.prometheus import registry_of
from job.telemetry.recorder import Recorder

README = (Path(__file__).parents[3] / "job/telemetry/README.md").read_text(encoding="utf-8")


def first_column(heading, header):
    """What stands between backticks in the first column of a table below a heading."""
    table = README.split(f"\n## {heading}\n")[1].split("\n## ")[0].split(f"\n| {header} |")[1]
    return re.findall(r"^\| `(\w+)", table, re.MULTILINE)


def test_every_event_stands_in_the_readme():
    """The list of the log's events is closed."""
    tables = documented_events()
    assert set(tables) == {"any command", "score", "train", "tune", "evaluate", "export", "prepare"}
    assert {name for table in tables.values() for name in table} == {event.value for event in Event}


def test_every_metric_stands_in_the_readme():
    """And no other."""
    registry = registry_of(Recorder())
    conditional = {"digit_job_accuracy_ratio", "digit_job_coverage_ratio", "digit_job_promise_withdrawn"}
    named = {family.name for family in registry.collect()} | conditional
    assert set(first_column("Metrics", "metric")) == named
