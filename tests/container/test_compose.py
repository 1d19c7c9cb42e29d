"""docker/compose.yaml: train, then score with what came out."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from container.engine import ROOT, USER

pytestmark = pytest.mark.container


@pytest.fixture
def compose(engine):
    """The command, for a project of its own, of which nothing stays."""
    tool = [shutil.which("podman-compose") or str(Path(sys.executable).with_name("podman-compose"))]
    command = [
        *(tool if engine.name == "podman" else ["docker", "compose"]),
        "--file",
        str(ROOT / "docker/compose.yaml"),
    ]
    command += ["--project-name", f"test{uuid.uuid4().hex[:8]}"]
    yield command
    subprocess.run([*command, "down", "--volumes"], check=False, capture_output=True, env=nothing_said())


def nothing_said(**said):
    """The environment of a compose command; all that it must be told is."""
    return {
        **os.environ,
        "DATA": "/",
        "INPUT": "/",
        "OUTPUT": "/",
        "OWNER": "65532:65532",
        **{name: str(value) for name, value in said.items()},
    }


def test_a_model_is_trained_and_scores(engine, compose, images, data, output):
    """The second service finds the first one's model in the volume that they share."""
    said = nothing_said(
        DATA=data, INPUT=data, OUTPUT=output, OWNER=f"{USER}:{USER}", RECIPE="baseline",
        IMAGE=images.full, SCORE_IMAGE=images.score,
    )  # fmt: skip
    # podman-compose takes a container that is yet to be started for one that has ended, so it is told one by one.
    steps = [["up"]] if engine.name == "docker" else [["up", "train"], ["up", "--no-deps", "score"]]
    for step in steps:
        result = subprocess.run([*compose, *step], capture_output=True, text=True, check=False, env=said, timeout=900)
    assert (output / "_SUCCESS").exists(), result.stdout + result.stderr
    report = json.loads((output / "report.json").read_text())
    assert report["rows"]["scored"] == 600
    assert report["model"]["data"] == "data"
