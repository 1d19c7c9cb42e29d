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
    """It knows its name, and its network reproduces the probabilities of the golden rows."""
    bundle = open_bundle(storage, str(model))
    assert bundle.path == str(model)
    assert bundle.name == "linear-0"
    assert bundle.onnx == (model / ONNX_NAME).read_bytes()
    bundle.check(OnnxPredictor(bundle.onnx, bundle.path))


def test_golden_rows_survive_the_card():
    """Pixels and probabilities are the same after JSON, to the last bit."""
    golden = Golden(make_digits(5).pixels, np.random.default_rng(0).random((5, 10)).astype(np.float32))
    copy = Golden.from_json(json.loads(json.dumps(golden.to_json())))
    np.testing.assert_array_equal(copy.pixels, golden.pixels)
    np.testing.assert_array_equal(copy.probabilities, golden.probabilities)
    assert (copy.pixels.dtype, copy.probabilities.dtype) == (np.uint8, np.float32)


def test_a_card_has_all_sections(storage, folder):
    """Those passed in, its format, a digest per file and one of itself, and the golden rows."""
    write_card(storage, str(folder), {"name": "n", "recipe": {"epochs": 3}}, _golden())
    card = json.loads((folder / CARD_NAME).read_text())
    assert (card["format"], card["name"], card["recipe"]) == (2, "n", {"epochs": 3})
    assert sorted(card["files"]) == [KERAS_NAME, ONNX_NAME]
    assert all(len(digest) == 64 for digest in card["files"].values())
    assert card["sha256"] == card_digest(card)
    assert len(card["golden"]["probabilities"]) == 4


def test_the_digest_is_that_of_the_network(storage, folder):
    """It changes with the file that the scorer runs, and with no other, nor with the card."""
    digests = [open_bundle(storage, str(folder)).digest]
    for name in (KERAS_NAME, ONNX_NAME):
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
        written = write_card(storage, str(folder), {"created": name}, _golden())
        digests.append(open_bundle(storage, str(folder)).digest)
        assert digests[-1] == written
    assert digests[0] == digests[1] != digests[2]


def test_digest_does_not_depend_on_the_folder(storage, model, folder):
    """A copied model is the same model."""
    assert open_bundle(storage, str(folder)).digest == open_bundle(storage, str(model)).digest


@pytest.mark.parametrize("name", [KERAS_NAME, ONNX_NAME])
@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_a_flipped_byte_is_detected(storage, folder, name, place):
    """With the name of the file."""
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content)) if place == 0.5 else place] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == (
        f"{folder / name}: its SHA-256 does not match the one in model.json: it was changed or damaged; train again"
    )


@pytest.mark.parametrize("name", [KERAS_NAME, ONNX_NAME])
def test_a_missing_file_is_named(storage, folder, name):
    """With what to do."""
    (folder / name).unlink()
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value).startswith(f"{folder / name}: is missing, though model.json lists it; ")
    assert str(error.value).endswith("restore the model folder or train again")


def test_a_file_beyond_the_limit_is_not_read(storage, folder):
    """Whatever its digest is."""
    with (folder / KERAS_NAME).open("ab") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == f"{folder / KERAS_NAME}: has 1,073,741,825 bytes, expected at most 1,073,741,824"


@pytest.mark.parametrize("name", [CARD_NAME, KERAS_NAME, ONNX_NAME])
def test_a_read_error_is_not_an_invalid_model(folder, monkeypatch, name):
    """It is a StorageError, because a retry can help."""
    read = LocalStorage.read

    def fail(self, path):
        if path.endswith(name):
            raise StorageError(f"{path}: {os.strerror(errno.EIO)}")
        return read(self, path)

    monkeypatch.setattr(LocalStorage, "read", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        open_bundle(LocalStorage(), str(folder))


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (None, "is not a model folder: it has no model.json"),
        (["notes.txt"], "is not a model folder: it has no model.json"),
        ([], "is an empty folder"),
    ],
    ids=["no folder", "no card", "empty"],
)
def test_a_folder_that_is_not_a_model_folder(storage, tmp_path, names, what):
    """It has no card, is empty, or does not exist; the message says how to get a model."""
    folder = tmp_path / "model"
    if names is not None:
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"")
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == f"{folder}: {what}; train one with `digit-job train`"


def test_a_card_of_another_format(storage, folder):
    """It is refused with its number."""
    for version in (0, 1, 3, "2", None):
        _change_card(folder, format=version)
        with pytest.raises(ModelInvalid) as error:
            open_bundle(storage, str(folder))
        assert str(error.value) == f"{folder / CARD_NAME}: has format {version}, expected 2; train the model again"


def test_a_file_that_is_not_a_card(storage, folder):
    """It is not JSON, or not a card's JSON."""
    message = rf"^{folder / CARD_NAME}: is not a model card: .+; train the model again$"
    for content in (b"", b"{", b"[]", b"7", b"null", b'"text"', b"\xff\xfe", b"{}"):
        (folder / CARD_NAME).write_bytes(content)
        with pytest.raises(ModelInvalid, match=message):
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
def test_a_card_with_a_malformed_section(storage, folder, changes):
    """The files or the golden rows are missing, or have the wrong type or shape."""
    _change_card(folder, **changes)
    with pytest.raises(ModelInvalid, match=rf"^{folder / CARD_NAME}: is not a model card: "):
        open_bundle(storage, str(folder))


@pytest.mark.parametrize(
    "changes",
    [{"files": {}}, {"files": {KERAS_NAME: "0" * 64}}, {"golden": {"pixels": "", "probabilities": []}}],
    ids=["no files", "no ONNX", "no golden rows"],
)
def test_a_card_that_verifies_nothing(storage, folder, changes):
    """It lacks the network's digest or golden rows."""
    _change_card(folder, **changes)
    with pytest.raises(ModelInvalid) as error:
        open_bundle(storage, str(folder))
    assert str(error.value) == (
        f"{folder / CARD_NAME}: lists no model.onnx or has no golden rows; train the model again"
    )


def test_golden_rows_of_another_model(storage, folder, tmp_path):
    """The network does not reproduce their probabilities."""
    other = json.loads((write_model(tmp_path / "other", seed=1) / CARD_NAME).read_text())
    _change_card(folder, golden=other["golden"])
    bundle = open_bundle(storage, str(folder))
    with pytest.raises(ModelInvalid) as error:
        bundle.check(OnnxPredictor(bundle.onnx, bundle.path))
    expected = f"{folder / ONNX_NAME}: its probabilities for the golden rows in model.json differ by up to "
    assert str(error.value).startswith(expected)
    assert "(allowed: 0.0001)" in str(error.value)


class _Constant:
    """A predictor with the same probabilities for any pixels."""

    def __init__(self, probabilities):
        self._probabilities = probabilities

    def predict(self, _pixels):
        return self._probabilities


@pytest.mark.parametrize(
    ("difference", "is_fine"),
    [(0, True), (GOLDEN_TOLERANCE / 2, True), (2 * GOLDEN_TOLERANCE, False), (np.nan, False)],
)
def test_golden_rows_may_differ_by_rounding_only(storage, model, difference, is_fine):
    """As on another processor; a larger difference or NaN in a single number is refused."""
    bundle = open_bundle(storage, str(model))
    probabilities = bundle.golden.probabilities.copy()
    probabilities[-1, 3] += difference
    if is_fine:
        bundle.check(_Constant(probabilities))
    else:
        with pytest.raises(ModelInvalid):
            bundle.check(_Constant(probabilities))
