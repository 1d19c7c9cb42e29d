"""docker/run.sh: one container, which never runs as root."""

import os
import subprocess
from pathlib import Path

import pytest
from support.scripts import write_script

SCRIPT = Path(__file__).parents[3] / "docker/run.sh"


@pytest.fixture
def run(tmp_path):
    """Call the script, by default as root; returns its exit code, what it said and how it called the engine."""
    (tmp_path / "in").mkdir()
    write_script(tmp_path / "bin/docker", '#!/bin/sh\n[ "$1" = info ] || echo "$@" >"$FOLDER/call"\n')
    write_script(tmp_path / "bin/id", '#!/bin/sh\necho "$ID"\n')
    # What `stat` would say of a folder stands in a file beside it.
    write_script(tmp_path / "bin/stat", '#!/bin/sh\ncat "$3.owner" 2>/dev/null || echo 0\n')
    write_script(tmp_path / "bin/chown", '#!/bin/sh\necho "$@" >"$FOLDER/chown"\n')

    def call(output, *flags, user=0, **variables):
        said = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "FOLDER": str(tmp_path), "ID": str(user), **variables}
        command = [SCRIPT, tmp_path / "in", output, *flags]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=said)
        calls = tmp_path / "call"
        return ended.returncode, ended.stderr, calls.read_text() if calls.exists() else ""

    return call


def test_a_user_runs_as_themselves(run, tmp_path):
    """Their results are theirs."""
    code, _, call = run(tmp_path / "out", user=1234)
    assert code == 0
    assert "--user 1234:1234 " in call
    assert not (tmp_path / "chown").exists()


def test_root_runs_as_the_owner_of_the_output(run, tmp_path):
    """Whoever the folder belongs to can write it; nothing need be changed."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out.owner").write_text("1001\n")
    code, _, call = run(tmp_path / "out")
    assert code == 0
    assert "--user 1001:1001 " in call
    assert not (tmp_path / "chown").exists()


@pytest.mark.parametrize(("owner", "expected"), [("1001", "1001:1001"), ("0", "65532:65532")])
def test_a_folder_that_root_makes_is_not_roots(run, tmp_path, owner, expected):
    """It is for the owner of the folder around it, or else for the user of the image."""
    (tmp_path / "nights").mkdir()
    (tmp_path / "nights.owner").write_text(owner)
    code, _, call = run(tmp_path / "nights/2026-01-31")
    assert code == 0
    assert f"--user {expected} " in call
    assert (tmp_path / "chown").read_text() == f"-h {expected} {tmp_path}/nights/2026-01-31\n"


def test_a_folder_of_roots_is_refused(run, tmp_path):
    """It is not taken from root unasked, and nobody else can write it."""
    (tmp_path / "out").mkdir()
    code, said, call = run(tmp_path / "out")
    assert (code, call) == (73, "")
    assert said.startswith(f"{tmp_path}/out: belongs to root, as whom no container is run; give it to another user")


def test_root_follows_no_link(run, tmp_path):
    """Whoever can write to the folder around it would choose where root makes results."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere.owner").write_text("1001")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    code, said, call = run(tmp_path / "out")
    assert (code, call) == (73, "")
    assert "is a link, which is not followed as root" in said


def test_the_folder_of_earlier_results_is_mounted(run, tmp_path):
    """To be read only; and what nightly.sh keeps of days that it has removed."""
    (tmp_path / "my nights").mkdir()
    call = run(tmp_path / "out", "--keep", "id", user=1234, DONE=str(tmp_path / "my nights"))[2]
    assert call.endswith(f"--volume {tmp_path}/my nights:/done:ro digit-job:score score --skip-done /done --keep id\n")
    (tmp_path / "my nights/.done").mkdir()
    call = run(tmp_path / "out", user=1234, DONE=str(tmp_path / "my nights"))[2]
    assert call.endswith("score --skip-done /done --skip-done /done/.done\n")
