"""`--add SRC` -> images that people have labelled or corrected, to train on beside the data's own.

They are never to validate or to test with, so that these figures stay comparable. `labelled_files` reads tables and
folders of pictures, `corrected_tasks` exports of Label Studio; `dataset` puts them to the training images.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from job.contract import PIXELS
from job.errors import DataError
from job.report.words import many, some
from job.settings import NormalizeChoice, ReadSettings
from job.storage import Storage
from job.train.data.corrected_tasks import read_tasks
from job.train.data.labelled_files import read_labelled
from job.train.data.split import Split, joined

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AddedSource:
    """One value of --add. source: its path. images: labelled ones. unlabelled: how many have no label."""

    source: str
    images: Split
    unlabelled: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the pixels and labels of the images."""
        return hashlib.sha256(self.images.pixels.tobytes() + self.images.labels.tobytes()).hexdigest()


@dataclass(frozen=True)
class AddedImages:
    """What became of the images of --add.

    weight: how often each is trained on. count: how many different ones were added. left_out: how many are to validate
    or to test with. relabelled: training images whose label they have corrected.
    """

    sources: tuple[AddedSource, ...]
    weight: int
    count: int
    left_out: int
    relabelled: int

    @property
    def identity(self) -> str:
        """What tells these images from any other."""
        return f"{', '.join(each.fingerprint[:16] for each in self.sources)} {self.weight} times"

    def __str__(self) -> str:
        """For people."""
        corrected = f" and {many(self.relabelled, 'label')} corrected" if self.relabelled else ""
        return f"{many(self.count, 'image')} added, each {self.weight} times{corrected}"


def read_added(storage: Storage, locations: Sequence[str], normalize: NormalizeChoice) -> tuple[AddedSource, ...]:
    """The labelled images of each location. Raises NoInput, LayoutError; DataError, also where nothing has a label.

    normalize: as for the other data. Their other settings are about other files: a review has its images as the scorer
    read them.
    """
    found, read = [], ReadSettings(normalize=normalize)
    for location in locations:
        path = storage.resolve(location)
        is_export = path.lower().endswith(".json")
        images, unlabelled = read_tasks(storage, path) if is_export else read_labelled(storage, location, read)
        if not len(images):
            raise DataError(f"{path}: none of {many(unlabelled, 'image')} has a label; label those to train on")
        if unlabelled:
            _log.info("%s: %s skipped, which nobody has labelled", path, many(unlabelled, "image"))
        found.append(AddedSource(path, images, unlabelled))
    return tuple(found)


def with_added(
    train: Split, held_out: Sequence[Split], sources: Sequence[AddedSource], weight: int
) -> tuple[Split, AddedImages]:
    """The training images with added ones behind them, each `weight` times; and what became of the added ones.

    held_out: images to validate and to test with. An added image that is among them is left out, with a warning; one
    that is a training image gives it its label. Of equal added images the last counts. Raises DataError if all are left
    out.
    """
    reserved = {pixels.tobytes() for each in held_out for pixels in each.pixels}
    labels = {
        pixels.tobytes(): label
        for each in sources
        for pixels, label in zip(each.images.pixels, each.images.labels.tolist(), strict=True)
    }
    left_out = len(labels.keys() & reserved)
    where = some([each.source for each in sources])
    if left_out == len(labels):
        raise DataError(
            f"{where}: all {many(left_out, 'image')} are also to validate or to test with, so that the accuracy would "
            "say nothing; add others"
        )
    if left_out:
        _log.warning("%s: %s left out, which are to validate or to test with", where, many(left_out, "image"))
    known = {row: pixels.tobytes() for row, pixels in enumerate(train.pixels) if pixels.tobytes() in labels}
    corrected = train.labels.copy()
    corrected[list(known)] = [labels[content] for content in known.values()]
    relabelled = int((corrected != train.labels).sum())
    new = [content for content in labels if content not in reserved and content not in set(known.values())]
    images = Split(
        np.frombuffer(b"".join(new), np.uint8).reshape(-1, PIXELS),
        np.array([labels[content] for content in new], np.int8),
    )
    counts = AddedImages(tuple(sources), weight, len(new), left_out, relabelled)
    return joined([Split(train.pixels, corrected), *[images] * weight]), counts
