import json
import logging

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.files import PIXEL_NAMES, Digits, write_csv
from support.training_data import find_images, load

from job.errors import DataError, ModelInvalid, NoInput, OutputOccupied
from job.settings import ReadSettings
from job.train.data.sample import write_sample
from job.train.data.sample_sheet import write_sample_sheet


@pytest.fixture
def data(storage, tmp_path, balanced):
    """A file of images, as a card describes it."""
    source = str(write_csv(tmp_path / "train.csv", balanced))
    fingerprint = load(storage, source, seed=5, validation_share=0.1).fingerprint
    return {"source": source, "seed": 5, "validation_share": 0.1, "fingerprint": fingerprint}


def test_both_files_hold_the_test_images(storage, tmp_path, trained):
    """The images and labels that the card's test accuracy was measured on, in Kaggle's columns."""
    paths = write_sample(storage, trained.result.path, str(tmp_path / "out"), mnist_dir=None)
    data = trained.result.card["data"]
    test = load(storage, "digits", seed=data["seed"], validation_share=data["validation_share"]).test
    assert [path.rpartition("/")[2] for path in paths] == ["test.csv", "test.parquet"]
    for path in paths:
        found = find_images(storage, path).images
        assert np.array_equal(found.pixels, test.pixels)
        assert np.array_equal(found.labels, test.labels)


def test_the_csv_is_plain(storage, tmp_path, model_of, data):
    """A header without quotes, and integers."""
    csv_path, _ = write_sample(storage, model_of(data), str(tmp_path / "out"), mnist_dir=None)
    with open(csv_path) as file:
        assert file.readline() == ",".join(["label", *PIXEL_NAMES]) + "\n"
        assert all(value.isdecimal() for value in file.readline().strip().split(","))


def test_the_parquet_file_holds_bytes(storage, tmp_path, model_of, data):
    """785 columns of uint8."""
    _, path = write_sample(storage, model_of(data), str(tmp_path / "out"), mnist_dir=None)
    schema = pq.read_schema(path)
    assert schema.names == ["label", *PIXEL_NAMES]
    assert {str(field.type) for field in schema} == {"uint8"}


def test_changed_data_is_refused(storage, tmp_path, model_of, data):
    """The model may have been trained on its test images; nothing is written."""
    folder = model_of({**data, "fingerprint": "0" * 64})
    with pytest.raises(DataError, match=r"train\.csv: has changed since .* was trained on it.*in the card 0000"):
        write_sample(storage, folder, str(tmp_path / "out"), mnist_dir=None)
    assert not (tmp_path / "out").exists()


def test_data_is_found_again_from_another_folder(storage, tmp_path, balanced, monkeypatch):
    """However it was named: the data set names its source by an absolute path."""
    write_csv(tmp_path / "train.csv", balanced)
    monkeypatch.chdir(tmp_path)
    dataset = load(storage, "train.csv", seed=5, validation_share=0.1)
    assert dataset.source == str(tmp_path / "train.csv")


@pytest.mark.parametrize("name", ["test.csv", "test.parquet"])
def test_files_of_the_same_names_are_kept(storage, tmp_path, model_of, data, name):
    """Kaggle's files have these names."""
    folder = tmp_path / "kaggle"
    folder.mkdir()
    (folder / name).write_text("mine")
    model = model_of(data)
    with pytest.raises(OutputOccupied, match=f"{name}: already exists.*--overwrite"):
        write_sample(storage, model, str(folder), mnist_dir=None)
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [(name, "mine")]
    paths = write_sample(storage, model, str(folder), mnist_dir=None, is_overwriting=True)
    assert all(len(find_images(storage, path).images) == 40 for path in paths)


def test_missing_data_is_looked_for_in_mnist_dir(storage, tmp_path, model_of, data):
    """The card of a model trained elsewhere may name a path that does not exist here."""
    moved = {**data, "source": str(tmp_path / "elsewhere")}
    folder = model_of(moved)
    with pytest.raises(NoInput):
        write_sample(storage, folder, str(tmp_path / "out"), mnist_dir=None)
    csv_path, _ = write_sample(storage, folder, str(tmp_path / "out"), mnist_dir=data["source"])
    assert len(find_images(storage, csv_path).images) == 40


def test_a_converted_model_has_no_test_images(storage, tmp_path, model_of):
    """Its card does not name its training data."""
    with pytest.raises(ModelInvalid, match="names no data"):
        write_sample(storage, model_of(None), str(tmp_path / "out"), mnist_dir=None)


def test_the_card_says_where_the_data_is(trained):
    """model.json has everything that a sample needs."""
    with open(f"{trained.result.path}/model.json") as file:
        assert {"source", "seed", "validation_share", "fingerprint"} <= json.load(file)["data"].keys()


def test_files_are_read_again_as_the_card_says(storage, tmp_path, model_of, data, caplog):
    """Images that were transposed for training are transposed for the sample."""
    said = {"label_column": "label", "scale": "255", "is_transposed": True}
    test = load(storage, data["source"], ReadSettings(**said, normalize="none"), seed=5, validation_share=0.1)
    with caplog.at_level(logging.WARNING):
        model = model_of({**data, **said, "fingerprint": test.fingerprint})
        csv_path, _ = write_sample(storage, model, str(tmp_path / "out"), mnist_dir=None)
    assert caplog.records == []
    assert np.array_equal(find_images(storage, csv_path).images.pixels, test.test.pixels)


@pytest.mark.parametrize("said", [{"is_inverted": True}, {}], ids=["inverted", "a card of an earlier version"])
def test_inverted_images_are_inverted_for_the_sample(storage, tmp_path, model_of, data, said):
    """The card remembers it; a card of an earlier version knows of no such thing."""
    test = load(storage, data["source"], ReadSettings(**said), seed=5, validation_share=0.1)
    csv_path, _ = write_sample(
        storage, model_of({**data, **said, "fingerprint": test.fingerprint}), str(tmp_path / "out"), mnist_dir=None
    )
    assert np.array_equal(
        find_images(storage, csv_path, ReadSettings(normalize="none")).images.pixels, test.test.pixels
    )


def test_labels_are_read_again_as_the_card_says(storage, tmp_path, model_of, balanced, data, caplog):
    """By the label map that the model was trained with; the fingerprint is that of the digits it gives."""
    write_csv(tmp_path / "train.csv", Digits(balanced.pixels, np.where(balanced.labels == 0, 10, balanced.labels)))
    with caplog.at_level(logging.WARNING):
        model = model_of({**data, "label_map": {"10": 0}})
        csv_path, _ = write_sample(storage, model, str(tmp_path / "out"), mnist_dir=None)
    assert caplog.records == []
    assert set(find_images(storage, csv_path).images.labels.tolist()) == set(range(10))


def test_a_sheet_shows_test_images_and_its_truth_says_where(storage, tmp_path, model_of, data):
    """A picture to try `prepare --sheet` with, and a row of the truth for each of its digits, in reading order."""
    model = model_of(data)
    picture, truth = write_sample_sheet(storage, model, str(tmp_path / "out"), mnist_dir=None)
    rows = pyarrow.csv.read_csv(truth).to_pylist()
    assert list(rows[0]) == ["label", "row", "column", "left", "top", "width", "height"]
    assert [(row["row"], row["column"]) for row in rows] == sorted((row["row"], row["column"]) for row in rows)
    with Image.open(picture) as page:
        assert all(row["left"] > 0 and row["left"] + row["width"] < page.width for row in rows)
    with pytest.raises(OutputOccupied, match=r"sheet\.jpg: already exists"):
        write_sample_sheet(storage, model, str(tmp_path / "out"), mnist_dir=None)
