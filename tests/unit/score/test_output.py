import os
import shutil

import pytest
from support.runs import files_below

from job.errors import OutputOccupied, StorageError
from job.score.output import ClaimState, Output
from job.score.plan import Part, Plan
from job.settings import Shard

PLAN = Plan((), (Part(0, 0, (0, 1)), Part(1, 0, (1, 2))), "this run")
OTHER = Plan((), (), "another run")


@pytest.fixture
def output(storage, tmp_path):
    return Output(storage, str(tmp_path / "out"))


def claim(output, plan=PLAN, part_bytes=100, arithmetic="these digits", *, is_overwriting=False):
    return output.claim(plan, part_bytes, arithmetic, is_overwriting=is_overwriting)


def test_a_run_can_begin_in_a_missing_or_empty_folder(storage, tmp_path):
    """`lost+found` and hidden files do not count."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "volume/lost+found").mkdir(parents=True)
    (tmp_path / "volume/.hidden").write_text("")
    for name in ("absent", "empty", "volume"):
        assert claim(Output(storage, str(tmp_path / name))).state is ClaimState.BEGIN


def test_an_unfinished_run_is_resumed(output, tmp_path):
    """With the parts that are committed."""
    claim(output)
    (tmp_path / "out/_parts/000001.arrow").write_bytes(b"a part")
    assert claim(output).state is ClaimState.RESUME
    assert output.committed(PLAN) == [PLAN.parts[1]]


def test_a_finished_run_is_done(output, tmp_path):
    """Nothing remains to be done, and the parts are removed."""
    claim(output).finish()
    assert claim(output).state is ClaimState.DONE
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_SUCCESS"]


@pytest.mark.parametrize("is_finished", [True, False])
def test_another_run_s_output_is_refused(output, is_finished):
    """Output of another run, finished or not, is only replaced with --overwrite."""
    other = claim(output, OTHER)
    if is_finished:
        other.finish()
    with pytest.raises(OutputOccupied, match="over other inputs, another model or other settings"):
        claim(output)
    assert claim(output, is_overwriting=True).state is ClaimState.BEGIN
    assert not other.is_finished()


def test_a_run_on_another_kind_of_processor_cannot_resume(output):
    """Predictions that are rounded in two ways are never mixed; a finished run stays finished."""
    first = claim(output)
    with pytest.raises(OutputOccupied, match="computed by these digits, and here it would be other digits"):
        claim(output, arithmetic="other digits")
    first.finish()
    assert claim(output, arithmetic="other digits").state is ClaimState.DONE


def test_a_run_that_another_kind_of_processor_begins_meanwhile(output, tmp_path):
    """Whichever claims the folder first; a claim is checked with every commit."""
    first = claim(output)
    shutil.rmtree(tmp_path / "out")
    claim(output, arithmetic="other digits")
    with pytest.raises(OutputOccupied, match="computed by other digits, and here it would be these digits"):
        first.check()


def test_a_run_with_another_part_size_cannot_resume(output):
    """Parts of two sizes are never mixed."""
    claim(output, part_bytes=100)
    with pytest.raises(OutputOccupied, match="unfinished with --part-bytes 100, which must stay the same"):
        claim(output, part_bytes=200)


def test_overwriting_removes_only_what_runs_write(output, tmp_path):
    """Other files survive --overwrite."""
    claim(output, OTHER)
    (tmp_path / "out/notes.txt").write_text("mine")
    (tmp_path / "out/report.html").write_text("theirs")
    claim(output, is_overwriting=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_parts", "notes.txt"]


def test_of_two_runs_at_once_one_claims_the_folder(output, storage, monkeypatch):
    """If another run claims it after this one has listed it, this one is refused."""

    def beaten(path, content):
        claim(Output(type(storage)(), output.folder), OTHER)
        return type(storage).create(storage, path, content)

    monkeypatch.setattr(storage, "create", beaten)
    with pytest.raises(OutputOccupied, match="was claimed by another run meanwhile"):
        claim(output)


def test_of_two_identical_runs_at_once_the_second_resumes(output, storage, monkeypatch):
    """Both go on."""

    def beaten(path, content):
        claim(Output(type(storage)(), output.folder))
        return type(storage).create(storage, path, content)

    monkeypatch.setattr(storage, "create", beaten)
    assert claim(output).state is ClaimState.RESUME


def test_a_temporary_claim_does_not_occupy_the_folder(output, tmp_path):
    """A process that has only made `_parts` and a temporary file has claimed nothing."""
    (tmp_path / "out/_parts").mkdir(parents=True)
    (tmp_path / "out/_parts/.0123.tmp").write_text("half a claim")
    assert claim(output).state is ClaimState.BEGIN


@pytest.mark.parametrize("content", ["not json", "[]", "null", '{"fingerprint": "else"}'])
def test_a_foreign_run_json_is_refused(output, tmp_path, content):
    """A run resumes only from its own run.json."""
    (tmp_path / "out/_parts").mkdir(parents=True)
    (tmp_path / "out/_parts/run.json").write_text(content)
    with pytest.raises(OutputOccupied):
        claim(output)


@pytest.mark.parametrize("name", ["_SUCCESS", "_parts/run.json"])
def test_a_pipe_is_not_waited_for(output, tmp_path, name):
    """It is no file of a run; --overwrite removes it."""
    (tmp_path / "out/_parts").mkdir(parents=True)
    os.mkfifo(tmp_path / "out" / name)
    with pytest.raises(OutputOccupied):
        claim(output)
    assert claim(output, is_overwriting=True).state is ClaimState.BEGIN


@pytest.mark.parametrize("name", ["_SUCCESS", "_parts/run.json"])
def test_a_file_that_cannot_be_read_is_not_taken_for_missing(output, tmp_path, monkeypatch, storage, name):
    """A disk that fails for a moment must not turn finished output into another run's."""
    found = claim(output)
    if name == "_SUCCESS":
        found.finish()
    read = type(storage).read

    def fail(self, path):
        if path == str(tmp_path / "out" / name):
            raise StorageError(f"{path}: Input/output error")
        return read(self, path)

    monkeypatch.setattr(type(storage), "read", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        claim(output)


def test_a_claim_commits_files_through_the_parts_folder(output, tmp_path):
    """So that a temporary file of a killed process is removed with the parts."""
    with claim(output).commit(output.report_json) as file:
        file.write(b"{}")
        assert {path.name for path in (tmp_path / "out/_parts").iterdir()} > {"run.json"}
    assert (tmp_path / "out/report.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["report.json", "_parts/000001.arrow", "_SUCCESS"])
def test_a_lost_claim_commits_nothing(output, storage, tmp_path, name):
    """Another run has claimed the folder with --overwrite while a file was being written."""

    def meanwhile():
        claim(Output(storage, output.folder), OTHER, is_overwriting=True)

    ours = claim(output)
    with (
        pytest.raises(OutputOccupied, match="out: was claimed by another run meanwhile"),
        ours.commit(output.path(name)),
    ):
        meanwhile()
    ours.remove_parts()
    assert files_below(tmp_path / "out").keys() == {"_parts/run.json"}


def test_a_claim_writes_whole_files(output, tmp_path):
    """Under the same conditions."""
    ours = claim(output)
    ours.write(output.report_json, b"{}")
    assert (tmp_path / "out/report.json").read_bytes() == b"{}"
    claim(output, OTHER, is_overwriting=True)
    with pytest.raises(OutputOccupied):
        ours.write(output.report_json, b"other")
    assert not (tmp_path / "out/report.json").exists()


def test_missing_parts_are_those_of_other_shards(output, tmp_path):
    """A missing part of this shard, or of a run that has finished elsewhere, is a storage error."""
    ours = claim(output)
    (tmp_path / "out/_parts/000000.arrow").write_bytes(b"a part")
    assert ours.missing_parts(Shard(0, 2)) == [PLAN.parts[1]]
    for shard in (None, Shard(1, 2)):
        with pytest.raises(StorageError, match="_parts: a part was removed while the run was writing"):
            ours.missing_parts(shard)
    claim(output).finish()
    with pytest.raises(StorageError, match="a part was removed"):
        ours.missing_parts(Shard(0, 2))


def test_a_removed_claim_commits_nothing(output, tmp_path):
    """Without run.json nobody knows whose folder it is."""
    ours = claim(output)
    with pytest.raises(StorageError, match=r"_parts/run\.json: was removed"), ours.commit(output.report_json):
        (tmp_path / "out/_parts/run.json").unlink()
    assert not (tmp_path / "out/report.json").exists()


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("predictions/a.csv", True), ("rejects/a.csv.jsonl", True), ("report.json", True), ("_parts/run.json", True),
        ("a.csv", False), ("predictions.csv", False), ("mine/predictions/a.csv", False),
    ],
)  # fmt: skip
def test_paths_that_runs_write_to_are_recognised(output, name, is_ours):
    """Output and input may share a folder."""
    assert output.holds(output.path(name)) == is_ours


def test_output_that_appears_during_the_claim_is_not_overwritten(output, storage, monkeypatch, tmp_path):
    """If another run starts and finishes after this one has listed the folder, this one is refused."""
    create = type(storage).create

    def beaten(path, content):
        monkeypatch.undo()
        other = Output(storage, output.folder)
        claim(other, OTHER).finish()
        return create(storage, path, content)

    monkeypatch.setattr(storage, "create", beaten)
    with pytest.raises(OutputOccupied, match=r"is not empty any more \(_SUCCESS\)"):
        claim(output)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_SUCCESS"]


def test_a_file_that_appears_between_read_and_stat_is_read(output, storage, monkeypatch, tmp_path):
    """An identical run has just finished."""
    ours = claim(output)
    stat = type(storage).stat

    def meanwhile(path):
        (tmp_path / "out/_SUCCESS").write_text(PLAN.fingerprint)
        return stat(storage, path)

    monkeypatch.setattr(storage, "stat", meanwhile)
    assert ours.is_finished()


@pytest.mark.parametrize("content", [b"{", b"7", b"\xff", b"[" * 100_000], ids=["cut", "number", "no text", "deep"])
def test_a_damaged_run_json_is_refused(output, tmp_path, content):
    """It is not known to be this run's."""
    claim(output)
    (tmp_path / "out/_parts/run.json").write_bytes(content)
    with pytest.raises(OutputOccupied, match="is not empty"):
        claim(output)


@pytest.mark.parametrize("name", ["_parts", "predictions", "rejects"])
def test_nothing_is_written_through_a_link_to_another_folder(output, tmp_path, name):
    """Who can write to the output folder could have files of that folder's owner replaced."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    if name != "_parts":
        claim(output)
    (tmp_path / "out" / name).symlink_to("../elsewhere")
    with pytest.raises(OutputOccupied, match=f"'{name}' leads out of the folder"):
        claim(output)
    assert not list((tmp_path / "elsewhere").iterdir())
