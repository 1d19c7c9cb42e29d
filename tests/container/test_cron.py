"""What cron calls, with a real engine."""

import json
import os
import subprocess
from datetime import UTC, datetime

import pytest
from container.engine import ROOT, wait_for
from support.files import make_digits, write_csv

pytestmark = pytest.mark.container


def nightly(engine, images, source, output, *options):
    """The wrapper, started. options: its own."""
    # Gates are tested elsewhere, and the model of the image may be a stand-in, which is a warning.
    said = {"IMAGE": images.score, "ENGINE": engine.name, "RUN_OPTIONS": "--cpus=1"}
    said |= {"DIGIT_JOB_MAX_WARNINGS": "", "DIGIT_JOB_MAX_DRIFT": ""}
    return subprocess.Popen(
        [ROOT / "docker/cron/nightly.sh", *options, source, output],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **said},
    )  # fmt: skip


def test_two_nights_do_not_overlap(engine, images, large, tmp_path):
    """While the first run is at work, the second is not begun, and says so; the first says nothing."""
    output = tmp_path / "out"
    first = nightly(engine, images, large, output)
    wait_for(lambda: [*output.glob("*/_parts/*.arrow")])
    second = nightly(engine, images, large, output)
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 75, said
    assert "still at work" in said
    said, _ = first.communicate(timeout=600)
    assert (first.returncode, said) == (0, "")
    folders = [path.name for path in output.iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert datetime.strptime(folders[0], "%Y-%m-%d").replace(tzinfo=UTC)
    assert (output / folders[0] / "_SUCCESS").exists()


def test_a_stopped_night_is_gone_on_with(engine, images, large, tmp_path):
    """A signal to the wrapper reaches digit-job in its container."""
    output = tmp_path / "out"
    first = nightly(engine, images, large, output)
    wait_for(lambda: [*output.glob("*/_parts/*.arrow")])
    first.terminate()
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 143, said
    assert "the next run goes on" in said
    assert not [*output.glob("*/_SUCCESS")]
    second = nightly(engine, images, large, output)
    assert second.communicate(timeout=600)[0] == ""
    assert "resuming" in next(output.glob("*.log")).read_text()


def test_each_night_scores_what_is_new(engine, images, tmp_path):
    """What earlier nights did, the container sees beside its own folder; and no container runs as root."""
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    source.chmod(0o755)  # for the container's user

    def night():
        said, _ = nightly(engine, images, source, output, "--only-new").communicate(timeout=600)
        assert said == ""
        return [path for path in output.glob("2*") if path.is_dir() and path.name > "2020-01-02"]

    write_csv(source / "a.csv", make_digits(600))
    (first,) = night()
    assert (first / "_SUCCESS").stat().st_uid != 0
    first.rename(output / "2020-01-01")
    assert night() == []
    write_csv(source / "b.csv", make_digits(600, seed=1))
    (second,) = night()
    assert [each["path"] for each in json.loads((second / "manifest.json").read_text())["inputs"]] == ["/input/b.csv"]
