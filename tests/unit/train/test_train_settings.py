from dataclasses import FrozenInstanceError

import pytest

from job.errors import UsageError
from job.settings import ReadSettings
from job.train.train_settings import DataSettings, ExportSettings, TrainSettings, parse_widths


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
@pytest.mark.parametrize("purpose", ["test", "validation"])
def test_a_share_outside_its_range_is_refused(purpose, share):
    """It would leave no images for training or for the purpose."""
    with pytest.raises(UsageError, match=rf"--{purpose}-split {share}: expected a share between 0 and 1"):
        DataSettings(**{f"{purpose}_share": share})


def test_test_images_are_named_or_held_out():
    """Not both."""
    with pytest.raises(UsageError, match="--test-data and --test-split contradict each other; give one of them"):
        DataSettings(test_sources=("test.csv",), test_share=0.2)


def test_settings_are_frozen():
    """Settings cannot change during a run."""
    settings = TrainSettings(DataSettings(("auto",)), "model")
    with pytest.raises(FrozenInstanceError):
        settings.model = "another"


@pytest.mark.parametrize(
    "options",
    [
        {"to": "onnx", "quantize": "int8"},
        {"to": "saved-model", "quantize": "int8"},
        {"to": "onnx", "read": ReadSettings(is_transposed=True)},
    ],
)
def test_contradicting_settings_are_refused(options):
    """Before anything is opened."""
    with pytest.raises(
        UsageError, match=r"--quantize int8: needs --to tflite|--transpose and --invert need files named by --data"
    ):
        ExportSettings("model", **options)


def test_a_plain_keras_file_needs_images_to_quantize_by():
    """A model folder comes with its own."""
    with pytest.raises(UsageError, match=r"comes without images .* give some .* with --data"):
        ExportSettings("mine.keras", "tflite", quantize="int8")
    assert ExportSettings("model", "tflite", quantize="int8").data == ()


def test_widths_are_numbers_separated_by_commas():
    """One for each hidden layer."""
    assert parse_widths("128") == (128,)
    assert parse_widths("128, 64,32") == (128, 64, 32)


@pytest.mark.parametrize("text", ["", "128,", "wide", "12.5", "128;64"])
def test_invalid_widths_are_refused(text):
    """The message has an example."""
    with pytest.raises(UsageError, match="expected widths of layers, such as 128,128,128"):
        parse_widths(text)


def test_an_activation_without_integers_is_refused_before_training():
    """TFLite has no operator for it, and training takes minutes."""
    with pytest.raises(UsageError, match="--quantize int8: TFLite has no integer operator for elu"):
        TrainSettings(DataSettings(("digits",)), "model", activation="elu", quantize="int8")
    assert TrainSettings(DataSettings(("digits",)), "model", activation="elu").quantize is None
    assert TrainSettings(DataSettings(("digits",)), "model", activation="silu", quantize="int8").activation == "silu"
