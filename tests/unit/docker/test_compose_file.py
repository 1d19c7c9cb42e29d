"""docker/compose.yaml: what it must be told, and what it makes of it; tests/container runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from job.cli.app import app

FILE = Path(__file__).parents[3] / "docker/compose.yaml"
TOLD = {"DATA": "/train", "INPUT": "/in", "OUTPUT": "/out", "OWNER": "1000:1000"}


def configured(**variables):
    """What podman-compose, which needs no engine for this, makes of the file."""
    command = [Path(sys.executable).with_name("podman-compose"), "--file", FILE, "config"]
    said = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=said)


def test_results_belong_to_the_owner_that_is_told():
    """The score service runs as they."""
    result = configured(**TOLD)
    assert result.returncode == 0, result.stderr
    services = yaml.safe_load(result.stdout)["services"]
    assert services["score"]["user"] == "1000:1000"
    assert "/out:/output" in services["score"]["volumes"]
    assert {each["network_mode"] for each in services.values()} == {"none"}


@pytest.mark.parametrize("name", TOLD)
def test_what_has_no_default_is_asked_for(name):
    """Before anything is trained: by the variable's name, and what it is for."""
    result = configured(**{each: value for each, value in TOLD.items() if each != name})
    assert result.returncode != 0
    meaning = {"DATA": "train on", "INPUT": "folder to score", "OUTPUT": "for the results", "OWNER": "own the folder"}
    assert meaning[name] in result.stderr + result.stdout


def test_every_variable_stands_in_its_first_lines():
    """And no other does."""
    text = FILE.read_text()
    head = text.split("name: digit-job")[0]
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert used == {"DATA", "INPUT", "OUTPUT", "OWNER", "IMAGE", "SCORE_IMAGE", "RECIPE"}
    assert all(re.search(rf"\b{name}\b", head) for name in used)


def test_training_with_other_data_replaces_the_model():
    """The volume keeps the model of the time before; every variable is one that the service's command reads."""
    services = yaml.safe_load(configured(**TOLD).stdout)["services"]
    assert services["train"]["environment"]["DIGIT_JOB_TRAIN_OVERWRITE"] == "true"
    for name in ("train", "score"):
        read = {each.envvar for each in get_command(app).commands[name].params}
        assert set(services[name]["environment"]) <= read
