import dataclasses
import itertools

import pytest
from support.files import csv_text, make_digits, write_csv, write_parquet

from job.errors import UsageError
from job.read.source import files_at, look
from job.score.plan import make_plan
from job.settings import ReadSettings, ScoreSettings

SETTINGS = ScoreSettings(inputs=("in",), output="out", model="model", part_bytes=10_000)


@pytest.fixture
def sources(tmp_path, storage):
    """A CSV and a Parquet file in folders of different depth."""
    (tmp_path / "in/deep").mkdir(parents=True)
    write_csv(tmp_path / "in/a.csv", make_digits(20))
    write_parquet(tmp_path / "in/deep/b.parquet", make_digits(20), row_group_size=5)
    return look(storage, files_at(storage, [str(tmp_path / "in")]), ReadSettings())


def changed(source, **how):
    """The same source over a file that differs in something."""
    return dataclasses.replace(source, file=dataclasses.replace(source.file, **how))


def test_parts_cover_every_file_once_and_in_order(sources):
    """The parts of an input follow each other without gap, and are counted through the whole run."""
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
    """Each prediction file lies where its input does, with the suffix of its format."""
    names = [each.predictions for each in make_plan(sources, SETTINGS, "digest").inputs]
    assert names == ["predictions/a.csv", "predictions/deep/b.parquet"]
    as_csv = make_plan(sources, dataclasses.replace(SETTINGS, format="csv"), "digest")
    assert [each.predictions for each in as_csv.inputs] == ["predictions/a.csv", "predictions/deep/b.parquet.csv"]


def test_outputs_that_would_collide_are_refused(tmp_path, storage):
    """Two inputs whose predictions would have one name are never merged."""
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
def test_kept_columns_cannot_take_the_names_of_our_own(tmp_path, storage, name, settings, is_taken):
    """A kept name that the predictions have already is refused; where they do not have it, it is free."""
    text = "".join(f"{line},7\n" for line in csv_text(make_digits(3)).splitlines())
    (tmp_path / "a.csv").write_text(text if name == "label" else text.replace(",7\n", f",{name}\n", 1))
    settings = dataclasses.replace(SETTINGS, **{"read": ReadSettings(keep=(name,)), **settings})
    sources = look(storage, files_at(storage, [str(tmp_path / "a.csv")]), settings.read)
    if is_taken:
        with pytest.raises(UsageError, match=rf"--keep {name}: the predictions of .*a\.csv have a column of that name"):
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
        {"read": ReadSettings(keep=("id",))},
        {"has_probabilities": True},
    ],
)
def test_settings_that_change_the_output_change_the_fingerprint(sources, setting):
    """Runs whose output would differ are different runs."""
    other = make_plan(sources, dataclasses.replace(SETTINGS, **setting), "digest")
    assert other.fingerprint != make_plan(sources, SETTINGS, "digest").fingerprint


@pytest.mark.parametrize("setting", [{"threads": 7}, {"part_bytes": 9_000}, {"block_rows": 3}, {"output": "else"}])
def test_settings_that_cannot_change_the_output_do_not(sources, setting):
    """How a run is cut up, and where it goes, is not what it is."""
    other = make_plan(sources, dataclasses.replace(SETTINGS, **setting), "digest")
    assert other.fingerprint == make_plan(sources, SETTINGS, "digest").fingerprint


def test_another_model_size_or_modification_time_is_another_run(sources):
    """The fingerprint knows the model's digest and each input's size and version."""
    fingerprints = {
        make_plan(sources, SETTINGS, "digest").fingerprint,
        make_plan(sources, SETTINGS, "other digest").fingerprint,
        make_plan([changed(sources[0], size=1), sources[1]], SETTINGS, "digest").fingerprint,
        make_plan([changed(sources[0], version="later"), sources[1]], SETTINGS, "digest").fingerprint,
    }
    assert len(fingerprints) == 4
