"""The range of a network's input is found by evidence, or not at all."""

import numpy as np
import pytest
from support.networks import answers, trained_layers

from job.errors import UsageError
from job.model.input_range import (
    Evidence,
    InputRange,
    OutputKind,
    check_no_scale,
    decide,
    evidence_of,
    named_range,
    output_kind,
    probabilities_of,
    undecided,
)
from job.normalize.reference_digits import reference_digits
from job.settings import ModelScale


def _logits(layers, inputs):
    return np.maximum(inputs @ layers[0] + layers[1], 0) @ layers[2] + layers[3]


def _found(layers, outputs_of):
    digits = reference_digits()
    return {each: evidence_of(outputs_of(layers, each.apply(digits.pixels)), digits.labels) for each in InputRange}


@pytest.mark.parametrize("outputs_of", [_logits, answers], ids=["logits", "probabilities"])
@pytest.mark.parametrize("trained_in", InputRange)
def test_the_range_that_a_network_was_trained_in_is_found(trained_in, outputs_of):
    """From its logits and from its probabilities alike."""
    assert decide(_found(trained_layers(trained_in), outputs_of)) is trained_in


def test_a_network_that_knows_no_digits_is_evidence_of_nothing():
    """Untrained, constant, or without numbers."""
    random = np.random.default_rng(0)
    untrained = [random.normal(0, 0.05, each.shape) for each in trained_layers()]
    assert decide(_found(untrained, _logits)) is None
    assert decide(_found(untrained, lambda _layers, inputs: np.full((len(inputs), 10), 0.1))) is None
    assert decide(_found(untrained, lambda _layers, inputs: np.full((len(inputs), 10), np.nan))) is None


def test_two_ranges_that_do_as_well_decide_nothing():
    """As with activations that saturate; the clearly better one of two is taken."""
    good = Evidence(0.9, 1.0, 0.5)
    assert decide({InputRange.UNIT: good, InputRange.BYTES: Evidence(0.9, 1.0, 0.55)}) is None
    assert decide({InputRange.UNIT: good, InputRange.BYTES: Evidence(0.9, 1.0, 0.9)}) is InputRange.UNIT


def test_standardized_pixels_are_not_mistaken_for_others_that_differ_little():
    """Networks for -1 to 1 may do a little better with standardized pixels than with their own."""
    standard = Evidence(0.9, 1.0, 0.3)
    for accuracy, found in ((0.7, None), (0.5, InputRange.STANDARD)):
        symmetric = Evidence(accuracy, 1.4, 0.6)
        assert decide({InputRange.STANDARD: standard, InputRange.SYMMETRIC: symmetric}) is found


def test_a_range_in_which_fewer_digits_are_right_than_in_another_is_not_taken():
    """However sure or unsure the network is in the other one; as with one layer, trained on bytes."""
    standard, other = Evidence(0.51, 0.7, 1.3), Evidence(0.69, 100.0, 16.0)
    assert decide({InputRange.STANDARD: standard, InputRange.BYTES: other}) is None


def test_too_sure_is_forgiven_where_the_digits_are_right():
    """After many epochs; a network of one layer for bytes looks alike in 0 to 1, but for its loss."""
    fed_bytes = Evidence(0.77, 739.0, 276.0)
    assert decide({InputRange.UNIT: Evidence(0.9, 2.9, 0.32), InputRange.BYTES: fed_bytes}) is InputRange.UNIT
    assert decide({InputRange.UNIT: Evidence(0.77, 2.9, 1.19), InputRange.BYTES: fed_bytes}) is None


def test_a_poor_network_is_evidence_if_it_does_by_chance_in_all_other_ranges():
    """Twice as many digits right as in any other."""
    poor = Evidence(0.45, 1.0, 1.8)
    assert decide({InputRange.UNIT: poor, InputRange.BYTES: Evidence(0.2, 1.0, 2.5)}) is InputRange.UNIT
    assert decide({InputRange.UNIT: poor, InputRange.BYTES: Evidence(0.3, 1.0, 2.5)}) is None
    assert decide({InputRange.UNIT: Evidence(0.3, 1.0, 2), InputRange.BYTES: Evidence(0.1, 1.0, 2.5)}) is None


def test_the_error_names_what_was_found_and_the_flag():
    """With a share for each range."""
    message = str(undecided("m.h5", {InputRange.UNIT: Evidence(0.1, 1, 2), InputRange.BYTES: Evidence(0.25, 1, 2)}))
    assert message == (
        "m.h5: does not say which range it expects its pixels in, and the reference digits do not decide it "
        "(classified correctly: 10 % from pixels / 255, 25 % from pixels of 0-255); say what it was trained on with "
        "--model-scale: 255, 1, -1..1, standard, if it was trained on digits that are upright and light on dark"
    )


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        ([[0.1] * 10], OutputKind.PROBABILITIES),
        ([[0.0] * 9 + [1.0]], OutputKind.PROBABILITIES),
        ([[0.9] * 10], OutputKind.SIGMOIDS),
        ([[-2.3] * 10], OutputKind.LOGITS),
        ([[5.0] * 10], OutputKind.LOGITS),
    ],
)
def test_outputs_are_recognised_and_become_probabilities(outputs, kind):
    """Logarithms of probabilities, too: softmax restores them."""
    outputs = np.array(outputs, np.float32)
    assert output_kind(outputs) is kind
    found = probabilities_of(outputs, kind)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_ranges_have_the_names_of_the_setting():
    """And `auto` stands for none of them."""
    assert {*map(str, InputRange), "auto"} == set(ModelScale.__args__)
    assert named_range("auto") is None
    assert named_range("255") is InputRange.BYTES
    check_no_scale("model", "auto")
    with pytest.raises(UsageError, match="--model-scale 1: model is a model folder, which needs none"):
        check_no_scale("model", "1")


def test_the_ranges_themselves():
    """Of black and white, in float32."""
    found = {str(each): each.apply(np.array([0, 255], np.uint8)) for each in InputRange}
    assert all(each.dtype == np.float32 for each in found.values())
    expected = {"255": (0, 255), "1": (0, 1), "-1..1": (-1, 1), "standard": (-0.4242, 2.8215)}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4)


def test_the_reference_digits_look_like_mnists():
    """Fifty of each digit, centred, with about MNIST's mean of 0.13 and deviation of 0.31; and always the same."""
    digits = reference_digits()
    assert (digits.pixels.shape, digits.pixels.dtype, digits.labels.dtype) == ((500, 784), np.uint8, np.int8)
    assert np.bincount(digits.labels).tolist() == [50] * 10
    assert digits.pixels.mean() / 255 == pytest.approx(0.12, abs=0.02)
    assert digits.pixels.std() / 255 == pytest.approx(0.3, abs=0.03)
    assert len(np.unique(digits.pixels, axis=0)) == 500
    images = digits.pixels.reshape(-1, 28, 28).astype(float)
    assert np.abs(images.sum(axis=(1,)) @ np.arange(28) / images.sum(axis=(1, 2)) - 13.5).max() <= 0.51
