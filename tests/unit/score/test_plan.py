import dataclasses
import itertools

import pytest
from support.files import csv_text, make_digits, write_csv, write_parquet

from job.errors import UsageError
from job.read.source import files_at, look
from job.score.plan import make_plan, parts_of_shard
from job.settings import ReadSettings, Review, ScoreSettings, Shard

SETTINGS = ScoreSettings(inputs=("in",), output="out", model="model", part_bytes=10_000)


@pytest.fixture
def sources(tmp_path, storage):
    """A CSV and a Parquet file in folders of different depth."""
    (tmp_path / "in/deep").mkdir(parents=True)
    write_csv(tmp_path / "in/a.csv", make_digits(20))
    write_parquet(tmp_path / "in/deep/b.parquet", make_digits(20), row_group_size=5)
    return look(storage, files_at(storage, [str(tmp_path / "in")]), ReadSettings())


def changed(source, **how):
    """The same source with a changed file."""
    return dataclasses.replace(source, file=dataclasses.replace(source.file, **how))


def test_parts_cover_every_file_once_and_in_order(sources):
    """The parts of an input are contiguous, and numbered through the whole run."""
    plan = make_plan(sources, SETTINGS, "digest")
    assert [part.index for part in plan.parts] == list(range(len(plan.parts)))
    for number, source in enumerate(sources):
        spans = [part.span for part in plan.parts_of(number)]
        assert len(spans) > 1
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
        assert spans == source.split(SETTINGS.part_bytes)


def test_the_plan_is_pure(sources):
    """The same inputs give the same plan."""
    assert make_plan(sources, SETTINGS, "digest") == make_plan(sources, SETTINGS, "digest")


def test_outputs_are_named_after_inputs_relative_to_their_common_folder(sources):
    """With the suffix of the prediction format."""
    names = [each.predictions for each in make_plan(sources, SETTINGS, "digest").inputs]
    assert names == ["predictions/a.csv", "predictions/deep/b.parquet"]
    as_csv = make_plan(sources, dataclasses.replace(SETTINGS, format="csv"), "digest")
    assert [each.predictions for each in as_csv.inputs] == ["predictions/a.csv", "predictions/deep/b.parquet.csv"]


def test_outputs_that_would_collide_are_refused(tmp_path, storage):
    """Two inputs never share a prediction file."""
    write_csv(tmp_path / "a", make_digits(3))
    write_csv(tmp_path / "a.csv", make_digits(3))
    files = files_at(storage, [str(tmp_path / "a"), str(tmp_path / "a.csv")])
    with pytest.raises(UsageError, match=r"a and a\.csv would both be written to predictions/a\.csv"):
        make_plan(look(storage, files, ReadSettings()), SETTINGS, "digest")


@pytest.mark.parametrize(
    ("name", "settings", "is_taken"),
    [
        ("prediction", {}, True),
        ("reject", {}, True),
        ("label", {}, True),
        ("label", {"read": ReadSettings(is_label_ignored=True, keep=("label",))}, False),
        ("p7", {}, False),
        ("p7", {"has_probabilities": True}, True),
    ],
)
def test_passthrough_columns_cannot_have_the_names_of_own_columns(tmp_path, storage, name, settings, is_taken):
    """A name that the predictions of the run do not use is free."""
    text = "".join(f"{line},7\n" for line in csv_text(make_digits(3)).splitlines())
    (tmp_path / "a.csv").write_text(text if name == "label" else text.replace(",7\n", f",{name}\n", 1))
    settings = dataclasses.replace(SETTINGS, **{"read": ReadSettings(keep=(name,)), **settings})
    sources = look(storage, files_at(storage, [str(tmp_path / "a.csv")]), settings.read)
    if is_taken:
        with pytest.raises(UsageError, match=rf"--keep {name}: the predictions of .*a\.csv already have a column"):
            make_plan(sources, settings, "digest")
    else:
        assert make_plan(sources, settings, "digest").inputs[0].source.passthrough_schema.names == [name]


@pytest.mark.parametrize(
    "setting",
    [
        {"format": "csv"},
        {"read": ReadSettings("label")},
        {"read": ReadSettings(is_label_ignored=True)},
        {"read": ReadSettings(scale="1")},
        {"read": ReadSettings(is_transposed=True)},
        {"read": ReadSettings(is_inverted=True)},
        {"read": ReadSettings(keep=("id",))},
        {"has_probabilities": True},
        {"escapes_formulas": True},
        {"review": Review(rows=5)},
        {"review": Review(pictures=("sheet",))},
    ],
)
def test_settings_that_change_the_output_change_the_fingerprint(sources, setting):
    """Runs with different output are different runs."""
    other = make_plan(sources, dataclasses.replace(SETTINGS, **setting), "digest")
    assert other.fingerprint != make_plan(sources, SETTINGS, "digest").fingerprint


@pytest.mark.parametrize("setting", [{"threads": 7}, {"part_bytes": 9_000}, {"block_rows": 3}, {"output": "else"}])
def test_other_settings_do_not_change_the_fingerprint(sources, setting):
    """Threads, sizes and the output folder do not affect the content."""
    other = make_plan(sources, dataclasses.replace(SETTINGS, **setting), "digest")
    assert other.fingerprint == make_plan(sources, SETTINGS, "digest").fingerprint


def test_model_and_input_versions_change_the_fingerprint(sources):
    """The model's digest, and each input's size and modification time."""
    fingerprints = {
        make_plan(sources, SETTINGS, "digest").fingerprint,
        make_plan(sources, SETTINGS, "other digest").fingerprint,
        make_plan([changed(sources[0], size=1), sources[1]], SETTINGS, "digest").fingerprint,
        make_plan([changed(sources[0], version="later"), sources[1]], SETTINGS, "digest").fingerprint,
    }
    assert len(fingerprints) == 4


def test_shards_divide_the_parts_among_themselves(sources):
    """Each part belongs to one shard, and every shard has parts of each large file; without shards, all are scored."""
    plan = make_plan(sources, dataclasses.replace(SETTINGS, part_bytes=4096), "digest")
    shards = [parts_of_shard(plan.parts, Shard(index, 3)) for index in range(3)]
    assert sorted((part for parts in shards for part in parts), key=lambda part: part.index) == list(plan.parts)
    assert all({part.input_index for part in parts} == {0, 1} for parts in shards)
    assert parts_of_shard(plan.parts, None) == list(plan.parts)


def test_bytes_of_parts_are_shares_of_the_stored_file(sources):
    """All parts of a file are nearly its size."""
    plan = make_plan(sources, SETTINGS, "digest")
    parts, size = plan.parts_of(0), sources[0].file.size
    assert size - len(parts) < plan.bytes_of(parts) <= size
    assert plan.bytes_of(parts[:1]) == size // len(parts)
    assert plan.bytes_of([]) == 0


def test_the_label_of_a_folder_is_part_of_the_fingerprint(storage, tmp_path):
    """A renamed folder is other input, though the file is the same."""
    (tmp_path / "in/label=3").mkdir(parents=True)
    write_csv(tmp_path / "in/label=3/a.csv", make_digits(3), has_labels=False)

    def fingerprint():
        found = look(storage, files_at(storage, [str(tmp_path / "in")]), ReadSettings())
        return make_plan(found, SETTINGS, "digest").fingerprint

    three = fingerprint()
    (tmp_path / "in/label=3").rename(tmp_path / "in/label=4")
    assert fingerprint() != three
