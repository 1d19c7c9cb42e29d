"""What a training run is shown: its images in random order, epoch after epoch, as they are or deformed anew.

All of an epoch follows from the seed and the epoch's number, so that a run that was killed can go on at any epoch and
is shown what it would have been. Knows nothing of networks; `fit` feeds one with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, Labels, Pixels
from job.train.augment import Deformations, deformed, draw
from job.train.split import Split


@dataclass(frozen=True)
class Plan:
    """How many images are shown: epochs of groups of batches of `batch_size` images."""

    epochs: int
    groups: int
    batches_per_group: int
    batch_size: int

    @property
    def batches(self) -> int:
        """In one epoch."""
        return self.groups * self.batches_per_group


def shown_groups(
    images: Split, deformations: Deformations | None, plan: Plan, *, seed: int, epochs_done: int = 0
) -> Iterator[tuple[Pixels, Labels]]:
    """All that a training run is shown: uint8 (batches_per_group, batch_size, 784) and int8 labels, group by group.

    Each epoch shows the images in random order, over and over if they are fewer than its places, each deformed anew
    where there are deformations. All of it follows from the arguments: the same seed, epoch and place give the same
    image, deformed in the same way. epochs_done: so many are left out at the beginning.
    """
    shape = (plan.batches_per_group, plan.batch_size)
    for epoch in range(epochs_done, plan.epochs):
        random = np.random.default_rng([seed, epoch])
        for group in _order(len(images), plan.batches * plan.batch_size, random).reshape(plan.groups, -1):
            if deformations is None:
                pixels = images.pixels[group]
            else:
                pixels = deformed(images.pixels, group, *draw(deformations, len(group), random))
            yield pixels.reshape(*shape, PIXELS), images.labels[group].reshape(shape)


def _order(images: int, places: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Which image is shown in each place: one permutation after the other, the last one cut."""
    return np.concatenate([random.permutation(images) for _ in range(0, places, images)])[:places]
