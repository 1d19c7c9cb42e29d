"""In a notebook, results show the report's page, logs are text, and nothing draws as on a terminal."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from support.files import make_digits, write_csv
from support.models import write_model

import job

TESTS = Path(__file__).parents[1]
COMMAND = f"{sys.executable} -m job score digits.csv -m model"
CELLS = {
    "score": 'import job\nresult = job.score("digits.csv", "results", model="model")\nresult',
    "results": 'job.open_results("results")',
    "inspect": 'job.inspect("digits.csv")',
    "command": f"!{COMMAND} -o command",
    "shell": f"%%sh\n{COMMAND} -o shell --overwrite",
    "log": 'import job.log\njob.log.set_up("auto")\nimport logging\nlogging.getLogger("job").warning("seen")',
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ipykernel") is None and not os.environ.get("CI"), reason="needs ipykernel"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the notebook is, with data and a model."""
    folder = tmp_path_factory.mktemp("notebook")
    write_csv(folder / "digits.csv", make_digits(60))
    write_model(folder / "model")
    return folder


@pytest.fixture(scope="module")
def shown(folder):
    """What each cell shows in a real kernel."""
    path = os.pathsep.join([str(TESTS), str(Path(job.__file__).parents[1])])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}
    done = subprocess.run(
        [sys.executable, "-m", "support.notebook"],
        input=json.dumps([*CELLS.values()]),
        cwd=folder,
        env={**kept, "PYTHONPATH": path, "HOME": str(folder / "home"), "IPYTHONDIR": str(folder / "home/ipython")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CELLS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("cell", ["score", "results"])
def test_a_result_shows_the_page(folder, shown, cell):
    """In a frame that can neither run scripts nor reach the notebook; as text it is one line."""
    data = shown[cell]["data"]
    frame = re.fullmatch(r'<iframe title="([^"<>]*)" sandbox [^<>]*srcdoc="([^"<>]*)"></iframe>', data["text/html"])
    page = (folder / "results/report.html").read_text()
    clock = re.compile(r"^.*data-wall-clock.*\n", re.MULTILINE)
    assert clock.sub("", unescape(frame[2])) == clock.sub("", page)
    assert "<script" not in page
    assert data["text/plain"].count("\n") == 0
    assert len(data["text/plain"]) < 300
    assert str(folder / "results") in data["text/plain"]
    assert shown[cell]["text"] == ""


def test_an_inspection_shows_its_facts(folder, shown):
    """As the command prints them, without the arrays of the first records."""
    text = shown["inspect"]["data"]["text/plain"]
    assert text.startswith(f"{folder}/digits.csv\n  format   CSV with a header")
    assert "array" not in text


@pytest.mark.parametrize("cell", ["command", "shell", "log"])
def test_logs_are_text(shown, cell):
    """Of commands that a cell starts on a terminal of its own or without one, and of the kernel itself."""
    text = shown[cell]["text"]
    assert '{"time"' not in text
    assert not re.search(r"\x1b\[\d*[ABCDJK]", text)  # what moves the cursor or erases lines
    assert ("seen" if cell == "log" else "report.html") in text
