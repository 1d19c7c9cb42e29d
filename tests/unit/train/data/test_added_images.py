"""Labelled images to train on beside the data's own: `train --add`."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from support.files import PIXEL_NAMES, csv_lines, make_digits, write_csv
from support.scored import scored_batch
from support.training_data import load

from job.errors import DataError, NoInput, UsageError
from job.report import label_studio
from job.report.digits import bright_png
from job.report.examples import Examples
from job.report.review_rows import review_rows
from job.train.card.sections import added_section
from job.train.data import dataset
from job.train.data.added_images import read_added
from job.train.data.corrected_tasks import read_tasks
from job.train.finished_model import _trained_by
from job.train.train_settings import DataSettings

NEW = make_digits(12, seed=77)


@pytest.fixture
def source(tmp_path, balanced):
    return str(write_csv(tmp_path / "train.csv", balanced))


@pytest.fixture
def load_with(storage, source):
    """The data with added sources, and those without for comparison."""

    def load_(*added, weight=None):
        settings = DataSettings((source,), added=tuple(map(str, added)), add_weight=weight)
        return dataset.load(storage, settings, seed=1), load(storage, source, seed=1)

    return load_


def test_added_images_are_only_trained_on(load_with, tmp_path):
    """Each ten times by default, behind the others; the other splits and the fingerprint stay."""
    path = write_csv(tmp_path / "new.csv", NEW)
    found, plain = load_with(path)
    assert len(found.train) == len(plain.train) + 10 * 12
    assert np.array_equal(found.train.pixels[: len(plain.train)], plain.train.pixels)
    assert np.array_equal(found.train.labels[len(plain.train) :], np.tile(NEW.labels, 10))
    for name in ("validation", "test"):
        assert np.array_equal(getattr(found, name).pixels, getattr(plain, name).pixels)
    assert found.fingerprint == plain.fingerprint
    assert found.identity != plain.identity
    assert len(load_with(path, weight=3)[0].train) == len(plain.train) + 36


def test_rows_without_a_label_are_skipped(load_with, tmp_path, caplog):
    """Nobody has looked at them yet."""
    lines = [",".join(["number", "why", "label", *PIXEL_NAMES])]
    for row, line in enumerate(csv_lines(NEW)):
        label, pixels = line.split(",", 1)
        lines.append(f"{row},unsure,{label if row < 5 else ''},{pixels}")
    (tmp_path / "new.csv").write_text("\n".join(lines))
    with caplog.at_level(logging.INFO):
        found, plain = load_with(tmp_path / "new.csv", weight=1)
    assert len(found.train) == len(plain.train) + 5
    assert "7 images skipped, which nobody has labelled" in caplog.text
    (each,) = found.added.sources
    assert (len(each.images), each.unlabelled) == (5, 7)


@pytest.mark.parametrize("content", ["label," + ",".join(PIXEL_NAMES) + "\n" + "," * 784, "1,2\n"])
def test_files_without_labels_are_refused(load_with, tmp_path, content):
    """All rows unlabelled, or no digits at all."""
    (tmp_path / "new.csv").write_text(content.replace(",,", ",0,").replace(",,", ",0,") + "0" * content.endswith(","))
    with pytest.raises(DataError, match=r"new\.csv"):
        load_with(tmp_path / "new.csv")


def test_a_label_that_is_no_digit_is_refused(load_with, tmp_path):
    """With its row."""
    lines = csv_lines(NEW)
    lines[3] = "?," + lines[3].split(",", 1)[1]
    (tmp_path / "new.csv").write_text("\n".join([",".join(["label", *PIXEL_NAMES]), *lines]))
    with pytest.raises(DataError, match=r"new\.csv.*label"):
        load_with(tmp_path / "new.csv")


def test_images_to_test_or_validate_with_are_left_out(load_with, tmp_path, caplog):
    """Training on them would make the accuracy worthless."""
    _, plain = load_with()
    both = make_digits(12, seed=77)
    both.pixels[:3], both.pixels[3:5] = plain.test.pixels[:3], plain.validation.pixels[:2]
    path = write_csv(tmp_path / "new.csv", both)
    found, _ = load_with(path, weight=2)
    assert len(found.train) == len(plain.train) + 2 * 7
    assert (found.added.count, found.added.left_out) == (7, 5)
    assert "5 images left out" in caplog.text
    with pytest.raises(DataError, match="all 3 images are also to validate or to test with"):
        load_with(write_csv(tmp_path / "tests.csv", both[:3]))


def test_a_training_image_takes_its_corrected_label(load_with, tmp_path):
    """Instead of being there twice with different labels; a label that stays changes nothing."""
    _, plain = load_with()
    corrected = make_digits(4, seed=77)
    corrected.pixels[:], corrected.labels[:] = plain.train.pixels[:4], plain.train.labels[:4]
    corrected.labels[2] = (plain.train.labels[2] + 1) % 10
    found, _ = load_with(write_csv(tmp_path / "new.csv", corrected))
    assert len(found.train) == len(plain.train)
    assert np.flatnonzero(found.train.labels != plain.train.labels).tolist() == [2]
    assert found.train.labels[2] == corrected.labels[2]
    assert (found.added.count, found.added.relabelled) == (0, 1)


def test_a_weight_of_nothing_is_refused():
    """As is one below 1."""
    for settings in ({"add_weight": 3}, {"added": ("a.csv",), "add_weight": 0}):
        with pytest.raises(UsageError, match="--add-weight"):
            DataSettings(("digits",), **settings)


def test_missing_files_are_named(storage, tmp_path):
    """As for other data."""
    with pytest.raises(NoInput, match=r"none\.csv"):
        read_added(storage, [str(tmp_path / "none.csv")], "auto")


@pytest.fixture
def tasks():
    """The tasks of eight rows, as Label Studio exports them: with ids, and annotations still to come."""
    pixels = make_digits(8, seed=5).pixels
    rows = review_rows(
        Examples.of(scored_batch(np.random.default_rng(0), 8, rejected=0), pixels),
        ["a.csv"],
        8,
        are_labels_judged=False,
    )
    found = json.loads(label_studio.tasks(rows, "m"))
    return [{"id": number, **each, "annotations": []} for number, each in enumerate(found, 1)], pixels


def annotation(choice, **more):
    result = [{"from_name": "digit", "to_name": "image", "type": "choices", "value": {"choices": [choice]}}]
    return {"id": 1, "completed_by": 1, "was_cancelled": False, "result": result, **more}


def test_an_export_of_label_studio_is_read(storage, tmp_path, tasks):
    """Tasks that were skipped or not annotated are not labelled; predictions count for nothing."""
    content, pixels = tasks
    content[0]["annotations"] = [annotation("3")]
    content[1]["annotations"] = [annotation("4", was_cancelled=True)]
    content[2]["annotations"] = [annotation("5"), annotation("5")]
    (tmp_path / "export.json").write_text(json.dumps(content))
    images, unlabelled = read_tasks(storage, str(tmp_path / "export.json"))
    assert images.labels.tolist() == [3, 5]
    rows = [content[index]["data"]["row"] for index in (0, 2)]
    assert np.array_equal(images.pixels, pixels[rows])
    assert unlabelled == 6


def test_a_small_export_is_read(storage, tmp_path, tasks):
    """JSON-MIN has the fields of `data` and the choice side by side."""
    content, pixels = tasks
    small = [{"id": 1, **content[0]["data"], "digit": "7"}, {"id": 2, **content[1]["data"]}]
    (tmp_path / "export.json").write_text(json.dumps(small))
    images, unlabelled = read_tasks(storage, str(tmp_path / "export.json"))
    assert (images.labels.tolist(), unlabelled) == ([7], 1)
    assert np.array_equal(images.pixels, pixels[[content[0]["data"]["row"]]])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda task: task.update(annotations=[annotation("3"), annotation("4")]), "labelled both 3 and 4"),
        (lambda task: task.update(annotations=[annotation("?")]), "expected a digit"),
        (lambda task: task["data"].update(image="/data/upload/1.png"), "no PNG picture as a data URI"),
        (lambda task: task["data"].update(image="data:image/png;base64,####"), "its picture"),
        (lambda task: task["data"].update(image="data:image/png;base64,QUJD"), "its picture"),
    ],
)
def test_tasks_that_cannot_be_read_are_refused(storage, tmp_path, tasks, change, problem):
    """With their number."""
    content, _ = tasks
    content[1]["annotations"] = [annotation("3")]
    change(content[1])
    (tmp_path / "export.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"export\.json task 2 \(from 1\).*{problem}"):
        read_tasks(storage, str(tmp_path / "export.json"))


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '"text"'])
def test_other_json_is_refused(storage, tmp_path, content):
    """And says what to export."""
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(DataError, match=r"export\.json: is not"):
        read_tasks(storage, str(tmp_path / "export.json"))


def test_sorted_pictures_are_read(load_with, tmp_path):
    """The files of review/pictures/, in the folders where somebody has put them, have the pixels that were reviewed."""
    for row, pixels in enumerate(NEW.pixels):
        folder = tmp_path / f"pictures/{NEW.labels[row]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row:06}.png").write_bytes(bright_png(pixels.tobytes()))
    found, plain = load_with(tmp_path / "pictures", weight=1)
    added = found.train.rows(np.arange(len(plain.train), len(found.train)))
    expected = {pixels.tobytes(): label for pixels, label in zip(NEW.pixels, NEW.labels, strict=True)}
    assert {pixels.tobytes(): label for pixels, label in zip(added.pixels, added.labels, strict=True)} == expected


def test_the_card_tells_what_was_added(load_with, tmp_path):
    """So that the same training is known again, and another one is not taken for it."""
    path = write_csv(tmp_path / "new.csv", NEW)
    found, again, other = (load_with(path, weight=weight)[0] for weight in (2, 2, 3))
    data = {"fingerprint": found.fingerprint, "added": added_section(found.added)}
    card = SimpleNamespace(about={"training": {"kept_epoch": 1}, "data": data})
    assert _trained_by(card)["data"] == found.identity == again.identity != other.identity
    assert str(path) == data["added"]["sources"][0]["source"]
