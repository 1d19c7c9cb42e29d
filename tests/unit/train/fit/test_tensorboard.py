import io

import numpy as np
import pytest
from PIL import Image
from support.training_data import load

from job.errors import ResourceExhausted, StorageError
from job.storage import LocalStorage
from job.train.backend import fix_seed
from job.train.fit.loop import FitHooks, fit
from job.train.fit.network import dense
from job.train.fit.recipe import Recipe
from job.train.fit.tensorboard import confusion_png, tensorboard

EPOCHS = 3
RECIPE = Recipe("tiny", epochs=EPOCHS, batch_size=32, learning_rate=1e-3, hidden=(8,), dropout=0.2)


def _fit(dataset, recipe=RECIPE, callbacks=()):
    fix_seed(1)
    model = dense(recipe.hidden, dropout=recipe.dropout)
    return fit(model, recipe, dataset, seed=1, hooks=FitHooks(callbacks=callbacks))


@pytest.fixture(scope="module")
def dataset():
    return load(LocalStorage(), "digits", seed=1, validation_share=0.1)


@pytest.fixture(scope="module")
def watched(tmp_path_factory, dataset):
    """A run with TensorBoard's callbacks, and the folder of its events; treat as read-only."""
    folder = tmp_path_factory.mktemp("watched") / "events"
    with tensorboard(str(folder), dataset.validation, EPOCHS) as callbacks:
        return _fit(dataset, callbacks=callbacks), folder


def _events(folder):
    """A folder's events as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def _values(folder, tag):
    from tensorboard.util.tensor_util import make_ndarray

    return {each.step: make_ndarray(each.tensor_proto) for each in _events(folder).Tensors(tag)}


def test_scalars_are_the_history(watched):
    """Loss and accuracy of each epoch, on the training and the validation images."""
    fitted, folder = watched
    for part, prefix in (("train", ""), ("validation", "validation_")):
        for name in ("loss", "accuracy"):
            values = _values(folder / part, f"epoch_{name}")
            expected = [getattr(epoch, prefix + name) for epoch in fitted.history]
            assert [float(values[step]) for step in range(EPOCHS)] == pytest.approx(expected)


def test_every_weight_has_histograms(watched):
    """Bins with edges and counts, whose sum is the number of weights, for each epoch."""
    fitted, folder = watched
    tags = [tag for tag in _events(folder / "train").Tags()["tensors"] if tag.endswith("/histogram")]
    sizes = {f"{layer}/{kind}/histogram" for layer in ("hidden_1", "probabilities") for kind in ("kernel", "bias")}
    assert set(tags) == sizes
    bins = _values(folder / "train", "hidden_1/kernel/histogram")
    assert sorted(bins) == list(range(EPOCHS))
    assert {int(each[:, 2].sum()) for each in bins.values()} == {784 * 8}
    kernel = fitted.model.get_layer("hidden_1").get_weights()[0]
    assert bins[EPOCHS - 1][0, 0] == pytest.approx(kernel.min())


def test_the_confusion_matrix_is_an_image(watched):
    """One for each epoch of a short run, square and not blank."""
    _, folder = watched
    pictures = _values(folder / "pictures", "confusion_matrix")
    assert sorted(pictures) == list(range(EPOCHS))
    width, height, png = pictures[EPOCHS - 1]
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.size == (int(width), int(height)) == (600, 600)
        assert picture.convert("L").getextrema()[0] < 100


def test_graphs_of_operations_and_of_layers_are_written(watched):
    """TensorBoard shows both."""
    _, folder = watched
    events = _events(folder / "pictures")
    assert events.Tags()["graph"]
    names = {part for node in events.Graph().node for part in node.name.split("/")}
    assert {"pixels", "hidden_1_1", "probabilities_1"} <= names
    assert "keras" in _events(folder / "train").Tags()["tensors"]


def test_tensorboard_does_not_change_the_weights(watched, dataset):
    """They are the same, bit for bit, without it."""
    fitted, _ = watched
    plain = _fit(dataset)
    for one, other in zip(fitted.model.get_weights(), plain.model.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_long_run_does_not_draw_every_epoch(tmp_path, dataset):
    """Every third of 45, and the last one even if the run ended early."""
    with tensorboard(str(tmp_path / "events"), dataset.validation, 45) as callbacks:
        _fit(dataset, Recipe("tiny", epochs=4, batch_size=500, learning_rate=1e-3, hidden=(2,)), callbacks)
    assert sorted(_values(tmp_path / "events/pictures", "confusion_matrix")) == [2, 3]


def test_events_that_cannot_be_written_end_the_run(tmp_path, dataset):
    """As a StorageError with TensorFlow's reason, without the name of its operation."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match=rf"{tmp_path}/file/events: .* cannot be written: .*not a directory") as error,
        tensorboard(f"{tmp_path}/file/events", dataset.validation, EPOCHS) as callbacks,
    ):
        _fit(dataset, callbacks=callbacks)
    assert "Op:" not in str(error.value)


def test_errors_are_distinguished(dataset):
    """A full disk is ResourceExhausted, and an error of the training itself stays as it is."""
    import tensorflow as tf

    full = tf.errors.ResourceExhaustedError(
        None, None, "{{node FlushSummaryWriter}} /logs/mine/a.v2; No space left\n more"
    )
    with (
        pytest.raises(ResourceExhausted, match=r"^/logs/mine: TensorBoard's .*: /logs/mine/a\.v2; No space left$"),
        tensorboard("/logs/mine", dataset.validation, EPOCHS),
    ):
        raise full
    other = tf.errors.InvalidArgumentError(None, None, "shapes differ")
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="shapes differ"),
        tensorboard("/logs/mine", dataset.validation, EPOCHS),
    ):
        raise other


def test_a_confusion_matrix_without_images_is_drawn():
    """A digit without validation images does not divide by zero."""
    with Image.open(io.BytesIO(confusion_png(np.zeros((10, 10), np.int64)))) as picture:
        assert picture.format == "PNG"
