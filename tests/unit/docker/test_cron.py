"""What cron and systemd call: one run at a time, a folder for each day, and no word unless something is wrong."""

import os
import re
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.scripts import write_script

FOLDER = Path(__file__).parents[3] / "docker/cron"
README = (FOLDER.parent / "README.md").read_text()
# An engine that notes how it was called and ends as it is told to.
ENGINE = """#!/bin/sh
[ "$1" = info ] && exit 0
echo "$@" >> "$CALLS"
echo "error: what digit-job says"
[ -n "$WAITS" ] && { sleep 60 & trap 'kill $!; exit 143' TERM; touch "$CALLS.waits"; wait; }
exit "$CODE"
"""


@pytest.fixture
def nightly(tmp_path):
    """Start the wrapper, with a stand-in for the engine that notes in `calls` how it was called."""
    (tmp_path / "in").mkdir()
    (tmp_path / "bin").mkdir()
    write_script(tmp_path / "bin/docker", ENGINE)
    write_script(tmp_path / "bin/id", "#!/bin/sh\necho 1000\n")

    def start(code=0, *arguments, waits=""):
        return subprocess.Popen(
            [FOLDER / "nightly.sh", tmp_path / "in", tmp_path / "out", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "CODE": str(code), "WAITS": waits,
                "CALLS": str(tmp_path / "calls"),
            },
        )  # fmt: skip

    return start


def ended(process):
    """The exit code, and all that the process said."""
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout + stderr


def today():
    """The day's name in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def test_a_run_that_goes_well_says_nothing(nightly, tmp_path):
    """So that cron sends no mail; the log is beside the day's folder."""
    assert ended(nightly(0, "--probabilities")) == (0, "")
    call = (tmp_path / "calls").read_text()
    assert f"--volume {tmp_path}/out/{today()}:/output " in call
    assert f"--volume {tmp_path}/in:/input:ro " in call
    assert call.endswith("digit-job:score score --probabilities\n")
    assert "--network none --read-only" in call
    assert "--user 1000:1000 " in call
    assert (tmp_path / f"out/{today()}.log").read_text() == "error: what digit-job says\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (3, "did not pass a gate"),
        (65, "look at the data"), (66, "there is no input"), (70, "a defect"), (73, "holds another run"),
        (74, "the next run goes on"), (75, "the next run goes on"), (137, "the next run goes on"),
        (78, "cannot be used"), (134, "a library crashed"), (139, "a library crashed"),
    ],
)  # fmt: skip
def test_a_run_that_fails_says_what_is_to_be_done(nightly, code, said):
    """With digit-job's own code, and the end of the log."""
    found, told = ended(nightly(code))
    assert found == code
    assert said in told
    assert f"ended with {code}" in told
    assert "error: what digit-job says" in told
    assert len(told.splitlines()) <= 7


@pytest.mark.parametrize("name", [".lock", f"{datetime.now(UTC):%Y-%m-%d}.log"])
@pytest.mark.parametrize("make", [lambda path, to: path.symlink_to(to), lambda path, _to: os.mkfifo(path)])
def test_neither_the_lock_nor_the_log_is_a_link(nightly, tmp_path, name, make):
    """Another user may have put it there, and have the log appended to what it leads to; nor is one a pipe."""
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_text("precious")
    make(tmp_path / "out" / name, tmp_path / "precious")
    code, told = ended(nightly())
    assert code == 74
    assert f"{name} is a link, no file, or another user's; delete it" in told
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "calls").exists()


def test_gates_are_on(nightly, tmp_path):
    """Unless flags, which come after them and count more, say otherwise."""
    ended(nightly(0, "--max-warnings", "5"))
    call = (tmp_path / "calls").read_text()
    assert "--env DIGIT_JOB_MAX_WARNINGS=0 --env DIGIT_JOB_MAX_DRIFT=0.25 " in call
    assert call.endswith("digit-job:score score --max-warnings 5\n")


def test_a_second_run_is_not_begun(nightly, tmp_path):
    """While the first is at work; afterwards one is."""
    first = nightly(waits="yes")
    wait_for(tmp_path / "calls.waits")
    code, told = ended(nightly())
    assert code == 75
    assert "still at work" in told
    assert (tmp_path / "calls").read_text().count("\n") == 1
    first.send_signal(signal.SIGTERM)
    assert ended(first)[0] == 143
    assert ended(nightly()) == (0, "")


def wait_for(path):
    """Return once a file is there."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(path)


def test_what_is_not_there_is_told(nightly, tmp_path):
    """No input folder; no engine is asked to make one."""
    (tmp_path / "in").rmdir()
    code, told = ended(nightly())
    assert code == 66
    assert "there is no such file or folder" in told
    assert not (tmp_path / "calls").exists()


def test_the_crontab_line_is_one():
    """Five fields of time and a command that is in this folder."""
    lines = [line for line in (FOLDER / "crontab").read_text().splitlines() if line and line[0] not in "#MP"]
    (line,) = lines
    assert re.match(r"^\d+ \d+ \* \* \* /opt/digit-job/docker/cron/nightly\.sh /\S+ /\S+$", line)
    assert os.access(FOLDER / "nightly.sh", os.X_OK)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not there")
def test_shellcheck_finds_nothing():
    """In any script of this folder or the one above."""
    scripts = [*FOLDER.glob("*.sh"), *FOLDER.parent.glob("*.sh")]
    result = subprocess.run([shutil.which("shellcheck"), *scripts], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_service_has_a_user_of_its_own():
    """And can write nothing but results: the folder is that of its command."""
    lines = (FOLDER / "digit-job.service").read_text().splitlines()
    said = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w+=", line))
    assert said["User"] == "digit-job"
    assert said["NoNewPrivileges"] == "yes"
    assert said["ProtectSystem"] == "strict"
    assert said["CapabilityBoundingSet"] == ""
    assert said["ReadWritePaths"] == said["ExecStart"].split()[-1]
    assert f"--owner {said['User']} --group {said['User']} {said['ReadWritePaths']}\n" in README


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not there")
def test_systemd_takes_the_service_and_the_timer(tmp_path):
    """`systemd-analyze verify` finds nothing, but that the command is not installed here."""
    for name in ("digit-job.service", "digit-job.timer"):
        text = (FOLDER / name).read_text().replace("/opt/digit-job/docker/cron/nightly.sh", shutil.which("true"))
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / "digit-job.service"), str(tmp_path / "digit-job.timer")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "digit-job" not in result.stderr, result.stderr
    assert result.returncode == 0, result.stderr
