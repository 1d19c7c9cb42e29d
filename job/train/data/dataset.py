"""`--data SRC` -> training, validation and test images; and the data of a trained model, read again as its card says.

The test images are the data's own where it comes with some (MNIST's t10k), else a stratified fifth. They are for the
final figures: nothing is fitted to them or chosen by them. The validation images are held out of the training images.
`origin` finds the images, `split` splits them.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

from job.errors import DataError, ModelInvalid, NoInput, UsageError
from job.model.bundle import CARD_NAME, Bundle
from job.settings import LabelMap, ReadSettings
from job.storage import Storage, join
from job.train.data.origin import find_images
from job.train.data.split import FoundImages, Split, hold_out, joined

_DEFAULTS: Final = ReadSettings()
_TEST_SHARE: Final = 0.2


@dataclass(frozen=True)
class Dataset:
    """Images to train on, to watch the training with, and to judge the result by.

    source, origin, warning: see `FoundImages`. fingerprint: SHA-256 over all pixels and labels in the order found,
    before splitting.
    """

    name: str
    source: str
    train: Split
    validation: Split
    test: Split
    fingerprint: str
    origin: str = "files"
    warning: str | None = None


def load(  # noqa: PLR0913  # all that the splits depend on
    storage: Storage,
    source: str,
    read: ReadSettings = _DEFAULTS,
    *,
    seed: int,
    validation_share: float,
    mnist_dir: str | None = None,
    has_test: bool = True,
) -> Dataset:
    """Find images and split them; the same images, seed and share give the same splits.

    source, read, mnist_dir: see `origin.find_images`. validation_share: of the images that are not test images, in
    (0, 1). has_test: whether the test images are wanted; if not, their split is empty, their files are not opened, and
    the fingerprint covers the others only. The other splits are the same.
    Raises NoInput, LayoutError, DataError; DataError also where there are too few images of a digit to split.
    """
    found = find_images(storage, source, read, mnist_dir=mnist_dir, has_test=has_test)
    remaining, test = found.images, found.test
    if test is None:
        remaining, test = hold_out(remaining, _TEST_SHARE, seed=seed, where=found.source)
    train, validation = hold_out(remaining, validation_share, seed=seed, where=found.source)
    return Dataset(
        found.name,
        found.source,
        train,
        validation,
        test if has_test else joined([]),
        _fingerprint(found),
        found.origin,
        found.warning,
    )


def _fingerprint(found: FoundImages) -> str:
    digest = hashlib.sha256()
    for images in (found.images, found.test):
        if images is not None:
            digest.update(images.pixels.tobytes())
            digest.update(images.labels.tobytes())
    return digest.hexdigest()


def read_again(storage: Storage, bundle: Bundle, mnist_dir: str | None) -> Dataset:
    """A model's data in the same splits, from the source that its card names, or else from `mnist_dir`.

    Raises ModelInvalid where the card names no data; NoInput; DataError, also where the images are not those that the
    model was trained on.
    """
    data = bundle.about.get("data")
    if not data:
        raise ModelInvalid(
            f"{bundle.path}: its {CARD_NAME} names no data; only models trained by digit-job know their images"
        )
    missing = {"source", "fingerprint", "seed", "validation_share"} - data.keys()
    if missing:
        raise ModelInvalid(f"{join(bundle.path, CARD_NAME)}: its data lacks {min(missing)!r}; train the model again")
    try:
        dataset = _loaded(storage, data, mnist_dir)
    except UsageError as error:
        raise ModelInvalid(f"{join(bundle.path, CARD_NAME)}: its data cannot be read again: {error}") from error
    if dataset.fingerprint != data["fingerprint"]:
        raise DataError(
            f"{dataset.source}: has changed since {bundle.path} was trained on it, or is other data of the same name: "
            f"its fingerprint is {dataset.fingerprint[:16]}, in the card {data['fingerprint'][:16]}; bring back the "
            "images, or train again"
        )
    return dataset


def _loaded(storage: Storage, data: dict[str, Any], mnist_dir: str | None) -> Dataset:
    # Cards of earlier versions lack these keys: files were read in one way only.
    names = ("label_column", "scale", "is_transposed", "is_inverted")
    read = ReadSettings(**{name: data[name] for name in names if name in data})
    if data.get("label_map"):
        read = replace(read, label_map=LabelMap(CARD_NAME, tuple(sorted(data["label_map"].items()))))
    choices = {"seed": data["seed"], "validation_share": data["validation_share"]}
    try:
        return load(storage, data["source"], read, mnist_dir=mnist_dir, **choices)
    except NoInput:
        if not mnist_dir:
            raise
        return load(storage, mnist_dir, read, **choices)
