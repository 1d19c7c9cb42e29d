import base64
import errno
import json
import os
import shutil

import numpy as np
import pytest
from support.files import make_digits
from support.models import change_card, write_model

from job.errors import ModelInvalid, StorageError
from job.model.bundle import (
    CARD_NAME,
    GOLDEN_TOLERANCE,
    KERAS_NAME,
    ONNX_NAME,
    Golden,
    card_digest,
    open_bundle,
    write_card,
)
from job.model.onnx_predictor import OnnxPredictor
from job.storage import LocalStorage


@pytest.fixture
def folder(model, tmp_path):
    """A model folder to be damaged."""
    return shutil.copytree(model, tmp_path / "model")


def _change_card(folder, **changes):
    change_card(folder, lambda card: card.update(changes))


def _golden(rows=4):
    pixels = make_digits(rows).pixels
    return Golden(pixels, np.full((rows, 10), 0.1, np.float32))


def test_whole_model_opens_and_passes_its_own_check(storage, model):
    """A folder as it was written opens, knows its name, and its network answers the golden rows as the card says."""
    bundle = open_bundle(storage, str(model))
    assert bundle.path == str(model)
    assert bundle.name == "linear-0"
    assert bundle.onnx == (model / ONNX_NAME).read_bytes()
    bundle.check(OnnxPredictor(bundle.onnx, bundle.path))


def test_golden_rows_survive_the_card():
    """Pixels and probabilities come back from JSON to the last bit."""
    golden = Golden(make_digits(5).pixels, np.random.default_rng(0).random((5, 10)).astype(np.float32))
    copy = Golden.from_json(json.loads(json.dumps(golden.to_json())))
    np.testing.assert_array_equal(copy.pixels, golden.pixels)
    np.testing.assert_array_equal(copy.probabilities, golden.probabilities)
    assert (copy.pixels.dtype, copy.probabilities.dtype) == (np.uint8, np.float32)


def test_card_says_what_it_is_told_and_what_proves_it(storage, folder):
    """The card holds the given facts, its format, a digest per file and one of itself, and the golden rows."""
    write_card(storage, str(folder), {"name": "n", "recipe": {"epochs": 3}}, _golden())
    card = json.loads((folder / CARD_NAME).read_text())
    assert (card["format"], card["name"], card["recipe"]) == (2, "n", {"epochs": 3})
    assert sorted(card["files"]) == [KERAS_NAME, ONNX_NAME]
    assert all(len(digest) == 64 for digest in card["files"].values())
    assert card["sha256"] == card_digest(card)
    assert len(card["golden"]["probabilities"]) == 4


def test_digest_changes_with_either_file(storage, folder):
    """The model's digest is the same for the same files, and another when any of them is."""
    digests = [open_bundle(storage, str(folder)).digest for _ in range(2)]
    for name in (KERAS_NAME, ONNX_NAME):
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
        write_card(storage, str(folder), {}, _golden())
        digests.append(open_bundle(storage, str(folder)).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_digest_does_not_depend_on_where_the_model_lies(storage, model, folder):
    """A copied model is the same model."""
    assert open_bundle(storage, str(folder)).digest == open_bundle(storage, str(model)).digest


@pytest.mark.parametrize("name", [KERAS_NAME, ONNX_NAME])
@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_flipped_byte_is_found(storage, folder, name, place):
    """One changed byte in a model file is found, and the file named."""
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content)) if place == 0.5 else place] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == (
        f"{folder / name}: its SHA-256 is not the one in model.json; it was changed or damaged: train again"
    )


@pytest.mark.parametrize("name", [KERAS_NAME, ONNX_NAME])
def test_missing_file_is_named(storage, folder, name):
    """A model file that is not there is named, with what to do."""
    (folder / name).unlink()
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value).startswith(f"{folder / name}: is missing, though model.json lists it: ")
    assert str(error.value).endswith("restore the model folder or train again")


@pytest.mark.parametrize("name", [CARD_NAME, KERAS_NAME, ONNX_NAME])
def test_storage_that_fails_is_no_invalid_model(folder, monkeypatch, name):
    """Where the storage fails to read a file that is there, a retry can help: the model is not called invalid."""
    read = LocalStorage.read

    def fail(self, path):
        if path.endswith(name):
            raise StorageError(f"{path}: {os.strerror(errno.EIO)}")
        return read(self, path)

    monkeypatch.setattr(LocalStorage, "read", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        open_bundle(LocalStorage(), str(folder))


@pytest.mark.parametrize("is_there", [False, True], ids=["no folder", "no card"])
def test_folder_that_is_no_model(storage, tmp_path, is_there):
    """A folder without a card is no model folder; the message says how to get one."""
    folder = tmp_path / "model"
    if is_there:
        folder.mkdir()
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == (
        f"{folder}: is not a model folder: it has no model.json; train one with `digit-job train`"
    )


@pytest.mark.parametrize("version", [0, 1, 3, "2", None])
def test_card_of_another_format(storage, folder, version):
    """A card of a format that this version does not know is refused by its number."""
    _change_card(folder, format=version)
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == f"{folder / CARD_NAME}: has format {version}, expected 2; train the model again"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"null", b'"text"', b"\xff\xfe", b"{}"], ids=repr)
def test_card_that_is_no_card(storage, folder, content):
    """A card that is not JSON, or not a card's JSON, is refused by name."""
    (folder / CARD_NAME).write_bytes(content)
    with pytest.raises(ModelInvalid, match=rf"^{folder / CARD_NAME}: is not a model card: .+; train the model again$"):
        open_bundle(storage, str(folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": ...},
        {"files": [ONNX_NAME]},
        {"golden": ...},
        {"golden": None},
        {"golden": {"pixels": "not base64!", "probabilities": []}},
        {"golden": {"pixels": base64.b64encode(bytes(783)).decode(), "probabilities": [[0.1] * 10]}},
        {"golden": {"pixels": base64.b64encode(bytes(784)).decode(), "probabilities": [[0.1] * 9]}},
        {"golden": {"pixels": base64.b64encode(bytes(784)).decode(), "probabilities": [["x"] * 10]}},
        {"golden": {"pixels": base64.b64encode(bytes(784)).decode()}},
        {"golden": {"pixels": 5, "probabilities": []}},
    ],
    ids=["no files", "list", "no golden", "null", "base64", "783 pixels", "9 classes", "words", "half", "type"],
)
def test_card_with_a_broken_section(storage, folder, changes):
    """A card whose files or golden rows are missing or misshapen is refused by name."""
    _change_card(folder, **changes)
    with pytest.raises(ModelInvalid, match=rf"^{folder / CARD_NAME}: is not a model card: "):
        open_bundle(storage, str(folder))


@pytest.mark.parametrize(
    "changes",
    [{"files": {}}, {"files": {KERAS_NAME: "0" * 64}}, {"golden": {"pixels": "", "probabilities": []}}],
    ids=["no files", "no ONNX", "no golden rows"],
)
def test_card_that_proves_nothing(storage, folder, changes):
    """Without the network's digest or any golden row there is nothing to trust."""
    _change_card(folder, **changes)
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == (
        f"{folder / CARD_NAME}: names no model.onnx or has no golden rows; train the model again"
    )


def test_golden_rows_of_another_model(storage, folder, tmp_path):
    """A network that answers the golden rows otherwise than the card says does not belong to it."""
    other = json.loads((write_model(tmp_path / "other", seed=1) / CARD_NAME).read_text())
    _change_card(folder, golden=other["golden"])
    bundle = open_bundle(storage, str(folder))
    with pytest.raises(ModelInvalid) as error:
        bundle.check(OnnxPredictor(bundle.onnx, bundle.path))
    expected = f"{folder / ONNX_NAME}: its answers to the golden rows in model.json are off by up to "
    assert str(error.value).startswith(expected)
    assert "(allowed: 0.0001)" in str(error.value)


class _Answer:
    def __init__(self, probabilities):
        self._probabilities = probabilities

    def predict(self, _pixels):
        return self._probabilities


@pytest.mark.parametrize(
    ("difference", "is_fine"),
    [(0, True), (GOLDEN_TOLERANCE / 2, True), (2 * GOLDEN_TOLERANCE, False), (np.nan, False)],
)
def test_golden_rows_may_differ_by_rounding_only(storage, model, difference, is_fine):
    """Another processor's rounding passes; more, or NaN, in a single number does not."""
    bundle = open_bundle(storage, str(model))
    answer = bundle.golden.probabilities.copy()
    answer[-1, 3] += difference
    if is_fine:
        bundle.check(_Answer(answer))
    else:
        with pytest.raises(ModelInvalid):
            bundle.check(_Answer(answer))
