"""nightly.sh from one night to the next, with a clock that the tests set: what was begun, what is new, what is old."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from support.files import make_digits, write_csv
from support.scripts import write_script

ROOT = Path(__file__).parents[3]
FINGERPRINT = "0123456789abcdef" * 4

# `date` at the time that stands in a file; dates that it is given, it only converts.
DATE = f"""#!/bin/sh
for each in "$@"; do [ "$each" = -d ] && exec {shutil.which("date")} "$@"; done
exec {shutil.which("date")} -d "@$(cat "$HERE/clock")" "$@"
"""

# An engine whose run ends as a file of the day's name says: with a code, or slowly.
ENGINE = f"""#!/bin/sh
[ "$1" = info ] && exit 0
for each in "$@"; do case $each in *:/output) folder=${{each%:/output}} ;; esac; done
day=$(basename "$folder")
echo "$day" >>"$HERE/calls"
code=$(cat "$HERE/$day" 2>/dev/null || echo 0)
mkdir -p "$folder/_parts" "$folder/predictions"
echo '{{"fingerprint": "{FINGERPRINT}"}}' >"$folder/_parts/run.json"
touch "$folder/_parts/000000.arrow" "$folder/predictions/a.csv"
if [ "$code" = slow ]; then
    sleep 60 & trap 'kill $!; exit 143' TERM; touch "$HERE/waits"; wait
fi
echo "error: what digit-job says"
[ "$code" = 3 ] && echo "drift" >"$folder/_FAILED"
[ "$code" = 0 ] || exit "$code"
echo '{{"digit_job": "0.1.0", "fingerprint": "{FINGERPRINT}", "inputs": []}}' >"$folder/manifest.json"
echo {FINGERPRINT} >"$folder/_SUCCESS"
rm -r "$folder/_parts"
"""

# An engine that is digit-job itself, outside of any container.
DIGIT_JOB = f"""#!{sys.executable}
import os, re, sys
if sys.argv[1] == "info":
    sys.exit()
arguments = sys.argv[1:]
places = dict(each.split(":")[1::-1] for each in arguments if re.search(":/(input|output|done)(:ro)?$", each))
flags = arguments[arguments.index("digit-job:score") + 1:]
flags = [re.sub("^/done", lambda found: places["/done"], each) for each in flags]
os.environ.update(PYTHONPATH={str(ROOT)!r}, DIGIT_JOB_THREADS="1")
command = ["-m", "job", *flags, "--input", places["/input"], "--output", places["/output"]]
os.execv(sys.executable, [sys.executable, *command])
"""


class Nights:
    """A wrapper's folders, its clock and its engine."""

    def __init__(self, path):
        self.path, self.output = path, path / "out"
        (path / "in").mkdir()
        write_script(path / "bin/date", DATE)
        write_script(path / "bin/id", "#!/bin/sh\necho 1000\n")
        write_script(path / "bin/docker", ENGINE)
        self.set_clock("2026-01-31T02:15:00+00:00")

    def set_clock(self, moment):
        """moment: in ISO 8601, with its offset from UTC."""
        (self.path / "clock").write_text(str(int(datetime.fromisoformat(moment).timestamp())))

    def engine_ends(self, day, how):
        """how: the exit code of that day's run, or `slow`."""
        (self.path / day).write_text(str(how))

    def start(self, *arguments, flags=(), **variables):
        """Begin a night. arguments: before INPUT; flags: after OUTPUT."""
        said = {"PATH": f"{self.path}/bin:{os.environ['PATH']}", "HERE": str(self.path), **variables}
        command = [ROOT / "docker/cron/nightly.sh", *arguments, self.path / "in", self.output, *flags]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=said)

    def night(self, *arguments, at=None, **more):
        """A whole night: its exit code, and all that it said. at: the day."""
        if at:
            self.set_clock(f"{at}T02:15:00+00:00")
        process = self.start(*arguments, **more)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def calls(self):
        """The days that the engine was called for since this was last asked."""
        path = self.path / "calls"
        days = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return days

    def finished(self):
        """The days with `_SUCCESS`."""
        return sorted(path.parent.name for path in self.output.glob("*/_SUCCESS"))


@pytest.fixture
def nights(tmp_path):
    """Nights with an engine that pretends."""
    return Nights(tmp_path)


def wait_for(path):
    """Return once a file is there."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(path)


def test_a_night_that_was_killed_is_finished_by_the_next(nights):
    """And then the day's own."""
    nights.engine_ends("2026-01-31", 137)
    code, said = nights.night()
    assert code == 137
    assert f"into {nights.output}/2026-01-31 ended with 137" in said
    assert "the next run goes on" in said
    nights.engine_ends("2026-01-31", 0)
    nights.calls()
    assert nights.night(at="2026-02-01") == (0, "")
    assert nights.calls() == ["2026-01-31", "2026-02-01"]
    assert nights.finished() == ["2026-01-31", "2026-02-01"]
    assert nights.night(at="2026-02-02") == (0, "")
    assert nights.calls() == ["2026-02-02"]


def test_unfinished_days_come_oldest_first(nights):
    """Three of them, over the turn of a year; each has a log of its own."""
    days = ["2025-12-30", "2025-12-31", "2026-01-01"]
    for number, day in enumerate(days):
        nights.engine_ends(day, 75)
        assert nights.night(at=day)[0] == 75
        assert nights.calls() == days[: number + 1]
    for day in days[1:]:
        nights.engine_ends(day, 0)
    code, said = nights.night(at="2026-01-02")
    assert code == 75
    assert nights.calls() == [*days, "2026-01-02"]
    assert nights.finished() == [*days[1:], "2026-01-02"]
    assert "2025-12-30 ended with 75" in said
    assert said.count("ended with") == 1
    assert (nights.output / "2025-12-30.log").read_text().count("error:") == 4


@pytest.mark.parametrize("code", [65, 70, 73, 134, 139])
def test_a_day_that_cannot_be_finished_does_not_block_others(nights, code):
    """It is told once, and then left alone until somebody deletes its mark."""
    nights.engine_ends("2026-01-31", 137)
    nights.night()
    nights.engine_ends("2026-01-31", code)
    found, said = nights.night(at="2026-02-01")
    assert found == code
    assert f"2026-01-31 ended with {code}" in said
    assert (nights.output / "2026-01-31.failed").read_text() == f"{code}\n"
    assert nights.finished() == ["2026-02-01"]
    nights.calls()
    assert nights.night(at="2026-02-02") == (0, "")
    assert nights.calls() == ["2026-02-02"]
    nights.engine_ends("2026-01-31", 0)
    (nights.output / "2026-01-31.failed").unlink()
    assert nights.night(at="2026-02-03") == (0, "")
    assert nights.finished() == ["2026-01-31", "2026-02-01", "2026-02-02", "2026-02-03"]


def test_an_older_day_whose_inputs_changed_says_so(nights):
    """Not that somebody should overwrite it."""
    nights.engine_ends("2026-01-31", 137)
    nights.night()
    nights.engine_ends("2026-01-31", 73)
    said = nights.night(at="2026-02-01")[1]
    assert "it cannot be finished, as its inputs, the model or the flags changed since; other days go on" in said


@pytest.mark.parametrize("code", [2, 66, 78])
def test_what_is_wrong_with_the_setup_is_no_fault_of_the_day(nights, code):
    """Once the engine, the model or the mount is there again, the day is finished."""
    nights.engine_ends("2026-01-31", code)
    assert nights.night()[0] == code
    nights.engine_ends("2026-01-31", 0)
    assert nights.night(at="2026-02-01") == (0, "")
    assert nights.finished() == ["2026-01-31", "2026-02-01"]


def test_a_day_that_did_not_pass_its_gates_is_told_once(nights):
    """Its results are there; another try would say the same."""
    nights.engine_ends("2026-01-31", 3)
    assert nights.night()[0] == 3
    nights.calls()
    assert nights.night(at="2026-02-01") == (0, "")
    assert nights.calls() == ["2026-02-01"]


@pytest.mark.parametrize(("older", "today", "expected"), [(75, 65, 65), (65, 75, 65), (65, 66, 66), (74, 0, 74)])
def test_the_exit_code_is_that_which_somebody_has_to_see_to(nights, older, today, expected):
    """The mail has both days."""
    nights.engine_ends("2026-01-31", 137)
    nights.night()
    nights.engine_ends("2026-01-31", older)
    nights.engine_ends("2026-02-01", today)
    code, said = nights.night(at="2026-02-01")
    assert code == expected
    assert said.count("ended with") == 1 + (today != 0)


def test_a_night_that_goes_past_midnight_stays_one(nights):
    """The second try of a day, after midnight, is the next day's, and finishes both."""
    nights.set_clock("2026-01-31T23:59:00+00:00")
    nights.engine_ends("2026-01-31", "slow")
    first = nights.start()
    wait_for(nights.path / "waits")
    nights.set_clock("2026-02-01T00:01:00+00:00")
    code, said = nights.night()
    assert code == 75
    assert "still at work" in said
    first.send_signal(signal.SIGTERM)
    assert "2026-01-31 ended with 143" in first.communicate(timeout=60)[0]
    assert first.returncode == 143
    assert nights.calls() == ["2026-01-31"]
    nights.engine_ends("2026-01-31", 0)
    assert nights.night() == (0, "")
    assert nights.calls() == ["2026-01-31", "2026-02-01"]


def test_a_night_that_is_stopped_begins_nothing_more(nights):
    """Neither the day's own, nor the removal of old ones."""
    nights.engine_ends("2026-01-31", 137)
    nights.night()
    nights.calls()
    nights.engine_ends("2026-01-31", "slow")
    nights.set_clock("2026-02-01T02:15:00+00:00")
    night = nights.start("--keep-days", "1")
    wait_for(nights.path / "waits")
    night.send_signal(signal.SIGTERM)
    night.communicate(timeout=60)
    assert night.returncode == 143
    assert nights.calls() == ["2026-01-31"]
    assert (nights.output / "2026-01-31/_parts/run.json").exists()


def test_summer_time_neither_skips_nor_repeats_a_day(nights):
    """Days are those of UTC, wherever cron runs: 01:30 comes twice in London on 25 October, and never on 29 March."""
    moments = [
        "2026-03-28T01:30:00+00:00", "2026-03-29T02:30:00+01:00", "2026-03-30T01:30:00+01:00",
        "2026-10-25T01:30:00+01:00", "2026-10-25T01:30:00+00:00", "2026-10-26T01:30:00+00:00",
    ]  # fmt: skip
    for moment in moments:
        nights.set_clock(moment)
        assert nights.night("--keep-days", "365", TZ="Europe/London") == (0, "")
    expected = ["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25", "2026-10-26"]
    assert nights.finished() == expected


def test_links_and_other_folders_are_no_days(nights):
    """Whatever is in them."""
    nights.engine_ends("2026-01-31", 137)
    nights.night()
    (nights.output / "2026-01-31").rename(nights.path / "elsewhere")
    (nights.output / "2026-01-30").symlink_to(nights.path / "elsewhere")
    shutil.copytree(nights.path / "elsewhere", nights.output / "2026-01-31.bak")
    nights.calls()
    assert nights.night(at="2026-02-01") == (0, "")
    assert nights.calls() == ["2026-02-01"]


def names(folder):
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_without_keep_days_all_is_kept(nights):
    """As long as anybody likes."""
    for day in ("2020-01-01", "2026-01-31"):
        nights.night(at=day)
    assert nights.finished() == ["2020-01-01", "2026-01-31"]


def test_old_days_and_their_logs_are_removed(nights):
    """Those of more than so many days ago: with 2, the day before yesterday stays."""
    days = ["2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"]
    for day in days:
        assert nights.night("--keep-days", "2", at=day) == (0, "")
    expected = ["2026-02-27", "2026-02-27.log", "2026-02-28", "2026-02-28.log", "2026-03-01", "2026-03-01.log"]
    assert names(nights.output) == expected


def test_only_results_of_this_job_are_removed(nights):
    """Not what somebody else has called by a date, or put beside the results, and nothing through a link."""
    nights.night(at="2020-01-01")
    nights.night(at="2020-01-02")
    (nights.output / "2020-01-02/predictions/notes.txt").write_text("mine")
    mine = nights.output / "2020-01-03"
    mine.mkdir()
    (mine / "manifest.json").write_text('{"name": "my web app"}')
    (nights.output / "2020-01-04").symlink_to(nights.path / "elsewhere")
    shutil.copytree(nights.output / "2020-01-01", nights.path / "elsewhere")
    (nights.output / "2020-01-05").mkdir()
    (nights.output / "2020-01-05.log").symlink_to(nights.path / "elsewhere/manifest.json")
    shutil.copytree(nights.output / "2020-01-01", nights.output / "old")
    linked = nights.output / "2020-01-06"
    linked.mkdir()
    (linked / "manifest.json").symlink_to(nights.path / "elsewhere/manifest.json")
    shutil.copytree(nights.output / "2020-01-01", nights.output / "2020-01-07")
    shutil.rmtree(nights.output / "2020-01-07/predictions")
    (nights.output / "2020-01-07/predictions").symlink_to(nights.path / "elsewhere/predictions")
    code, said = nights.night("--keep-days", "30", at="2026-01-31")
    assert code == 0
    assert said.splitlines() == [
        f"digit-job: {nights.output}/{day} holds other files, which --keep-days does not remove"
        for day in ("2020-01-02", "2020-01-07")
    ]
    assert names(nights.output) == [
        "2020-01-02", "2020-01-03", "2020-01-04", "2020-01-05.log", "2020-01-06", "2020-01-07", "2026-01-31",
        "2026-01-31.log", "old",
    ]  # fmt: skip
    assert (nights.output / "2020-01-02/predictions/notes.txt").read_text() == "mine"
    assert (nights.path / "elsewhere/predictions/a.csv").exists()
    assert nights.night("--keep-days", "30", at="2026-01-31") == (0, "")


@pytest.mark.parametrize("code", [137, 65, 3])
def test_an_unfinished_day_is_not_removed_in_silence(nights, code):
    """Nor scored for nothing, just before it is removed."""
    nights.engine_ends("2026-01-01", code)
    nights.night(at="2026-01-01")
    nights.calls()
    found, said = nights.night("--keep-days", "30", at="2026-02-01")
    assert found == 0
    assert said == f"digit-job: --keep-days 30 removes {nights.output}/2026-01-01, which is not finished\n"
    assert nights.calls() == ["2026-02-01"]
    assert names(nights.output) == ["2026-02-01", "2026-02-01.log"]


@pytest.mark.parametrize(
    "arguments", [("--keep-days", "0"), ("--keep-days", "-1"), ("--keep-days", "x"), ("--keep-days=",), ("--keep",)]
)
def test_wrong_usage_is_refused(nights, arguments):
    """Before anything is scored or removed."""
    code, _ = nights.night(*arguments)
    assert code == 2
    assert not nights.output.exists()


def test_its_own_options_come_first(nights):
    """After OUTPUT they would be digit-job's, which has no such flags."""
    code, said = nights.night(flags=("--keep-days", "30"))
    assert code == 2
    assert "--keep-days: belongs before INPUT" in said


@pytest.fixture
def real_nights(nights, model):
    """Nights of digit-job itself, without a container around it."""
    write_script(nights.path / "bin/docker", DIGIT_JOB)

    def night(day, *arguments):
        flags = ("--model", str(model), "--max-rejects", "100%")
        gates = {"DIGIT_JOB_MAX_WARNINGS": "", "DIGIT_JOB_MAX_DRIFT": ""}
        variables = {name: value for name, value in os.environ.items() if name not in {"PATH", *gates}} | gates
        return nights.night(*arguments, at=day, flags=flags, **variables)

    return night


def test_each_file_is_scored_once_even_if_its_day_is_removed(nights, real_nights):
    """With the real digit-job: new files alone, no folder if there are none, and a record of what is done."""
    arguments = ("--only-new", "--keep-days", "2")
    write_csv(nights.path / "in/a.csv", make_digits(20, 1))
    assert real_nights("2026-01-28", *arguments) == (0, "")
    write_csv(nights.path / "in/b.csv", make_digits(20, 2))
    assert real_nights("2026-01-31", *arguments) == (0, "")
    assert nights.finished() == ["2026-01-31"]
    manifest = json.loads((nights.output / "2026-01-31/manifest.json").read_text())
    assert [each["relative_path"] for each in manifest["inputs"]] == ["b.csv"]
    assert real_nights("2026-02-01", *arguments) == (0, "")
    assert not (nights.output / "2026-02-01").exists()
    assert "nothing new: all 2 inputs were scored" in (nights.output / "2026-02-01.log").read_text()


def test_a_day_is_finished_with_its_own_inputs(nights, real_nights):
    """With the real digit-job: an interrupted day scores what it had begun with, the next day what came since."""
    write_csv(nights.path / "in/a.csv", make_digits(20, 1))
    assert real_nights("2026-01-30", "--only-new") == (0, "")
    begun = nights.output / "2026-01-30"
    manifest = json.loads((begun / "manifest.json").read_text())
    entry = {key: manifest["inputs"][0][key] for key in ("path", "size", "version")}
    # As if it had been killed before its first part.
    shutil.rmtree(begun)
    (begun / "_parts").mkdir(parents=True)
    (begun / "_parts/inputs.json").write_text(json.dumps({"inputs": [entry]}))
    write_csv(nights.path / "in/b.csv", make_digits(20, 2))
    assert real_nights("2026-01-31", "--only-new") == (0, "")
    found = [json.loads((nights.output / day / "manifest.json").read_text()) for day in nights.finished()]
    assert [[each["relative_path"] for each in manifest["inputs"]] for manifest in found] == [["a.csv"], ["b.csv"]]
