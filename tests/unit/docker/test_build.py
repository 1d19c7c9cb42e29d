"""What `make image` asks of an engine, with a stand-in for it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[3] / "docker/build.py"
CARD = {"files": {"model.onnx": "1", "model.keras": "2"}, "name": "dense", "data": {"name": "digits"}}
# Notes how it is called, and what pip is told; shows a card where one is asked for.
ENGINE = """#!/bin/sh
echo "$@" >> "$CALLS"
for each in "$@"; do
  case $each in
    id=pip_conf,src=*) cp "${each#id=pip_conf,src=}" "$CALLS.pip" ;;
    */labels/Dockerfile) cat "$each" >> "$CALLS.labels" ;;
  esac
done
[ "$1" = run ] && cat "$CALLS.card"
exit "${CODE:-0}"
"""


@pytest.fixture
def build(tmp_path):
    """Build with a stand-in for podman; gives the exit code, what was said, and how the engine was called."""
    calls, engine = tmp_path / "calls", tmp_path / "bin/podman"
    engine.parent.mkdir()
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    card = {**CARD, "metrics": {"test": {"accuracy": 0.98765}}}
    (tmp_path / "calls.card").write_text(json.dumps(card))

    def run(*arguments, config="", **environment):
        (tmp_path / "pip.conf").write_text(config)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        settings = tmp_path / "pip.conf" if config else os.devnull
        result = subprocess.run(
            [sys.executable, BUILD, "--engine", "podman", *map(str, arguments)],
            env={
                **clean, "PATH": f"{engine.parent}:{clean['PATH']}", "CALLS": str(calls), "HOME": str(tmp_path),
                "PIP_CONFIG_FILE": str(settings), **environment,
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return result.returncode, result.stderr, calls.read_text().splitlines() if calls.exists() else []

    return run


def test_both_images_are_built_and_labelled(build, tmp_path):
    """With what git and the model's card say."""
    code, said, calls = build("--tag", "mine")
    assert code == 0, said
    assert [call.split()[0] for call in calls] == ["build", "build", "run", "build", "build"]
    assert "--tag mine:score --target score" in calls[0]
    assert "--tag mine /" in calls[1]
    digest = hashlib.sha256(b"model.keras 2\nmodel.onnx 1\n").hexdigest()
    labels = (tmp_path / "calls.labels").read_text()
    assert re.findall("^FROM (.*)$", labels, re.MULTILINE) == ["mine:score", "mine"]
    for label in (
        f'digit-job.model.digest="{digest}"', 'digit-job.model.data="digits"', 'digit-job.model.accuracy="0.9877"',
        'org.opencontainers.image.version="0.1.0"', "org.opencontainers.image.revision=",
        "org.opencontainers.image.source=", "org.opencontainers.image.created=",
    ):  # fmt: skip
        assert labels.count(f"LABEL {label}") == 2, label


def test_an_engine_that_fails_ends_it(build):
    """With the engine's own code, and nothing is tried after."""
    code, _, calls = build(CODE="125")
    assert code == 125
    assert len(calls) == 1


def test_data_and_base_are_passed_on(build, tmp_path):
    """The folder of MNIST's files as a build context; a folder that is not there is an error."""
    _, _, calls = build("--mnist", tmp_path, "--base-image", "debian", "--build-arg", "TRAIN_ARGUMENTS=--epochs 1")
    assert f"--build-context mnist={tmp_path} " in calls[0]
    assert "--build-arg BASE_IMAGE=debian " in calls[0]
    assert "--build-arg TRAIN_ARGUMENTS=--epochs 1 " in calls[0]
    code, said, _ = build("--mnist", tmp_path / "none")
    assert code == 1
    assert "none" in said


def test_other_data_makes_another_model(build, tmp_path):
    """What stands in for the data in the engine's cache changes with any file of it."""
    said = []
    for content in ("one", "other"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data/train.csv").write_text(content)
        _, _, calls = build("--mnist", tmp_path / "data")
        said.append(re.findall(r"DATA_VERSION=(\w+)", "".join(calls))[-1])
    assert said[0] != said[1]


def test_packages_come_from_where_pip_takes_them(build, tmp_path):
    """Indexes and certificates as secrets, folders of this machine as volumes; the environment goes before files."""
    (tmp_path / "index/simple").mkdir(parents=True)
    certificates = tmp_path / "ca.crt"
    config = f"[global]\nindex-url = https://me:word@example.org/simple\ncert = {certificates}\nquiet = 1\n"
    _, _, calls = build(config=config, PIP_EXTRA_INDEX_URL=f"file://{tmp_path}/index/simple")
    assert f"--secret id=ca,src={certificates} " in calls[0]
    assert f"--volume {tmp_path}/index:{tmp_path}/index:ro " in calls[0]
    assert "example.org" not in "".join(calls)
    told = (tmp_path / "calls.pip").read_text().splitlines()
    assert told[0] == "[global]"
    assert {
        "cert = /run/secrets/ca", "index-url = https://me:word@example.org/simple",
        f"extra-index-url = file://{tmp_path}/index/simple",
    } == {*told[1:]}  # fmt: skip


def test_docker_is_told_of_folders_that_it_cannot_see(build, tmp_path):
    """Before it begins to build."""
    (tmp_path / "index/simple").mkdir(parents=True)
    code, said, calls = build("--engine", "docker", PIP_EXTRA_INDEX_URL=f"file://{tmp_path}/index/simple")
    assert code == 1
    assert "build with podman" in said
    assert not calls
