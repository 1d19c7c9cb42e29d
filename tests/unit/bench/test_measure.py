import sys

import pytest
from bench.measure import Command, Recorder


@pytest.fixture
def source(tmp_path):
    """Three rows of a CSV file that is its own prediction file."""
    path = tmp_path / "a.csv"
    path.write_text("prediction\n1\n2\n3\n")
    return path


def python(key, code, source, **more):
    """A command that runs some Python, with the file and the output as its arguments."""
    return Command(key, [sys.executable, "-S", "-c", code, str(source), "{output}"], source, 3, **more)


COPY = "import shutil, sys; shutil.copy(*sys.argv[1:]); print('peak bytes: 5000000')"
ALTER = "import sys; open(sys.argv[2], 'w').write('prediction\\n1\\n2\\n4\\n')"
FAIL = "import sys; sys.exit('no such luck')"


def test_each_command_runs_once_a_round(tmp_path, source):
    """Seconds and peak memory of every run; predictions are compared with the first command's."""
    commands = [python("ours", COPY, source, has_predictions=True), python("peer", ALTER, source, has_predictions=True)]
    recorder = Recorder(tmp_path / "out")
    recorder.run(commands, 2)
    assert [run.peak_mb for run in recorder.runs["ours"].runs] == [5, 5]
    assert [run.peak_mb for run in recorder.runs["peer"].runs] == [None, None]
    assert all(seconds > 0 for seconds in recorder.runs["ours"].seconds)
    assert recorder.same_digits == {"peer": pytest.approx(2 / 3)}
    assert not recorder.errors


def test_a_failure_is_shown_and_the_rest_goes_on(tmp_path, source, capsys):
    """What the command said is printed and kept; it is not run again."""
    recorder = Recorder(tmp_path / "out")
    recorder.run([python("bad", FAIL, source), python("good", "", source)], 2)
    assert (recorder.runs["bad"].problem, recorder.runs["good"].problem) == ("failed", None)
    assert len(recorder.runs["good"].runs) == 2
    assert "no such luck" in capsys.readouterr().out
    assert len(recorder.errors) == 1


def test_a_refusal_is_no_failure_where_it_is_expected(tmp_path, source):
    """Exit code 65: an input that is not supported yet."""
    recorder = Recorder(tmp_path / "out")
    refuse = "import sys; sys.exit(65)"
    recorder.run([python("may", refuse, source, can_refuse=True), python("must not", refuse, source)], 1)
    assert (recorder.runs["may"].problem, recorder.runs["must not"].problem) == ("not supported", "failed")
    assert len(recorder.errors) == 1


def test_missing_rows_are_a_failure(tmp_path, source):
    """A contender that does less work is no contender."""
    recorder = Recorder(tmp_path / "out")
    short = "import sys; open(sys.argv[2], 'w').write('prediction\\n1\\n')"
    recorder.run([python("short", short, source, has_predictions=True)], 1)
    assert recorder.runs["short"].problem == "failed"
    assert "wrote 1 rows, expected 3" in recorder.errors[0]
