"""By what a run promises: the card, or a calibration file, which must be whole and this model's."""

import json

import pytest
from support.models import change_card, write_model
from support.promises import calibrated_digits, held_out_of, write_promising_model
from support.runs import settings_for

from job.errors import ModelInvalid, PromiseRefused
from job.model.bundle import card_digest, open_bundle
from job.report.drift import Distribution
from job.score.promised import is_calibration, promise_of
from job.settings import ErrorLimit


@pytest.fixture(scope="module")
def promising(tmp_path_factory):
    """A model whose card carries promises; treat as read-only."""
    return write_promising_model(tmp_path_factory.mktemp("promised") / "model")


def _promise(storage, model, limit="1%", **more):
    settings = settings_for("in", "out", model, max_error=ErrorLimit.parse(limit), **more)
    return promise_of(storage, settings, open_bundle(storage, str(model)))


def _document(storage, folder, **changes):
    """The content of a calibration file with the card's confidences."""
    digits = calibrated_digits(6000, seed=1)
    content = {
        "format": 1, "digit_job": "0.1.0", "created": "2026-11-28T10:00:00+00:00",
        "model": {"path": "model", "name": "blocks", "digest": open_bundle(storage, str(folder)).digest},
        "data": {"inputs": [], "command": "digit-job score", "rows": 6000, "rejected": 0, "unlabelled": 0},
        "groups": {"column": "writer", "groups": 300, "design_effect": 1.5},
        "held_out": held_out_of(folder, digits).to_json(),
        "distribution": Distribution.of_labelled(digits.pixels, digits.labels).to_json(), "sha256": "",
        **changes,
    }  # fmt: skip
    return {**content, "sha256": card_digest(content)}


def _written(tmp_path, content):
    (tmp_path / "mine.json").write_text(json.dumps(content, indent=2))
    return str(tmp_path / "mine.json")


def test_nothing_is_promised_unless_asked_for(storage, promising):
    """The card's confidences alone change nothing."""
    settings = settings_for("in", "out", promising)
    assert promise_of(storage, settings, open_bundle(storage, str(promising))) is None


def test_the_card_carries_a_promise(storage, promising):
    """By its validation images, compared with its training images."""
    promise = _promise(storage, promising)
    assert promise.source == "the 6,000 validation images of the model's card"
    assert promise.threshold.rows == 6000
    assert (promise.groups, promise.reference is not None, promise.max_error) == (None, True, 0.01)
    assert _promise(storage, promising, "0.01").identity == promise.identity
    assert _promise(storage, promising, "0.5%").threshold.doubt < promise.threshold.doubt


def test_a_calibration_carries_it_by_its_own_rows(storage, promising, tmp_path):
    """With the design effect of its groups, which accepts fewer."""
    path = _written(tmp_path, _document(storage, promising))
    promise = _promise(storage, promising, "0.5%", calibration=path)
    assert promise.source == f"the 6,000 rows by 300 groups of {path}"
    assert (promise.groups, promise.held_out.design_effect) == (300, 1.5)
    alone = _promise(
        storage, promising, "0.5%", calibration=_written(tmp_path, _document(storage, promising, groups=None))
    )
    assert promise.threshold.doubt < alone.threshold.doubt
    assert is_calibration((tmp_path / "mine.json").read_bytes())


def test_a_promise_that_the_rows_cannot_carry_is_refused(storage, promising):
    """With how many it takes."""
    words = (
        r"--max-error 0.01%: the 6,000 validation images .* cannot carry it \(\d+ of 6,000 rows wrong\); it takes about"
    )
    with pytest.raises(PromiseRefused, match=words):
        _promise(storage, promising, "0.01%")


def test_a_promise_that_no_such_rows_could_carry_is_refused(storage, promising, tmp_path):
    """Where the surest rows are wrong too often, more of them do not help."""
    rows = {"doubts": [0, 1000], "right": [900, 90], "wrong": [100, 1]}
    path = _written(tmp_path, _document(storage, promising, held_out=rows))
    with pytest.raises(PromiseRefused, match="no number of such rows would: train a better model"):
        _promise(storage, promising, calibration=path)


def test_a_card_without_confidences_is_refused(storage, tmp_path):
    """That of an earlier version, or of a network from elsewhere: there is another way."""
    with pytest.raises(PromiseRefused, match=r"no confidences on held-out images.*--calibration FILE"):
        _promise(storage, write_model(tmp_path / "model"))


def test_a_card_with_other_counts_is_refused(storage, tmp_path):
    """What no training has written."""
    model = write_promising_model(tmp_path / "model", 600)
    change_card(model, lambda card: card["held_out"].update(right=[1]))
    with pytest.raises(ModelInvalid, match=r"model\.json: its held-out confidences cannot be read: its doubts"):
        _promise(storage, model)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a calibration"),
        (b"label,pixel0\n1,2\n", "cannot be read as a calibration"),
        (b'{"format": 1}', "it is no such document"),
        (b"[1]", "expected an object"),
        (None, "is missing"),
    ],
)
def test_another_file_is_no_calibration(storage, promising, tmp_path, content, words):
    """It is named, with how to make one."""
    if content is not None:
        (tmp_path / "mine.json").write_bytes(content)
        assert not is_calibration(content)
    with pytest.raises(PromiseRefused, match=rf"mine\.json: .*{words}.*; make one with `digit-job calibrate`"):
        _promise(storage, promising, calibration=str(tmp_path / "mine.json"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"model": {"path": "m", "name": "other", "digest": "5e" * 32}},
            r"made for another model \(other, digest 5e5e",
        ),
        ({"format": 2}, "it is no such document"),
        ({"held_out": {"doubts": [1], "right": [2], "wrong": [-1]}}, r"wrong\[0\] is -1"),
        ({"held_out": {"doubts": [2, 1], "right": [2, 2], "wrong": [0, 0]}}, "doubts are not ascending"),
        ({"distribution": {}}, "no intensity"),
        ({"groups": {"column": "w", "groups": 3, "design_effect": 0.5}}, "design_effect is 0.5"),
        ({"held_out": {"doubts": [], "right": [], "wrong": []}}, "takes about [0-9]+ labelled rows"),
    ],
)
def test_a_calibration_with_other_content_is_refused(storage, promising, tmp_path, change, words):
    """Whoever has written it."""
    with pytest.raises(PromiseRefused, match=words):
        _promise(storage, promising, calibration=_written(tmp_path, _document(storage, promising, **change)))


def test_a_calibration_that_was_changed_is_refused(storage, promising, tmp_path):
    """Fewer errors than there were would promise too much."""
    content = _document(storage, promising)
    content["held_out"]["wrong"] = [0] * len(content["held_out"]["wrong"])
    with pytest.raises(PromiseRefused, match="its SHA-256 does not match"):
        _promise(storage, promising, calibration=_written(tmp_path, content))
