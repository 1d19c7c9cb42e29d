import pytest
from support.runs import files_below

from job.errors import OutputOccupied, StorageError
from job.score.output import ClaimState, Output
from job.score.plan import Part, Plan

PLAN = Plan((), (Part(0, 0, (0, 1)), Part(1, 0, (1, 2))), "this run")
OTHER = Plan((), (), "another run")


@pytest.fixture
def output(storage, tmp_path):
    return Output(storage, str(tmp_path / "out"))


def claim(output, plan=PLAN, part_bytes=100, *, is_overwriting=False):
    return output.claim(plan, part_bytes, is_overwriting=is_overwriting)


def test_an_absent_an_empty_and_a_fresh_volume_s_folder_can_be_begun_in(storage, tmp_path):
    """Nothing, an empty folder, and what a new volume comes with are all empty."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "volume/lost+found").mkdir(parents=True)
    (tmp_path / "volume/.hidden").write_text("")
    for name in ("absent", "empty", "volume"):
        assert claim(Output(storage, str(tmp_path / name))).state is ClaimState.BEGIN


def test_a_begun_run_is_resumed(output, tmp_path):
    """The same run on its own unfinished output goes on, with the parts that are there."""
    claim(output)
    (tmp_path / "out/_parts/000001.arrow").write_bytes(b"a part")
    assert claim(output).state is ClaimState.RESUME
    assert output.committed(PLAN) == [PLAN.parts[1]]


def test_a_finished_run_is_done_and_tidy(output, tmp_path):
    """_SUCCESS of the same run means that nothing is to be done; parts are gone."""
    claim(output).finish()
    assert claim(output).state is ClaimState.DONE
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_SUCCESS"]


@pytest.mark.parametrize("is_finished", [True, False])
def test_another_run_s_output_is_refused(output, is_finished):
    """Neither finished nor unfinished output of another run is touched, unless overwriting."""
    other = claim(output, OTHER)
    if is_finished:
        other.finish()
    with pytest.raises(OutputOccupied, match="over other inputs, another model or other settings"):
        claim(output)
    assert claim(output, is_overwriting=True).state is ClaimState.BEGIN
    assert not other.is_finished()


def test_other_part_bytes_cannot_resume(output):
    """Parts of two sizes are never mixed."""
    claim(output, part_bytes=100)
    with pytest.raises(OutputOccupied, match="unfinished with --part-bytes 100, which must stay the same"):
        claim(output, part_bytes=200)


def test_overwriting_removes_what_runs_write_and_nothing_else(output, tmp_path):
    """Files that no run writes survive --overwrite."""
    claim(output, OTHER)
    (tmp_path / "out/notes.txt").write_text("mine")
    (tmp_path / "out/report.html").write_text("theirs")
    claim(output, is_overwriting=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_parts", "notes.txt"]


def test_of_two_runs_that_begin_at_once_one_gets_the_folder(output, storage, monkeypatch):
    """Where another run claims the folder between the look and the claim, this one is refused."""

    def beaten(path, content):
        claim(Output(type(storage)(), output.folder), OTHER)
        return type(storage).create(storage, path, content)

    monkeypatch.setattr(storage, "create", beaten)
    with pytest.raises(OutputOccupied, match="was taken by another run meanwhile"):
        claim(output)


def test_of_two_identical_runs_that_begin_at_once_the_second_resumes(output, storage, monkeypatch):
    """Where the same run claims the folder between the look and the claim, both go on."""

    def beaten(path, content):
        claim(Output(type(storage)(), output.folder))
        return type(storage).create(storage, path, content)

    monkeypatch.setattr(storage, "create", beaten)
    assert claim(output).state is ClaimState.RESUME


def test_a_folder_in_which_a_run_is_just_beginning_can_be_begun_in(output, tmp_path):
    """A run that got no further than making the folder of the parts claims nothing."""
    (tmp_path / "out/_parts").mkdir(parents=True)
    (tmp_path / "out/_parts/.0123.tmp").write_text("half a claim")
    assert claim(output).state is ClaimState.BEGIN


@pytest.mark.parametrize("content", ["not json", "[]", "null", '{"fingerprint": "else"}'])
def test_a_run_file_of_somebody_else_is_no_run_of_ours(output, tmp_path, content):
    """Whatever stands in run.json, only this run's own content lets it resume."""
    (tmp_path / "out/_parts").mkdir(parents=True)
    (tmp_path / "out/_parts/run.json").write_text(content)
    with pytest.raises(OutputOccupied):
        claim(output)


@pytest.mark.parametrize("name", ["_SUCCESS", "_parts/run.json"])
def test_a_file_that_cannot_be_read_is_not_one_that_is_absent(output, tmp_path, monkeypatch, storage, name):
    """Or a disk that fails for a moment would make finished output look like another's."""
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


def test_a_file_is_committed_by_the_run_that_has_the_folder(output, tmp_path):
    """Under its name when it is whole, and by way of the parts, where what a killed process leaves goes away."""
    with claim(output).commit(output.report_json) as file:
        file.write(b"{}")
        assert {path.name for path in (tmp_path / "out/_parts").iterdir()} > {"run.json"}
    assert (tmp_path / "out/report.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["report.json", "_parts/000001.arrow", "_SUCCESS"])
def test_a_run_that_lost_the_folder_commits_nothing_there(output, storage, tmp_path, name):
    """Another has taken it, with --overwrite, while a file was being written."""

    def meanwhile():
        claim(Output(storage, output.folder), OTHER, is_overwriting=True)

    ours = claim(output)
    with (
        pytest.raises(OutputOccupied, match="out: was taken by another run meanwhile"),
        ours.commit(output.path(name)),
    ):
        meanwhile()
    ours.tidy()
    assert files_below(tmp_path / "out").keys() == {"_parts/run.json"}


def test_a_run_whose_claim_is_gone_commits_nothing(output, tmp_path):
    """Somebody removed it: who has the folder is not known."""
    ours = claim(output)
    with pytest.raises(StorageError, match=r"_parts/run\.json: is gone"), ours.commit(output.report_json):
        (tmp_path / "out/_parts/run.json").unlink()
    assert not (tmp_path / "out/report.json").exists()


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("predictions/a.csv", True), ("rejects/a.csv.jsonl", True), ("report.json", True), ("_parts/run.json", True),
        ("a.csv", False), ("predictions.csv", False), ("mine/predictions/a.csv", False),
    ],
)  # fmt: skip
def test_what_runs_write_is_told_from_what_lies_beside_it(output, name, is_ours):
    """Output and input may share a folder."""
    assert output.holds(output.path(name)) == is_ours


def test_what_came_while_the_folder_was_looked_at_is_not_written_over(output, storage, monkeypatch, tmp_path):
    """Another run, from its start to its end, between the look and the claim: refused, and its output as it was."""
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


def test_a_file_that_comes_between_two_looks_at_it_is_read(output, storage, monkeypatch, tmp_path):
    """Neither absent nor unreadable: an identical run has just finished."""
    ours = claim(output)
    stat = type(storage).stat

    def meanwhile(path):
        (tmp_path / "out/_SUCCESS").write_text(PLAN.fingerprint)
        return stat(storage, path)

    monkeypatch.setattr(storage, "stat", meanwhile)
    assert ours.is_finished()


@pytest.mark.parametrize("content", [b"{", b"7", b"\xff"])
def test_a_damaged_note_of_the_run_is_somebody_elses(output, tmp_path, content):
    """What is not known to be this run's is not resumed."""
    claim(output)
    (tmp_path / "out/_parts/run.json").write_bytes(content)
    with pytest.raises(OutputOccupied, match="is not empty"):
        claim(output)
