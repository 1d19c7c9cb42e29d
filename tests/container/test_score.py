"""The score image at work, as locked up as an operator may run it."""

import json
import uuid

import pytest
from container.engine import LOCKED, USER, wait_for
from support.files import make_digits, write_csv
from support.runs import files_below, stable_files

pytestmark = pytest.mark.container

# A part is scored in a quarter of a second or so: the run is in its midst when the first is seen.
SMALL = ["--memory=512m", "--memory-swap=512m", "--cpus=1"]


def mounts(source, output):
    """An input and an output folder, as the README says."""
    return [(source, "/input", "ro"), (output, "/output", "rw")]


def report(output):
    """What the report says."""
    return json.loads((output / "report.json").read_text())


def parts(output):
    """The committed parts of an unfinished run."""
    return [*output.glob("_parts/*.arrow")]


def is_tidy(output):
    """Whether nothing half-written is there."""
    return not [path for path in files_below(output) if path.endswith(".tmp")] and not (output / "predictions").exists()


def test_csv_and_parquet_are_scored_with_nothing_else_said(engine, images, t10k, output):
    """No network, a root that cannot be written, no capability, a user that nobody knows."""
    result = engine.run(images.score, options=LOCKED, volumes=mounts(t10k, output))
    assert result.returncode == 0, result.stderr
    assert "Scored 20,000 of 20,000 records in 2 files, 0 rejected" in result.stdout
    assert {path for path in files_below(output) if "/" in path} == {
        "predictions/t10k.csv", "predictions/t10k.parquet", "review/review.csv",
    }  # fmt: skip
    assert (output / "_SUCCESS").stat().st_uid == USER
    csv, parquet = report(output)["inputs"]
    assert csv["accuracy"] == parquet["accuracy"] > 0.3


def test_volumes_with_nothing_else_said(engine, images, data):
    """New volumes of the engine's own: the output can be written, by the image's user or by any other."""
    for options in ([], [f"--user={USER}"]):
        name = f"digit-job-test-{uuid.uuid4().hex[:12]}"
        try:
            result = engine.run(
                images.score, options=options, volumes=[(data, "/input", "ro"), (name, "/output", "rw")]
            )
            assert result.returncode == 0, result.stderr
            assert "goes when that goes" not in result.stderr
        finally:
            engine("volume", "rm", "--force", name)


def test_output_that_would_be_lost_is_warned_of(engine, images, data):
    """Where no output is mounted, and the root can be written."""
    result = engine.run(images.score, volumes=[(data, "/input", "ro")])
    assert result.returncode == 0, result.stderr
    assert "/output: is lost with the container" in result.stderr


def test_both_images_score_the_same(engine, images, t10k, output, tmp_path):
    """The larger one is the smaller one, and more."""
    other = tmp_path / "other"
    other.mkdir(mode=0o777)
    other.chmod(0o777)
    for image, folder in ((images.score, output), (images.full, other)):
        result = engine.run(image, options=LOCKED, volumes=mounts(t10k, folder))
        assert result.returncode == 0, result.stderr
    assert stable_files(output) == stable_files(other)


def test_a_large_file_in_little_memory(engine, images, large, output, figure):
    """1.28 GB of CSV in 512 MiB, on one core."""
    result = engine.run(images.score, options=[*LOCKED, *SMALL], volumes=mounts(large, output))
    assert result.returncode == 0, result.stderr
    assert report(output)["rows"] == {"read": 700_000, "scored": 700_000, "rejected": 0, "skipped": 0}
    assert json.loads((output / "manifest.json").read_text())["settings"]["threads"] == 1
    figure(
        f"1.28 GB of CSV in a container with 512 MiB and one core: {result.stdout.split(' in ')[-1].split('.')[0]} s"
    )


def test_memory_limits_the_threads(engine, images, t10k, output):
    """Where a container has more cores than its memory has room for threads."""
    result = engine.run(images.score, options=[*LOCKED, "--memory=256m"], volumes=mounts(t10k, output))
    assert result.returncode == 0, result.stderr
    assert json.loads((output / "manifest.json").read_text())["settings"]["threads"] == 1


def test_a_stopped_container_leaves_in_good_order_and_is_resumed(engine, images, large, output):
    """`stop` reaches the job: it ends with 143, at once, and the next container finishes its work."""
    name = engine.start(images.score, options=[*LOCKED, *SMALL], volumes=mounts(large, output))
    wait_for(lambda: parts(output))
    engine.said("stop", "--time", "30", name)
    code, said = engine.ended(name)
    assert code == 143, said
    assert "run the same command again to resume" in said
    assert is_tidy(output)
    committed = len(parts(output))
    assert committed
    result = engine.run(images.score, options=LOCKED, volumes=mounts(large, output))
    assert result.returncode == 0, result.stderr
    assert f"resuming, {committed} of " in result.stderr
    assert report(output)["rows"]["scored"] == 700_000


def test_four_shards_of_which_one_is_killed(engine, images, large, output, tmp_path):
    """Over one folder, byte for byte as a single run; the one that is killed is started again."""
    single = tmp_path / "single"
    single.mkdir()
    single.chmod(0o777)
    assert engine.run(images.score, options=LOCKED, volumes=mounts(large, single)).returncode == 0

    def shard(index):
        options = [*LOCKED, *SMALL, f"--env=JOB_COMPLETION_INDEX={index}", "--env=DIGIT_JOB_SHARD_COUNT=4"]
        return engine.start(images.score, options=options, volumes=mounts(large, output))

    killed = shard(2)
    wait_for(lambda: parts(output))
    engine.said("kill", "--signal=KILL", killed)
    assert engine.ended(killed)[0] == 137
    others = [shard(index) for index in (0, 1, 3)]
    assert [engine.ended(name)[0] for name in others] == [0, 0, 0]
    assert not (output / "_SUCCESS").exists()
    assert engine.ended(shard(2))[0] == 0
    assert stable_files(output) == stable_files(single)


@pytest.mark.parametrize(
    ("volumes", "code", "said"),
    [
        ("input", 74, "/output"),
        ("output", 66, "/input: found no file there"),
        ("read-only output", 74, "/output"),
        ("another's output", 74, "/output"),
        ("occupied output", 73, "/output: is not empty"),
    ],
)
def test_a_wrong_volume_gives_one_clear_line(engine, images, tmp_path, output, volumes, code, said):
    """Which is missing, or cannot be written, or holds something else, in words and by the exit code."""
    source = tmp_path / "in"
    source.mkdir()
    write_csv(source / "a.csv", make_digits(3))
    others = tmp_path / "others"
    others.mkdir()
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied/thesis.tex").write_text("")
    mounted = {
        "input": [(source, "/input", "ro")],
        "output": [(output, "/output", "rw")],
        "read-only output": [(source, "/input", "ro"), (output, "/output", "ro")],
        "another's output": mounts(source, others),
        "occupied output": mounts(source, tmp_path / "occupied"),
    }[volumes]
    result = engine.run(images.score, options=[*LOCKED, "--env=DIGIT_JOB_LOG_FORMAT=text"], volumes=mounted)
    assert result.returncode == code, result.stderr
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
