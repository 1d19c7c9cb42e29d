"""What a run writes has the modes that the umask leaves, whichever way it gets its name."""

import os
import stat

import pytest
from support.command import digit_job, invoke, start
from support.files import csv_text, make_digits


def modes_below(folder):
    """The modes of files and of folders below a folder, and itself."""
    paths = [folder, *folder.rglob("*")]
    status = [path.stat() for path in paths if path.name != "code"]
    return (
        {stat.S_IMODE(each.st_mode) for each in status if stat.S_ISREG(each.st_mode)},
        {stat.S_IMODE(each.st_mode) for each in status if stat.S_ISDIR(each.st_mode)},
    )


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755), (0o027, 0o640, 0o750)]
)
@pytest.mark.parametrize("is_unfinished", [True, False])
def test_modes_follow_the_umask(tmp_path, model, umask, file, folder, is_unfinished):
    """Results, parts, metrics and lineage events; no other user can write to the cache in any case."""
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(9)) + "1,2,3\n")
    process = start(
        "score", "--input", source, "--output", tmp_path / "out", "--model", model,
        "--max-rejects", "0" if is_unfinished else "5",
        "--metrics-file", tmp_path / "telemetry/a.prom", "--openlineage", tmp_path / "telemetry/a.jsonl",
        preexec_fn=lambda: os.umask(umask), XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == (65 if is_unfinished else 0), stderr
    for place in ("out", "telemetry"):
        assert modes_below(tmp_path / place) == ({file}, {folder}), place
    for found in (tmp_path / "cache").rglob("*"):
        assert not stat.S_IMODE(found.stat().st_mode) & (0o022 if umask != 0o077 else 0o077), found


@pytest.mark.parametrize("umask", [0o777, 0o200, 0o100])
def test_a_umask_that_makes_files_unusable_is_refused(tmp_path, model, umask):
    """Before anything is written."""
    process = start(
        "score", "--input", tmp_path, "--output", tmp_path / "out", "--model", model, preexec_fn=lambda: os.umask(umask)
    )
    _, stderr = process.communicate(timeout=300)
    assert (process.returncode, f"the umask {umask:04o} takes away" in stderr) == (2, True), stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("umask", "file", "folder"), [(0o077, 0o600, 0o700), (0o027, 0o640, 0o750)])
def test_modes_of_all_that_other_commands_write(tmp_path, umask, file, folder):
    """Models, exports, events, samples, searches, comparisons and figures."""
    model, csv = tmp_path / "model", tmp_path / "sample/test.csv"
    small = ["--data", "digits", "--recipe", "baseline"]
    commands = [
        ["train", *small, "--model", model, "--epochs", 1, "--hidden", 8, "--tensorboard", tmp_path / "events"],
        ["sample", "--model", model, "--output", tmp_path / "sample"],
        ["export", model, "--to", "saved-model", "--output", tmp_path / "exports/saved"],
        ["export", model, "--to", "onnx", "--output", tmp_path / "exports/a.onnx"],
        ["score", "--input", csv, "--output", tmp_path / "a", "--model", model],
        ["score", "--input", csv, "--output", tmp_path / "b", "--model", tmp_path / "exports/a.onnx"],
        ["report", tmp_path / "a", "--figures", tmp_path / "slides"],
        ["compare", tmp_path / "a", tmp_path / "b", "--json", tmp_path / "compared/a.json"],
        ["tune", *small, "--trials", 1, "--epochs", 1, "--output", tmp_path / "search"],
    ]
    before = os.umask(umask)
    try:
        for command in commands:
            # TensorBoard's callback warns of what its libraries do, which is an error in the tests' own process.
            result = (digit_job if command[0] == "train" else invoke)(*command)
            assert result.returncode == 0, result.stderr
    finally:
        os.umask(before)
    tmp_path.chmod(folder)  # pytest made it
    files, folders = modes_below(tmp_path)
    assert (files, folders) == ({file}, {folder})
    assert len({each.suffix for each in tmp_path.rglob("*")}) > 8
