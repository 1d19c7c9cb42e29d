"""A network that is there already, a model folder or a plain `.keras` file, as Keras has it; and images for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from job.contract import Pixels
from job.errors import ModelInvalid
from job.model.bundle import CARD_NAME, KERAS_NAME, Bundle, open_bundle
from job.storage import Storage, join
from job.train.data.dataset import read_again
from job.train.data.origin import find_images
from job.train.export.foreign import behind_pixels, load_foreign, probes
from job.train.judge.parity import predict
from job.train.train_settings import ExportSettings

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SavedNetwork:
    """A network of uint8 (n, 784) -> float32 (n, 10).

    bundle: its model folder, verified; None if it is a plain file. files: what the folder holds, by name.
    """

    path: str
    model: "keras.Model"
    bundle: Bundle | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """Images to compare an export with its network on, uint8 (n, 784), and to quantize by.

    where: what they are, in words. are_given: whether the user named them.
    """

    to_compare: Pixels
    to_quantize_by: Pixels
    where: str
    are_given: bool = False


def open_network(storage: Storage, location: str, *, allows_unblessed: bool) -> SavedNetwork:
    """Open a model folder, by its digests and golden rows, or a plain `.keras` file; no code in either is run.

    Raises ModelInvalid.
    """
    path = storage.resolve(location)
    if not location.endswith(".keras"):
        return _from_folder(storage, location, allows_unblessed=allows_unblessed)
    if storage.stat(path) is None:
        raise ModelInvalid(f"{path}: there is no such file; expected a .keras file or a model folder")
    digits = find_images(storage, "digits").images
    return SavedNetwork(path, behind_pixels(load_foreign(storage.read(path), path), digits.pixels, path))


def _from_folder(storage: Storage, location: str, *, allows_unblessed: bool) -> SavedNetwork:
    bundle = open_bundle(storage, location, allows_unblessed=allows_unblessed)
    path = join(bundle.path, KERAS_NAME)
    if KERAS_NAME not in bundle.files:
        raise ModelInvalid(f"{join(bundle.path, CARD_NAME)}: lists no {KERAS_NAME}; train the model again")
    model = behind_pixels(load_foreign(bundle.files[KERAS_NAME], path), bundle.golden.pixels, path)
    bundle.check_answers(predict(model, bundle.golden.pixels), path)
    return SavedNetwork(bundle.path, model, bundle, bundle.files)


def samples_for(storage: Storage, network: SavedNetwork, settings: ExportSettings, mnist_dir: str | None) -> Samples:
    """The images that the user names, else those that the network comes with.

    To quantize, that is a model folder's own data, read again: its training images to measure values on, its test
    images to compare on. Raises NoInput, DataError, and ModelInvalid where its card names no data.
    """
    if settings.data is not None:
        found = find_images(storage, settings.data, settings.read, mnist_dir=mnist_dir)
        test = found.test or found.images
        return Samples(test.pixels, found.images.pixels, f"the {len(test):,} images of {found.source}", are_given=True)
    if network.bundle is None:
        pixels = probes(find_images(storage, "digits").images)
        return Samples(pixels, pixels, f"{len(pixels):,} images: scikit-learn's digits, blank, ink and noise")
    if settings.quantize:
        dataset = read_again(storage, network.bundle, mnist_dir)
        return Samples(dataset.test.pixels, dataset.train.pixels, f"the {len(dataset.test):,} test images")
    golden = network.bundle.golden.pixels
    return Samples(golden, golden, f"the {len(golden)} golden rows of its card")
