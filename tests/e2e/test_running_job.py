"""What a run prints and logs: for people, for machines, and when it fails."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from support.command import digit_job, invoke, start, start_signalled, with_options
from support.documented_events import assert_documented
from support.files import make_digits, write_csv
from support.log_lines import events, log_lines
from support.terminal import on_a_terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


@pytest.fixture
def folder(tmp_path):
    """A folder with a labelled CSV file, whose last record is bad."""
    path = write_csv(tmp_path / "a.csv", make_digits(300))
    path.write_text(path.read_text() + "1,2,3\n")
    return tmp_path


def arguments(folder, model, *more):
    """The arguments of a scoring run in several small parts."""
    options = ["--input", folder / "a.csv", "--output", folder / "out", "--model", model, "--part-bytes", "40000"]
    return ["score", *with_options(options, more)]


def test_every_line_of_a_run_is_an_event(folder, model):
    """Standard error has JSON lines only, from the start to the summary."""
    result = digit_job(*arguments(folder, model, "--verbose"))
    assert result.returncode == 0, result.stderr
    lines = log_lines(result.stderr)
    logged = [line["event"] for line in lines if line["event"] not in {"input_warning", "message"}]
    parts = lines[-1]["fields"]["parts"]
    assert parts > 4
    assert logged == ["started", "planned", *["part_committed"] * parts, "finished"]
    assert_documented(lines, "score")
    summary = lines[-1]["fields"]
    assert (summary["exit_code"], summary["rows"], summary["scored"], summary["rejected"]) == (0, 301, 300, 1)
    assert summary["output"] == str(folder / "out")
    assert set(summary["stage_seconds"]) == {"plan", "read", "predict", "write", "gather"}
    again = invoke(*arguments(folder, model))
    assert events(again.stderr) == ["started", "planned", "already_done", "finished"]


@pytest.mark.parametrize(
    ("wrong", "code", "error"),
    [
        (["--max-rejects", "0"], 65, "TooManyRejects"),
        (["--input", "missing.csv"], 66, "NoInput"),
        (["--model", "nowhere"], 78, "ModelInvalid"),
        (["--metrics-file", "{folder}/a.csv"], 2, "UsageError"),
        (["--output", "{folder}"], 73, "OutputOccupied"),
        (["--threads", "none"], 2, "UsageError"),
        (["--no-such-flag"], 2, "UsageError"),
    ],
)
def test_the_last_event_of_a_failing_run_says_why(folder, model, wrong, code, error):
    """Also if the command line is invalid; the termination message for Kubernetes says the same."""
    (folder / "termination-log").touch()
    wrong = [each.format(folder=folder) for each in wrong]
    environment = {"DIGIT_JOB_TERMINATION_LOG": str(folder / "termination-log")}
    result = invoke(*arguments(folder, model, *wrong), **environment)
    assert result.returncode == code
    last = log_lines(result.stderr)[-1]
    assert (last["event"], last["level"]) == ("failed", "error")
    assert (last["fields"]["exit_code"], last["fields"]["error"]) == (code, error)
    assert (folder / "termination-log").read_text() == f"exit code {code}: {last['message']}"
    assert events(result.stderr).count("failed") == 1


def test_the_next_run_resumes_a_terminated_one(folder, model):
    """The last event has the rows scored so far, and that a retry helps."""
    process = start_signalled(signal.SIGTERM, 3, folder / "note", *arguments(folder, model, "--threads", "1"))
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 143
    last = log_lines(stderr)[-1]
    assert (last["event"], last["fields"]["can_retry"]) == ("failed", True)
    assert 0 < last["fields"]["rows"] < 301
    again = invoke(*arguments(folder, model))
    assert "resumed" in events(again.stderr)


def test_a_defect_is_one_line_with_its_traceback(folder, model):
    """The exit code is 70, and the line is JSON like any other."""
    code = "import job.score.run\ndef break_down(*_): raise KeyError('a bug')\njob.score.run.make_plan = break_down\n"
    process = start(*arguments(folder, model), code=code)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 70
    last = log_lines(stderr)[-1]
    assert last["fields"]["error"] == "KeyError"
    assert "please report it" in last["message"]
    assert "break_down" in last["traceback"]


def test_quiet_prints_only_warnings_and_errors(folder, model):
    """A good run prints no results; a failing one still prints its error."""
    well = invoke(*arguments(folder, model, "--quiet", "--log-format", "text"))
    assert (well.returncode, well.stdout) == (0, "")
    assert all(line.startswith("warning: ") for line in well.stderr.splitlines())
    badly = invoke(*arguments(folder, model, "--quiet", "--log-format", "text", "--max-rejects", "0"))
    assert badly.returncode == 65
    assert badly.stderr.splitlines()[-1].startswith("error: 1 of 301 records were rejected")
    both = invoke(*arguments(folder, model, "--quiet", "--verbose"))
    assert (both.returncode, "contradict each other" in both.stderr) == (2, True)


def test_piped_text_is_plain(folder, model):
    """No colours, progress display or table, whatever TERM is."""
    result = digit_job(*arguments(folder, model, "--log-format", "text"), TERM="xterm-256color")
    assert "\x1b" not in result.stdout + result.stderr
    assert "Scored 300 of 301 records in 1 file, 1 rejected" in result.stdout
    assert "rows/s" not in result.stderr


def test_profile_has_the_time_of_threads_and_stages(folder, model):
    """A row for each thread, and the sums; also if the run fails."""
    profile = invoke(*arguments(folder, model, "--threads", "2", "--profile")).stdout.partition("Time: ")[2]
    assert [line.split()[0] for line in profile.splitlines()[1:]] == [
        "thread", "MainThread", "part_0", "part_1", "all", "CPU", "share",
    ]  # fmt: skip
    failed = invoke(*arguments(folder, model, "--overwrite", "--max-rejects", "0", "--profile"))
    assert failed.returncode == 65
    assert "CPU time" in failed.stdout


def test_a_terminal_gets_a_display_and_a_table(folder, model):
    """The display has rows, rejects and rates; the table has the results and their paths."""
    written, code = on_a_terminal(*arguments(folder, model))
    assert code == 0, written
    assert re.search(r"[\d,]+ rows, \d+ rejected, [\d,]+ MB/s, [\d,]+ rows/s", written)
    assert COLOUR.search(written)
    table = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).splitlines()[-6:]
    assert [line.split()[0] for line in table] == ["scored", "time", "accuracy", "predictions", "rejects", "report"]
    assert table[0].endswith("300 of 301 records in 1 file, 1 rejected")
    assert table[3].endswith(f"  {folder}/out/predictions")
    assert table[4].endswith(f"  {folder}/out/rejects")
    assert table[5].endswith(f"  {folder}/out/report.html")


def test_no_color_is_respected(folder, model):
    """With NO_COLOR (https://no-color.org) display, table, help and errors have no colours."""
    for command in (arguments(folder, model), ["score", "--help"], ["score", "--no-such-flag"]):
        written, _ = on_a_terminal(*command, NO_COLOR="1")
        assert written
        assert not re.search(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|38|4[0-7]|48|9[0-7])[;m]", written)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["score", "--ouput", "x"], "--output"),
        (["scroe"], "score"),
        (["inspetc", "a.csv"], "inspect"),
        (["score", "--format", "parqet"], "parquet"),
        (["score", "--input", "{folder}/a.csv", "--output", "{folder}/out", "--model", "{model}", "--keep", "labell"],
         "did you mean 'label'?"),
        (["inspect", "{folder}/a.csv", "--label-column", "lable"], "did you mean 'label'?"),
    ],
)  # fmt: skip
def test_a_typing_mistake_gets_a_suggestion(folder, model, typed, meant):
    """In flags, commands, values and column names."""
    result = invoke(*(each.format(folder=folder, model=model) for each in typed))
    assert result.returncode in {2, 65}
    assert meant in log_lines(result.stderr)[-1]["message"]


COMPLETES = r"""
eval "$(_DIGIT_JOB_COMPLETE=source_bash digit-job)"
for line in "digit-job sco" "digit-job score --metr" "digit-job score --format pa" "digit-job tune --search b"; do
    COMP_WORDS=($line) COMP_CWORD=$(($(wc -w <<< "$line") - 1)) COMPREPLY=()
    complete -p digit-job > /dev/null || exit 1
    _digit_job_completion digit-job
    echo "${COMPREPLY[@]}"
done
"""


def test_bash_completes_commands_flags_and_values(tmp_path):
    """The script that --install-completion installs works in bash."""
    command = tmp_path / "digit-job"
    command.write_text(f"#!{sys.executable}\nfrom job.cli.app import main\nmain()\n")
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    bash = shutil.which("bash")
    done = subprocess.run([bash, "-c", COMPLETES], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split("\n")[:4] == ["score", "--metrics-file", "parquet", "bayesian"]
