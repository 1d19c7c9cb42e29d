import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command import invoke
from support.files import Digits, make_digits, write_csv
from support.models import write_model
from support.outcome import measured
from support.outputs import scored, write_long_output, write_output
from support.runs import score


@pytest.fixture
def runs(tmp_path, model):
    """The output folders of two models for the same file, one in CSV and one in Parquet."""
    source = write_csv(tmp_path / "a.csv", make_digits(200))
    score(source, tmp_path / "old", model)
    score(source, tmp_path / "new", write_model(tmp_path / "model", seed=1), format="parquet")
    return tmp_path / "old", tmp_path / "new"


def test_two_models_are_compared_on_the_same_inputs(runs, tmp_path):
    """The printed figures are those of the JSON file, which are those of the runs' own reports."""
    result = invoke("compare", *runs, "--json", tmp_path / "found.json", "--rows", 3)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    reports = [json.loads((run / "report.json").read_text()) for run in runs]
    assert found["accuracy"] == {"a": reports[0]["accuracy"], "b": reports[1]["accuracy"]}
    assert found["accuracy_95"] == {"a": reports[0]["accuracy_95"], "b": reports[1]["accuracy_95"]}
    assert len(found["changed_rows"]) == 3
    for text in (
        f"A  {runs[0]}  (model linear-0, digest {found['a']['model']['digest'][:12]})",
        f"{found['rows']['changed']:,}",
        f"A {100 * found['accuracy']['a']:.2f} % of 200 labelled rows",
        f"p = {found['mcnemar']['p_value']:.2g} (exact)",
        f"The surest 3 of {found['rows']['changed']} changed rows",
        f"{found['changed_rows'][0]['confidence_a']:.6f}",
        f"Verdict: {found['verdict']['text']}.",
    ):
        assert text in result.stdout
    assert result.stderr == ""


def test_a_run_compared_with_itself_is_the_same(runs):
    """No row changed, so there is no table of changed rows."""
    result = invoke("compare", runs[0], runs[0])
    assert result.returncode == 0, result.stderr
    assert "Verdict: A and B agree on all 200 rows.\n" in result.stdout
    assert "changed rows" not in result.stdout


@pytest.fixture
def better_and_worse(tmp_path):
    """Two runs; the first classifies twenty rows correctly that the second does not."""
    better = write_output(tmp_path / "better", {"a.csv": scored([1] * 100, [1] * 100)}, name="better")
    worse = write_output(tmp_path / "worse", {"a.csv": scored([1] * 80 + [2] * 20, [1] * 100)}, name="worse")
    return better, worse


def test_a_worse_run_fails_only_on_request(better_and_worse):
    """A comparison exits with 0 whatever it finds; with --fail-if-worse a worse run exits with 3."""
    better, worse = better_and_worse
    assert invoke("compare", better, worse).returncode == 0
    assert invoke("compare", worse, better, "--fail-if-worse").returncode == 0
    result = invoke("compare", better, worse, "--fail-if-worse")
    assert result.returncode == 3
    assert (
        "Verdict: A is better: of the 20 rows that only one of them classifies correctly, A has 20 and B 0"
        in result.stdout
    )
    assert "worse is significantly worse than" in result.stderr


def test_a_gate_without_labels_is_an_error(tmp_path):
    """Without labels the gate cannot decide, and must not let B pass."""
    runs = [
        write_output(tmp_path / name, {"a.csv": scored(digits)}, name=name) for name, digits in (("a", [1]), ("b", [2]))
    ]
    assert invoke("compare", *runs).returncode == 0
    result = invoke("compare", *runs, "--fail-if-worse")
    assert result.returncode == 65
    assert "cannot tell whether B is worse" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["old"], 2, "Missing argument"),
        (["old", "missing"], 66, "missing: is not a folder"),
        (["old", "new", "--order", "last"], 2, "Invalid value for '--order'"),
        (["old", "new", "--rows", "-1"], 2, "Invalid value for '--rows'"),
        (["old", "new", "--json", "new/report.json"], 2, "report.json: belongs to the output of a run"),
    ],
)
def test_invalid_commands_end_with_an_exit_code_and_a_message(runs, arguments, code, message):
    """As for the other commands, and without a traceback."""
    here = ("old", "new", "missing")
    paths = [str(runs[0].parent / each) if each.startswith(here) else each for each in arguments]
    result = invoke("compare", *paths)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_runs_over_other_inputs_cannot_be_compared(runs, tmp_path, model):
    """The message has the first difference, and no JSON file is written."""
    digits = make_digits(200)
    (tmp_path / "other").mkdir()
    other = write_csv(tmp_path / "other/a.csv", Digits(digits.pixels, (digits.labels + 1) % 10))
    score(other, tmp_path / "third", model)
    result = invoke("compare", runs[0], tmp_path / "third", "--json", tmp_path / "found.json")
    assert result.returncode == 65
    assert "a.csv row 0: has label" in result.stderr
    assert not (tmp_path / "found.json").exists()


def peaks(folder, sizes):
    """Peak memory in MiB of comparing a CSV with a Parquet file, by the number of their rows."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 1 << 16)
    found = {}
    for rows in sizes:
        runs = []
        for name, format_ in (("a", "csv"), ("b", "parquet")):
            digits = np.where(random.random(len(labels)) < 0.98, labels, random.integers(0, 10, len(labels)))
            batch = scored(digits, labels, np.round(random.random(len(labels)), 6))
            times = rows // len(labels)
            runs.append(write_long_output(folder / name, batch, times, format_=format_, name=name))
        result = measured(folder, "compare", *runs, seconds=600)
        assert result.returncode == 0, result.stderr
        assert f"{times * len(labels):,} scored by both" in result.stdout
        found[rows] = int((folder / "peak").read_text()) / 1024
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize(
    "sizes", [(1_000_000, 4_000_000), pytest.param((10_000_000, 100_000_000), marks=pytest.mark.soak)]
)
def test_memory_does_not_grow_with_the_rows(tmp_path, sizes, figure):
    """Only a few blocks of both files are in memory."""
    few, many = sizes
    found = peaks(tmp_path, sizes)
    figure(f"peak memory of comparing {few:,} and {many:,} rows: {found[few]:.0f} and {found[many]:.0f} MiB")
    assert found[many] < 1.1 * found[few]


def test_many_files_are_summarised(tmp_path):
    """Of more than twenty inputs, those with the least agreement are printed; the JSON file has all."""
    random = np.random.default_rng(0)
    names = [f"{number:03}.csv" for number in range(30)]
    a = {name: scored(np.zeros(10), np.zeros(10)) for name in names}
    b = {
        name: scored(random.permutation([1] * (place // 3) + [0] * (10 - place // 3)), np.zeros(10))
        for place, name in enumerate(names)
    }
    runs = write_output(tmp_path / "a", a, name="a"), write_output(tmp_path / "b", b, name="b")
    result = invoke("compare", *runs, "--json", tmp_path / "found.json", "--rows", 0)
    assert "Inputs: the 20 of 30 with the lowest agreement" in result.stdout
    assert "029.csv" in result.stdout
    assert "000.csv" not in result.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert [each["changed"] for each in found["inputs"]] == [place // 3 for place in range(30)]


def test_json_replaces_comparisons_only(runs, tmp_path):
    """A file of one's own stays until `--overwrite`; an earlier comparison, and an empty file, make way."""
    target = tmp_path / "found.json"
    command = ["compare", *runs, "--json", target]
    for content in ("mine", "[1]", (runs[0] / "report.json").read_text(), (runs[0] / "manifest.json").read_text()):
        target.write_text(content)
        result = invoke(*command)
        assert (result.returncode, target.read_text()) == (73, content)
        assert "already exists and is not a comparison; add --overwrite" in result.stderr
    for more in (["--overwrite"], []):
        assert invoke(*command, *more).returncode == 0
        assert json.loads(target.read_text())["a"]["output"] == str(runs[0])
    target.write_text("")
    assert invoke(*command).returncode == 0


def test_json_on_standard_output(runs, tmp_path):
    """`-` means standard output, not a file of that name; only the JSON is printed."""
    before = sorted(tmp_path.iterdir())
    result = subprocess.run(
        [sys.executable, "-m", "job", "compare", *runs, "--json", "-"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["b"]["output"] == str(runs[1])
    assert sorted(tmp_path.iterdir()) == before
