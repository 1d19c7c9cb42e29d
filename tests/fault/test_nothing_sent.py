"""No command sends anything, or writes where its user has not asked it to, whichever library it loads.

Every command runs under strace, which sees all processes and threads: what they connect to, and which files they write,
make, rename or remove. Only the download of MNIST, which `--data mnist` asks for, is left out.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import typer
from support.files import Digits, make_digits, write_csv
from support.models import linear_onnx, write_dense_model, write_model

import job
from job.cli.app import app
from job.report.digits import png
from job.train.train_settings import ExportFormat

PACKAGE = Path(job.__file__).parent
COMMANDS = set(typer.main.get_command(app).commands)
SCORING = (
    ["--version"],
    ["--help"],
    ["schema", "report"],
    ["inspect", "data/a.csv"],
    [
        "show",
        "data/a.csv",
        "--row",
        "3",
        "--model",
        "data/linear",
        "--output",
        "results/3.png",
        "--json",
        "results/3.json",
    ],
    ["prepare", "data/pictures", "--output", "results/prepared.parquet"],
    ["score", "data/a.csv", "-o", "results/dense", "-m", "data/dense", "--metrics-file", "results/metrics.prom"],
    ["score", "data/a.csv", "-o", "results/linear", "-m", "data/linear", "--openlineage", "results/events.jsonl"],
    ["score", "data/a.csv", "-o", "results/foreign", "-m", "data/foreign.onnx", "--model-scale", "255"],
    ["compare", "results/dense", "results/linear", "--json", "results/comparison.json"],
    ["compare", "data/dense", "data/linear", "--data", "data/a.csv"],
    ["report", "results/dense", "--figures", "results/slides"],
)
TRAINING = (
    [
        *("train", "--data", "data/a.csv", "--model", "results/model", "--recipe", "baseline", "--epochs", "3"),
        *("--quantize", "int8", "--tensorboard", "results/tensorboard"),
    ],
    ["score", "data/a.csv", "-o", "results/keras", "-m", "results/model/model.keras", "--model-scale", "255"],
    ["evaluate", "--model", "results/model", "--sample", "10", "--json", "results/evaluation.json"],
    ["calibrate", "--model", "results/model", "--data", "data/a.csv", "--output", "results/calibration.json"],
    ["sample", "--model", "results/model", "--output", "results/sample"],
    *(["export", "results/model", "--to", to, "--output", f"results/export.{to}"] for to in get_args(ExportFormat)),
    ["tune", "--data", "data/a.csv", "--output", "results/search", "--trials", "1", "--epochs", "1"],
)
# Runs commands one after the other in one process, because TensorFlow takes seconds to import. Most fail the run.
RUN = """
import sys
from job.cli.app import main

for number, line in enumerate(sys.stdin.read().splitlines()):
    sys.argv = ["digit-job", *line.split()]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{line}: ended with {end.code}")
"""
TRACED = "connect,sendto,sendmsg,sendmmsg,/^(open|creat|mkdir|mknod|rename|link|symlink|unlink|rmdir|truncate)"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None and not os.environ.get("CI"), reason="needs strace"),
]


@pytest.fixture
def traced(tmp_path):
    """A function: the trace of Python running some code, as (what was sent, which paths were written).

    It runs in the folder `here`, with the fresh folder `home` as its home and `temporary` for temporary files.
    """
    for name in ("here", "home", "temporary", "results", "data"):
        (tmp_path / name).mkdir()
    # The commands of the tests name these folders without their parent.
    for name in ("results", "data"):
        (tmp_path / "here" / name).symlink_to(tmp_path / name)

    def run(code, lines=()):
        log = tmp_path / "trace"
        strace = ["strace", "-f", "-y", "-qq", "-s", "4096", "--seccomp-bpf", "-e", f"trace={TRACED}", "-o", log]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIGIT_JOB_", "XDG_", "MPL"))}
        done = subprocess.run(
            [*strace, sys.executable, "-B", "-c", code],
            input="\n".join(" ".join(line) for line in lines),
            cwd=tmp_path / "here",
            env=kept
            | {
                "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temporary"),
                "PYTHONPATH": str(PACKAGE.parent), "DIGIT_JOB_LOG_FORMAT": "text", "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if "ptrace" in done.stderr:
            pytest.skip("strace may not trace here")
        assert done.returncode == 0, done.stderr
        calls = log.read_text().splitlines()
        return [call for call in calls if "sa_family=AF_INET" in call], written(calls, tmp_path / "here")

    return run


def written(calls, here):
    """The paths that system calls of a trace write, make, rename or remove."""
    found = set()
    for call in calls:
        name, _, arguments = call.partition(" ")[2].strip().partition("(")
        is_file = not name.startswith(("connect", "send", "<"))
        is_there = name.startswith("mkdir") and "EEXIST" in call
        if not is_file or is_there or (name.startswith("open") and not WRITES.search(call)):
            continue
        # Pairs of a descriptor, which strace shows with its path, and a name below it; without one, below `here`.
        for folder, path in re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', arguments):
            found.add(os.path.normpath(os.path.join(folder or here, path)))
    return found


def elsewhere(paths, tmp_path):
    """Of some paths, those that a command should not write to."""
    allowed = [str(tmp_path / name) for name in ("temporary", "results", "home/.cache/digit-job")]
    # `results` and `data` are behind links in `here`; devices and semaphores are no files.
    allowed += [str(tmp_path / "here/results"), "/dev", "/proc"]
    ways = {tmp_path / "home/.cache"}
    return sorted(
        path
        for path in paths
        if not any(path == root or path.startswith(f"{root}/") for root in allowed)
        and Path(path) not in ways
        and not (Path(path).is_relative_to(PACKAGE) and "__pycache__" in path)
    )


@pytest.fixture
def inputs(tmp_path, traced):
    """Digits that are easy to learn, as bars at ten heights, and models of three kinds, in the folder `data`."""
    del traced
    labels = (np.arange(600) % 10).astype(np.int8)
    bars = np.where(np.arange(784) // 79 == labels[:, None], 255, make_digits(600).pixels // 8)
    folder = tmp_path / "data"
    write_csv(folder / "a.csv", Digits(bars, labels))
    (folder / "pictures").mkdir()
    (folder / "pictures/3.png").write_bytes(png(bars[3].astype(np.uint8).tobytes()))
    write_dense_model(folder / "dense")
    write_model(folder / "linear")
    (folder / "foreign.onnx").write_bytes(linear_onnx(1))


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("lines", [SCORING, TRAINING], ids=["scoring", "training"])
def test_nothing_is_sent_or_written_elsewhere(traced, tmp_path, lines):
    """Results, temporary files and the documented cache are all that is written; the home stays empty but for that."""
    sent, paths = traced(RUN, lines)
    assert sent == []
    assert any("/results/" in path for path in paths)
    assert elsewhere(paths, tmp_path) == []
    assert set((tmp_path / "home").rglob("*")) - set((tmp_path / "home/.cache/digit-job").rglob("*")) <= {
        tmp_path / "home/.cache", tmp_path / "home/.cache/digit-job",
    }  # fmt: skip
    assert list((tmp_path / "temporary").iterdir()) == []
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"results", "data"}


def test_every_command_is_traced():
    """A new one must be, too."""
    assert {line[0] for line in (*SCORING, *TRAINING)} - {"--version", "--help"} == COMMANDS


NOTICED = """
import os, socket, subprocess, sys, threading

def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", 9))
    with socket.socket() as one:
        one.connect_ex(("127.0.0.1", 9))

threading.Thread(target=send).start()
home = os.path.expanduser("~")
subprocess.run([sys.executable, "-c", "import os; os.mkdir(os.path.expanduser('~/made'))"], check=True)
open("beside", "w").close()
folder = os.open(home, os.O_RDONLY)
os.open("in_folder", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
os.rename("in_folder", "renamed", src_dir_fd=folder, dst_dir_fd=folder)
open(os.path.expanduser("~/.cache"), "a").close()
"""


def test_the_trace_would_notice(traced, tmp_path):
    """Datagrams and connections, of threads; files and folders, of child processes, too."""
    sent, paths = traced(NOTICED)
    assert [re.findall(r"sendto|connect", call)[0] for call in sent] == ["sendto", "connect"]
    home = tmp_path / "home"
    assert elsewhere(paths, tmp_path) == [
        str(tmp_path / "here/beside"), *(str(home / name) for name in ("in_folder", "made", "renamed"))
    ]  # fmt: skip
