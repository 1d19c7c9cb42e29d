import json
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.files import PIXEL_NAMES, Digits, write_csv

from job.errors import ModelInvalid, NoInput
from job.settings import ReadSettings
from job.train.data.dataset import load
from job.train.data.origin import find_images
from job.train.data.sample import write_sample


@pytest.fixture
def data(storage, tmp_path, balanced):
    """A file of images, as a card describes it."""
    source = str(write_csv(tmp_path / "train.csv", balanced))
    fingerprint = load(storage, source, seed=5, validation_share=0.1).fingerprint
    return {"source": source, "seed": 5, "validation_share": 0.1, "fingerprint": fingerprint}


def test_both_files_hold_the_test_images(storage, tmp_path, trained):
    """The images and labels that the card's test accuracy was measured on, in Kaggle's columns."""
    paths = write_sample(storage, trained.result.path, str(tmp_path / "out"), None)
    data = trained.result.card["data"]
    test = load(storage, "digits", seed=data["seed"], validation_share=data["validation_share"]).test
    assert [path.rpartition("/")[2] for path in paths] == ["test.csv", "test.parquet"]
    for path in paths:
        found = find_images(storage, path).images
        assert np.array_equal(found.pixels, test.pixels)
        assert np.array_equal(found.labels, test.labels)


def test_the_csv_is_plain(storage, tmp_path, model_of, data):
    """A header without quotes, and integers."""
    csv_path, _ = write_sample(storage, model_of(data), str(tmp_path / "out"), None)
    with open(csv_path) as file:
        assert file.readline() == ",".join(["label", *PIXEL_NAMES]) + "\n"
        assert all(value.isdecimal() for value in file.readline().strip().split(","))


def test_the_parquet_file_holds_bytes(storage, tmp_path, model_of, data):
    """785 columns of uint8."""
    _, path = write_sample(storage, model_of(data), str(tmp_path / "out"), None)
    schema = pq.read_schema(path)
    assert schema.names == ["label", *PIXEL_NAMES]
    assert {str(field.type) for field in schema} == {"uint8"}


def test_changed_data_gives_a_warning(storage, tmp_path, model_of, data, caplog):
    """The file may have changed since the model was trained."""
    write_sample(storage, model_of({**data, "fingerprint": "0" * 64}), str(tmp_path / "out"), None)
    assert "is not what the model was trained on" in caplog.text


def test_unchanged_data_gives_no_warning(storage, tmp_path, model_of, data, caplog):
    """The fingerprints agree."""
    write_sample(storage, model_of(data), str(tmp_path / "out"), None)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_missing_data_is_looked_for_in_mnist_dir(storage, tmp_path, model_of, data):
    """The card of a model trained elsewhere may name a path that does not exist here."""
    moved = {**data, "source": str(tmp_path / "elsewhere")}
    folder = model_of(moved)
    with pytest.raises(NoInput):
        write_sample(storage, folder, str(tmp_path / "out"), None)
    csv_path, _ = write_sample(storage, folder, str(tmp_path / "out"), data["source"])
    assert len(find_images(storage, csv_path).images) == 40


def test_a_converted_model_has_no_test_images(storage, tmp_path, model_of):
    """Its card does not name its training data."""
    with pytest.raises(ModelInvalid, match="names no data"):
        write_sample(storage, model_of(None), str(tmp_path / "out"), None)


def test_the_card_says_where_the_data_is(trained):
    """model.json has everything that a sample needs."""
    with open(f"{trained.result.path}/model.json") as file:
        assert {"source", "seed", "validation_share", "fingerprint"} <= json.load(file)["data"].keys()


def test_files_are_read_again_as_the_card_says(storage, tmp_path, model_of, data, caplog):
    """Images that were transposed for training are transposed for the sample."""
    said = {"label_column": "label", "scale": "255", "is_transposed": True}
    test = load(storage, data["source"], ReadSettings(**said), seed=5, validation_share=0.1)
    with caplog.at_level(logging.WARNING):
        model = model_of({**data, **said, "fingerprint": test.fingerprint})
        csv_path, _ = write_sample(storage, model, str(tmp_path / "out"), None)
    assert caplog.records == []
    assert np.array_equal(find_images(storage, csv_path).images.pixels, test.test.pixels)


def test_labels_are_read_again_as_the_card_says(storage, tmp_path, model_of, balanced, data, caplog):
    """By the label map that the model was trained with; the fingerprint is that of the digits it gives."""
    write_csv(tmp_path / "train.csv", Digits(balanced.pixels, np.where(balanced.labels == 0, 10, balanced.labels)))
    with caplog.at_level(logging.WARNING):
        model = model_of({**data, "label_map": {"10": 0}})
        csv_path, _ = write_sample(storage, model, str(tmp_path / "out"), None)
    assert caplog.records == []
    assert set(find_images(storage, csv_path).images.labels.tolist()) == set(range(10))
