"""Random deformations: digits as other hands would have written them. What is drawn for each, and the images so read.

After Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis
(ICDAR 2003): affine maps and elastic displacements, drawn anew each time an image is shown; and Ciresan, Meier,
Gambardella and Schmidhuber, Deep, Big, Simple Neural Nets for Handwritten Digit Recognition (2010), who trained dense
networks so. Which image is shown when is `stream`'s business; the hot loop is `deform_kernel`'s.

What a training run is shown: its images in random order, epoch after epoch, as they are or deformed anew.

All of an epoch follows from the seed and the epoch's number, so that a run that was killed can go on at any epoch and
is shown what it would have been. Knows nothing of networks; `fit` feeds one with it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import kernel
from job.contract import PIXELS, SIDE, Labels, Pixels
from job.train.data.split import Split

# Control points of the elastic displacement along one side.
POINTS: Final = 6
# The kernel's lines are padded to whole vectors; it writes on 46 of them, see there.
LINE: Final = 32
SCRATCH: Final = (LINE + 2 * POINTS + 2) * LINE

_Floats = npt.NDArray[np.float32]

# Both papers smooth noise of one value a pixel with a Gaussian of 4 to 6 pixels. Cubic B-splines with knots so far
# apart have the width of a Gaussian of 5.2 pixels, and need 36 random numbers an axis instead of 784.
_KNOT_PIXELS: Final = (SIDE - 1) / (POINTS - 3)
# What independent coefficients of standard deviation 1 add up to, in the mean over the image: the integral of the
# squared cubic B-spline is 151/315 along each of the two directions, and a variance is the product of both.
_SPLINE_DEVIATION: Final = 151 / 315


@dataclass(frozen=True)
class Deformations:
    """How far images are deformed. All is drawn independently, for each image each time it is shown.

    rotation_degrees, scale (of x and of y), shear (of x along y), shift_pixels (of x and of y): uniform between minus
    and plus this; scale and shear are shares, so that 0.1 is up to a tenth wider or narrower. elastic_pixels: the
    standard deviation of a pixel's own displacement in x and in y, which changes smoothly over some five pixels.
    """

    rotation_degrees: float
    scale: float
    shear: float
    shift_pixels: float
    elastic_pixels: float


def draw(deformations: Deformations, rows: int, random: np.random.Generator) -> tuple[_Floats, _Floats]:
    """What `deformed` takes, for so many images: affine maps (rows, 2, 3), elastic coefficients (rows, 2, 6, 6)."""
    most = deformations
    bounds = [math.radians(most.rotation_degrees), *[most.scale] * 2, most.shear, *[most.shift_pixels] * 2]
    angle, wider, higher, slant, right, down = (random.uniform(-1, 1, (rows, 6)) * bounds).T
    rotation = _matrices([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = _matrices([[1 + wider, slant], [np.zeros(rows), 1 + higher]])
    linear = rotation @ stretch
    # The middle of the image stays where it is, but for the shift.
    middle = np.full(2, (SIDE - 1) / 2)
    offset = middle + np.stack([right, down], axis=1) - linear @ middle
    affine = np.concatenate([linear, offset[:, :, np.newaxis]], axis=2, dtype=np.float32)
    coefficients = random.standard_normal((rows, 2, POINTS, POINTS), np.float32)
    return affine, coefficients * np.float32(most.elastic_pixels / _SPLINE_DEVIATION)


def deformed(images: Pixels, order: npt.NDArray[np.int64], affine: _Floats, coefficients: _Floats) -> Pixels:
    """uint8 (n, 784), of which those at some positions are deformed: uint8 (rows, 784).

    affine, coefficients: where each pixel's ink comes from, see `deform_kernel`. An image's result depends on what is
    given for it and on nothing else. Lets go of Python's lock.
    """
    result = np.empty((len(order), PIXELS), np.uint8)
    scratch = np.empty(SCRATCH, np.float32)
    arrays: list[npt.NDArray[Any]] = [
        np.ascontiguousarray(array, dtype)
        for array, dtype in ((images, np.uint8), (order, np.int64), (affine, np.float32), (coefficients, np.float32))
    ]
    pixels, positions, maps, controls = (array.ctypes.data for array in arrays)
    kernel("job.train.fit.deform_kernel", "deform")(
        pixels, positions, len(order), maps, controls, _SPLINES.ctypes.data, scratch.ctypes.data, result.ctypes.data
    )
    return result


def _matrices(entries: list[list[npt.NDArray[np.float64]]]) -> npt.NDArray[np.float64]:
    """(2, 2) arrays of n values each -> (n, 2, 2)."""
    return np.array(entries).transpose(2, 0, 1)


def _splines() -> _Floats:
    """Cubic B-splines at the pixels of a line: float32 (6, 32), of which the first 28 columns add up to 1."""
    knots = np.arange(POINTS)[:, np.newaxis] - 1
    apart = np.abs(np.arange(LINE) / _KNOT_PIXELS - knots)
    near, far = 2 / 3 - apart**2 + apart**3 / 2, np.maximum(2 - apart, 0) ** 3 / 6
    return np.where(apart < 1, near, far).astype(np.float32)


_SPLINES: Final = _splines()


@dataclass(frozen=True)
class EpochPlan:
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
    images: Split, deformations: Deformations | None, plan: EpochPlan, *, seed: int, epochs_done: int = 0
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
