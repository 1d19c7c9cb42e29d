"""`--data SRC` -> training, validation and test images; and the data of a trained model, read again as its card says.

The test images are those that the user names, or that the data comes with (MNIST's t10k), else a stratified fifth. They
are for the final figures: nothing is fitted to them or chosen by them. The validation images come with the data, too,
or are held out of the training images. `origin` finds the images, `split` splits them.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from job.errors import DataError, ModelInvalid, NoInput, UsageError
from job.flag_names import Flag
from job.model.bundle import CARD_NAME, Bundle
from job.report.words import many, some
from job.settings import LabelMap, ReadSettings
from job.storage import Storage, join
from job.train.data.added_images import AddedImages, read_added, with_added
from job.train.data.origin import find_images
from job.train.data.split import FoundImages, Split, hold_out, joined
from job.train.train_settings import DataSettings

_log = logging.getLogger(__name__)

_TEST_SHARE: Final = 0.2
_VALIDATION_SHARE: Final = 0.1
# A few corrected images among tens of thousands change little. Measured with the baseline recipe on USPS's training
# digits, resized: 49.9 % right; with 50 reviewed ones added once 63.0 %, 10 times 71.5 %, 30 times 70.6 %; with 200 of
# them 78.8, 82.1 and 82.9 %. t10k stays at 97.3 to 97.7 %.
_ADD_WEIGHT: Final = 10
# Fewer test images that are also trained on cannot change the accuracy much; a scanned page may repeat one.
_MAX_LEAK: Final = 0.01


@dataclass(frozen=True)
class Dataset:
    """Images to train on, to watch the training with, and to judge the result by.

    name, origin, warning: see `FoundImages`. sources, test_sources: the values of --data and --test-data that find the
    images again. test_share, validation_share: what was held out; None: they are images of their own. fingerprint:
    SHA-256 over all pixels and labels in the order found, before splitting. added: further images that `train` has at
    its end, of which the fingerprint knows nothing.
    """

    name: str
    sources: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    fingerprint: str
    origin: str = "files"
    warning: str | None = None
    test_sources: tuple[str, ...] = ()
    test_share: float | None = None
    validation_share: float | None = None
    added: AddedImages | None = None

    @property
    def identity(self) -> str:
        """What tells the data from any other."""
        added = f" with {self.added.identity}" if self.added else ""
        return f"fingerprint {self.fingerprint[:16]}{added}"

    @property
    def source(self) -> str:
        """The sources as one text, for messages."""
        return ", ".join(self.sources)

    @property
    def description(self) -> str:
        """How many images there are for each purpose, and where they come from, for people."""
        tested = "its own" if self.test_share is None else f"{self.test_share:g} of all, held out"
        if self.test_sources:
            tested = some(self.test_sources)
        validated = "its own" if self.validation_share is None else f"{self.validation_share:g} of them, held out"
        added = f" ({self.added})" if self.added else ""
        return (
            f"{many(len(self.train), 'image')} to train on{added}, {len(self.validation):,} to validate with "
            f"({validated}), {len(self.test):,} to test with ({tested})"
        )


def load(  # noqa: PLR0913  # all that the splits depend on
    storage: Storage,
    data: DataSettings,
    *,
    seed: int,
    mnist_dir: str | None = None,
    has_test: bool = True,
    has_validation: bool = True,
) -> Dataset:
    """Find images and split them; the same images, seed and settings give the same splits.

    mnist_dir: see `origin.find_images`. has_test: whether the test images are wanted; if not, their split is empty,
    they are not read, and the fingerprint covers the others only. The other splits are the same. has_validation:
    likewise; if not, the validation images are to train on.
    Raises NoInput, LayoutError, DataError; DataError also where there are too few images of a digit to split, or all
    test images are to train on, too;
    UsageError for a share that nothing is held out by.
    """
    found = find_images(storage, data.sources, data.read, mnist_dir=mnist_dir, has_test=has_test)
    tests = find_images(storage, data.test_sources, data.read, mnist_dir=mnist_dir) if has_test else []
    if data.test_sources:
        found = [_tested_by_others(each) for each in found]
    test_share = _share(Flag.TEST_SPLIT, data.test_share, _TEST_SHARE, [each.test for each in found])
    validation_share = None
    if has_validation:
        own = [each.validation for each in found]
        validation_share = _share(Flag.VALIDATION_SPLIT, data.validation_share, _VALIDATION_SHARE, own)
    splits = [_split(each, test_share, validation_share, seed) for each in found]
    train, validation, test = (joined(of_purpose) for of_purpose in zip(*splits, strict=True))
    if not has_validation:
        train, validation = joined([train, validation]), joined([])
    if tests:
        test = joined([each.images if each.test is None else each.test for each in tests])
    warnings = [each.warning for each in (*found, *tests) if each.warning] + _leaks((train, validation), test)
    added = None
    if data.added:
        sources = read_added(storage, data.added, data.read.normalize)
        train, added = with_added(train, [validation, test], sources, data.add_weight or _ADD_WEIGHT)
    return Dataset(
        name=", ".join(each.name for each in found),
        sources=tuple(source for each in found for source in each.sources),
        train=train,
        validation=validation,
        test=test if has_test else joined([]),
        fingerprint=_fingerprint([*found, *tests]),
        origin=", ".join(dict.fromkeys(each.origin for each in found)),
        warning="; ".join(warnings) or None,
        test_sources=tuple(source for each in tests for source in each.sources),
        test_share=test_share,
        validation_share=validation_share,
        added=added,
    )


def _tested_by_others(found: FoundImages) -> FoundImages:
    """The same without test images, and so that none are held out."""
    if found.test is not None:
        _log.info("%s: its own test images are left out: %s names others", found.name, Flag.TEST_DATA)
    return replace(found, test=joined([]))


def _share(flag: Flag, share: float | None, default: float, own: Sequence[Split | None]) -> float | None:
    """The share to hold out of images that come with none of their own; None: all do. Raises UsageError."""
    if any(each is None for each in own):
        return default if share is None else share
    if share is not None:
        raise UsageError(f"{flag} {share}: the data comes with such images of its own; leave the share out")
    return None


def _split(
    found: FoundImages, test_share: float | None, validation_share: float | None, seed: int
) -> tuple[Split, Split, Split]:
    """Training, validation and test images: those that are found for the purpose, otherwise a share of the others."""
    rest, validation, test = found.images, found.validation, found.test
    if test is None and test_share:
        rest, test = hold_out(rest, test_share, seed=seed, where=some(found.sources))
    if validation is None and validation_share:
        rest, validation = hold_out(rest, validation_share, seed=seed, where=some(found.sources))
    return rest, validation or joined([]), test or joined([])


def _leaks(others: Iterable[Split], test: Split) -> list[str]:
    """What to say if test images are among those of the other splits, pixel by pixel. Raises DataError if all are."""
    known = {pixels.tobytes() for images in others for pixels in images.pixels}
    count = sum(pixels.tobytes() in known for pixels in test.pixels)
    if count and count == len(test):
        raise DataError(
            f"all {many(count, 'test image')} are also to train on, so that the accuracy would say nothing; name "
            f"others with {Flag.TEST_DATA}"
        )
    if count <= _MAX_LEAK * len(test):
        return []
    text = f"{count:,} of {len(test):,} test images are also to train on: expect a lower accuracy on others"
    _log.warning("%s", text)
    return [text]


def _fingerprint(found: Iterable[FoundImages]) -> str:
    digest = hashlib.sha256()
    for each in found:
        for images in (each.images, each.validation, each.test):
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
    # Cards of earlier versions lack some keys: what they stand for was not there.
    names = ("label_column", "scale", "is_transposed", "is_inverted")
    read = ReadSettings(**{name: data[name] for name in names if name in data}, normalize=data.get("normalize", "none"))
    if data.get("label_map"):
        read = replace(read, label_map=LabelMap(CARD_NAME, tuple(sorted(data["label_map"].items()))))
    settings = DataSettings(
        tuple(data.get("sources", [data["source"]])),
        read,
        tuple(data.get("test_sources", [])),
        data.get("test_share"),
        data["validation_share"],
    )
    try:
        return load(storage, settings, seed=data["seed"], mnist_dir=mnist_dir)
    except NoInput:
        if not mnist_dir or settings.test_sources or len(settings.sources) > 1:
            raise
        return load(storage, replace(settings, sources=(mnist_dir,)), seed=data["seed"])
