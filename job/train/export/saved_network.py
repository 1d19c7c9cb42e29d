"""What `export` starts from: a saved network and images for it.

The network comes from a model folder, or from elsewhere, see `foreign`. The images come from the user or with the
network; the export is compared, and quantized, on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from job.contract import Pixels
from job.errors import ModelInvalid
from job.model.bundle import CARD_NAME, KERAS_NAME, Bundle, open_bundle
from job.model.input_range import InputRange, check_no_scale, named_range
from job.model.model_kind import FoundModel, ModelKind, find_model
from job.report.words import some
from job.storage import Storage, join
from job.train.backend import predict
from job.train.data.dataset import read_again
from job.train.data.optdigits import optdigits
from job.train.data.origin import find_images
from job.train.data.split import joined
from job.train.export.foreign import load_foreign
from job.train.export.foreign_saved_model import load_saved_model
from job.train.export.pixel_input import behind_pixels, probe_images
from job.train.train_settings import ExportSettings

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SavedNetwork:
    """A network of uint8 (n, 784) -> float32 (n, 10).

    bundle: its model folder, verified; None for one from elsewhere. files: contents of the folder's files, by name.
    """

    path: str
    model: "keras.Model"
    bundle: Bundle | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleImages:
    """Images to compare an export with its network on, and to quantize by, each uint8 (n, 784).

    description: what they are, for the terminal. are_given: whether the user named them.
    """

    to_compare: Pixels
    to_quantize_by: Pixels
    description: str
    are_given: bool = False


def open_network(storage: Storage, settings: ExportSettings) -> SavedNetwork:
    """Open a model folder, checking digests and golden rows, or a network from elsewhere; runs no code from either.

    Raises ModelInvalid, and UsageError for a range that a model folder does not need.
    """
    found = find_model(storage, settings.model)
    if found.kind is ModelKind.FOLDER:
        check_no_scale(settings.model, settings.model_scale)
        return _from_folder(storage, settings.model, allows_unblessed=settings.allows_unblessed)
    if found.kind is ModelKind.ONNX:
        raise ModelInvalid(f"{found.path}: is an ONNX file, which `score` takes as it is; exports need a Keras network")
    digits = optdigits().images
    model = behind_pixels(
        load_network(storage, found), digits.pixels, found.path, input_range=named_range(settings.model_scale)
    )
    return SavedNetwork(found.path, model)


def load_network(storage: Storage, found: FoundModel) -> "keras.Model":
    """The network of a Keras file or a SavedModel from elsewhere. Raises ModelInvalid."""
    if found.kind is ModelKind.SAVED_MODEL:
        return load_saved_model(storage, found.path)
    return load_foreign(found.content, found.path, found.kind)


def sample_images(
    storage: Storage, network: SavedNetwork, settings: ExportSettings, mnist_dir: str | None
) -> SampleImages:
    """The images that the user names, otherwise those that come with the network.

    To quantize a model folder, its data is read again: ranges are measured on the training images, and the export is
    compared on the test images. Raises NoInput, DataError, and ModelInvalid where its card names no data.
    """
    if settings.data:
        found = find_images(storage, settings.data, settings.read, mnist_dir=mnist_dir)
        test = joined([each.test or each.images for each in found])
        description = f"the {len(test):,} images of {some([each.name for each in found])}"
        return SampleImages(test.pixels, joined([each.images for each in found]).pixels, description, are_given=True)
    if network.bundle is None:
        settings.check_data_to_quantize_by()
        pixels = probe_images(optdigits().images)
        return SampleImages(pixels, pixels, f"{len(pixels):,} images: scikit-learn's digits, blank, full ink and noise")
    if settings.quantize:
        dataset = read_again(storage, network.bundle, mnist_dir)
        return SampleImages(dataset.test.pixels, dataset.train.pixels, f"the {len(dataset.test):,} test images")
    golden = network.bundle.golden.pixels
    return SampleImages(golden, golden, f"the {len(golden)} golden rows of its card")


def _from_folder(storage: Storage, location: str, *, allows_unblessed: bool) -> SavedNetwork:
    bundle = open_bundle(storage, location, allows_unblessed=allows_unblessed)
    path = join(bundle.path, KERAS_NAME)
    if KERAS_NAME not in bundle.files:
        raise ModelInvalid(f"{join(bundle.path, CARD_NAME)}: lists no {KERAS_NAME}; train the model again")
    model = load_foreign(bundle.files[KERAS_NAME], path)
    # A folder of digit-job's own holds a network of bytes, a converted one the file from elsewhere.
    input_range = InputRange.BYTES if bundle.about.get("data") else None
    model = behind_pixels(model, bundle.golden.pixels, path, input_range=input_range)
    bundle.check_answers(predict(model, bundle.golden.pixels), path)
    return SavedNetwork(bundle.path, model, bundle, bundle.files)
