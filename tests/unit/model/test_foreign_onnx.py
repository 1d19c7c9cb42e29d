"""ONNX files from elsewhere, fed as they expect it; without TensorFlow, Keras and onnx."""

import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto
from support.networks import answers, foreign_onnx, trained_layers

from job.errors import ModelInvalid
from job.model.bundle import open_bundle, predictor_of
from job.model.foreign_onnx import convert_onnx
from job.model.input_range import InputRange
from job.normalize.reference_digits import reference_digits


@pytest.fixture
def converted(storage, tmp_path):
    """A function that converts an ONNX file's content, and opens the model folder."""

    def run(content, **options):
        convert_onnx(storage, content, "in/mine.onnx", str(tmp_path / "model"), **options)
        bundle = open_bundle(storage, str(tmp_path / "model"))
        bundle.check(predictor_of(bundle))
        return bundle

    return run


def _pixels():
    return reference_digits().pixels[1::2]


@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1), (1, 28, 28), (1, 784)])
@pytest.mark.parametrize("rows", ["batch", 1, 7])
def test_every_shape_and_batch_size(converted, shape, rows):
    """Channels first or last; a batch of any size, or fixed to one."""
    bundle = converted(foreign_onnx(shape=shape, rows=rows))
    expected = answers(trained_layers(), InputRange.UNIT.apply(_pixels()))
    np.testing.assert_allclose(predictor_of(bundle).predict(_pixels()), expected, atol=1e-5)
    assert predictor_of(bundle).predict(_pixels()[:0]).shape == (0, 10)
    assert (bundle.name, bundle.about["recipe"], bundle.about["parameters"]) == ("mine", "converted", 25450)


@pytest.mark.parametrize("input_range", InputRange)
@pytest.mark.parametrize("output", ["Softmax", "LogSoftmax", "Sigmoid", None])
def test_its_range_and_its_kind_of_output_are_found(converted, caplog, input_range, output):
    """Whatever it was trained on; probabilities, their logarithms, sigmoids or logits. It is logged."""
    caplog.set_level("INFO")
    layers = trained_layers(input_range)
    bundle = converted(foreign_onnx(layers, shape=(1, 28, 28), output=output))
    expected = answers(layers, input_range.apply(_pixels()))
    found = predictor_of(bundle).predict(_pixels())
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    if output != "Sigmoid":
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert f"in/mine.onnx: gets {input_range.formula}, and its outputs are" in caplog.text


def test_a_fixed_batch_with_a_constant_reshape(converted):
    """As PyTorch traces `x.view(1, -1)`: one image at a time."""
    bundle = converted(foreign_onnx(shape=(1, 28, 28), rows=1, reshape=(1, 784)))
    expected = answers(trained_layers(), InputRange.UNIT.apply(_pixels()))
    np.testing.assert_allclose(predictor_of(bundle).predict(_pixels()), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT64])
def test_every_type_of_input(converted, dtype):
    """Integers can only be bytes."""
    is_integer = dtype in {TensorProto.UINT8, TensorProto.INT64}
    layers = trained_layers(InputRange.BYTES if is_integer else InputRange.UNIT)
    bundle = converted(foreign_onnx(layers, dtype=dtype))
    expected = answers(trained_layers(), InputRange.UNIT.apply(_pixels()))
    np.testing.assert_allclose(predictor_of(bundle).predict(_pixels()), expected, atol=1e-2)
    assert bundle.about["adapter"]["range"] == ("255" if is_integer else "1")


def test_the_digest_covers_how_it_is_fed(storage, converted, tmp_path):
    """Converted again, the same file is the same model; fed in another range, it is another."""
    content = foreign_onnx()
    digests = [converted(content).digest for _ in range(2)]
    assert digests[0] == digests[1]
    convert_onnx(storage, content, "mine.onnx", str(tmp_path / "other"), input_range=InputRange.SYMMETRIC)
    assert open_bundle(storage, str(tmp_path / "other")).digest != digests[0]


def test_a_network_that_knows_no_digits_needs_the_flag(storage, converted, tmp_path, caplog):
    """It is refused without, and gets a warning with it."""
    random = np.random.default_rng(0)
    content = foreign_onnx([random.normal(0, 0.05, each.shape).astype(np.float32) for each in trained_layers()])
    with pytest.raises(ModelInvalid, match=r"^in/mine\.onnx: does not say which range .* --model-scale: 255, 1"):
        convert_onnx(storage, content, "in/mine.onnx", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    assert converted(content, input_range=InputRange.UNIT).about["adapter"]["range"] == "1"
    assert "of the reference digits correctly; is it trained on digits that are upright" in caplog.text


def _eleven():
    *others, last, bias = trained_layers()
    return [*others, np.pad(last, ((0, 0), (0, 1))), np.pad(bias, (0, 1))]


def _of(inputs):
    first, *others = trained_layers()
    return [np.resize(first, (inputs, first.shape[1])), *others]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (foreign_onnx(extra=("label",)), r"outputs 'answer' tensor\(float\) .*, 'label' tensor\(int64\)"),
        (foreign_onnx(_eleven()), r"outputs 'answer' tensor\(float\) \['batch', 11\]"),
        (foreign_onnx(_of(3 * 784), shape=(3, 28, 28)), r"inputs 'image' tensor\(float\) \['batch', 3, 28, 28\]"),
        (foreign_onnx(_of(1024), shape=(32, 32)), r"inputs 'image' tensor\(float\) \['batch', 32, 32\]"),
    ],
    ids=["two outputs", "eleven classes", "colours", "32x32"],
)
def test_other_networks_are_refused_with_what_was_found(storage, tmp_path, content, found):
    """And with what is expected."""
    with pytest.raises(ModelInvalid, match=found + ".*; expected one input of 784 or 28x28 values"):
        convert_onnx(storage, content, "mine.onnx", str(tmp_path / "model"))


def test_nothing_of_the_train_extra_is_imported():
    """An ONNX file can be scored with where only scoring is installed."""
    program = (
        "import sys; import job.train.plain_model, job.model.foreign_onnx, job.model.model_kind; "
        "assert not {'keras', 'tensorflow', 'onnx', 'sklearn', 'scipy', 'h5py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
