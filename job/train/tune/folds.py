"""Cross-validation: the training images as stratified folds, each of which rates what was trained on the others.

Test images belong to no fold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from job.errors import DataError
from job.flag_names import Flag
from job.report.words import many
from job.train.data.dataset import Dataset


@dataclass(frozen=True)
class Folds:
    """The splits to train each trial on: one after the other, made when they are asked for.

    rated: for each fold, the places of the training images that rate it; without any, the only split is the dataset's
    own.
    """

    dataset: Dataset
    rated: Sequence[npt.NDArray[np.intp]] = ()

    def __len__(self) -> int:
        """The number of trainings per trial."""
        return len(self.rated) or 1

    def __getitem__(self, number: int) -> Dataset:
        """The images of one training: `train` and, to rate it, `validation`, both in the original order."""
        if not self.rated:
            return self.dataset
        images = self.dataset.train
        is_rated = np.zeros(len(images), dtype=bool)
        is_rated[self.rated[number]] = True
        train, validation = (images.rows(np.flatnonzero(each)) for each in (~is_rated, is_rated))
        return replace(self.dataset, train=train, validation=validation)

    def __iter__(self) -> Iterator[Dataset]:
        """All of them, in order."""
        return (self[number] for number in range(len(self)))

    @property
    def rated_images(self) -> int:
        """The number of images that rate a trial: the validation images, or all training images once."""
        return sum(map(len, self.rated)) or len(self.dataset.validation)


def split_folds(dataset: Dataset, count: int, *, seed: int) -> Folds:
    """The folds of a dataset's training images; a count of 1 is its own validation split.

    The same images, count and seed give the same folds, each with its share of every digit. Raises DataError where a
    digit has fewer images than there are folds.
    """
    if count == 1:
        return Folds(dataset)
    from sklearn.model_selection import StratifiedKFold

    for digit, found in enumerate(dataset.train.class_counts):
        if found < count:
            raise DataError(
                f"{dataset.source}: has {many(found, 'training image')} of the digit {digit}, expected at least "
                f"{count} for {Flag.FOLDS} {count}; add labelled images of it, or use fewer folds"
            )
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    places = np.arange(len(dataset.train))
    return Folds(dataset, tuple(rated for _, rated in splitter.split(places, dataset.train.labels)))
