"""The images that a training run sees: in random order, epoch after epoch, unchanged or randomly deformed.

Deformations follow P. Simard, D. Steinkraus and J. Platt, "Best Practices for Convolutional Neural Networks Applied to
Visual Document Analysis", ICDAR 2003 (affine maps and elastic displacements, drawn anew each time), and D. Ciresan and
others, "Deep, Big, Simple Neural Nets for Handwritten Digit Recognition", 2010 (for dense networks). The hot loop is in
`deform_kernel`; `loop` feeds the images to a network.
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
from job.train.fit.rescan import Rescan, rescanned

# Control points of the elastic displacement field along one side of the image.
CONTROL_POINTS: Final = 6
# The kernel pads lines to whole vector registers, and works on 46 of them.
LINE: Final = 32
SCRATCH_FLOATS: Final = (LINE + 2 * CONTROL_POINTS + 2) * LINE

_Floats = npt.NDArray[np.float32]

# Both papers smooth noise of one value per pixel with a Gaussian of 4 to 6 pixels. Cubic B-splines with knots this far
# apart are as wide as a Gaussian of 5.2 pixels, and take 36 random numbers per axis instead of 784.
_KNOT_PIXELS: Final = (SIDE - 1) / (CONTROL_POINTS - 3)
# Standard deviation of the field for coefficients of standard deviation 1, averaged over the image. The integral of the
# squared cubic B-spline is 151/315 along each direction, and the variance is the product of both.
_SPLINE_DEVIATION: Final = 151 / 315


@dataclass(frozen=True)
class Deformations:
    """How far images are deformed; every value is drawn independently for each image each time it is shown.

    rotation_degrees, scale (of x and of y), shear (of x along y) and shift_pixels (of x and of y) are drawn uniformly
    between minus and plus the given bound. scale and shear are fractions: 0.1 is up to a tenth wider or narrower.
    elastic_pixels: standard deviation of a pixel's displacement in x and in y, which varies smoothly over about five
    pixels. rescan: how a share of the deformed images is scanned again; None: none is.
    """

    rotation_degrees: float
    scale: float
    shear: float
    shift_pixels: float
    elastic_pixels: float
    rescan: Rescan | None = None


@dataclass(frozen=True)
class EpochPlan:
    """The shape of a training run: epochs of groups of batches of `batch_size` images."""

    epochs: int
    groups: int
    batches_per_group: int
    batch_size: int

    @property
    def batches(self) -> int:
        """Batches in one epoch."""
        return self.groups * self.batches_per_group


def batch_groups(
    images: Split, deformations: Deformations | None, plan: EpochPlan, *, seed: int, epochs_done: int = 0
) -> Iterator[tuple[Pixels, Labels]]:
    """Every image that a run sees, group by group: uint8 (batches_per_group, batch_size, 784) and int8 labels.

    Each epoch shuffles the images, repeats them if it has more places than images, and deforms each one anew if
    `deformations` are given. The result is a function of the arguments: the same seed and epoch give the same images
    whether or not earlier epochs are skipped. epochs_done: number of epochs to skip, for a resumed run.
    """
    shape = (plan.batches_per_group, plan.batch_size)
    for epoch in range(epochs_done, plan.epochs):
        random = np.random.default_rng([seed, epoch])
        rows = _shuffled_rows(len(images), plan.batches * plan.batch_size, random)
        for group in rows.reshape(plan.groups, -1):
            if deformations is None:
                pixels = images.pixels[group]
            else:
                pixels = deform_images(images.pixels, group, *draw_deformations(deformations, len(group), random))
                if deformations.rescan is not None:
                    pixels = rescanned(pixels, deformations.rescan, random)
            yield pixels.reshape(*shape, PIXELS), images.labels[group].reshape(shape)


def draw_deformations(deformations: Deformations, rows: int, random: np.random.Generator) -> tuple[_Floats, _Floats]:
    """Random affine maps, float32 (rows, 2, 3), and elastic coefficients, float32 (rows, 2, 6, 6)."""
    limits = deformations
    bounds = [math.radians(limits.rotation_degrees), *[limits.scale] * 2, limits.shear, *[limits.shift_pixels] * 2]
    angle, scale_x, scale_y, shear, shift_x, shift_y = (random.uniform(-1, 1, (rows, 6)) * bounds).T
    rotation = _matrices([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = _matrices([[1 + scale_x, shear], [np.zeros(rows), 1 + scale_y]])
    linear = rotation @ stretch
    # The centre of the image is the fixed point, apart from the shift.
    centre = np.full(2, (SIDE - 1) / 2)
    offset = centre + np.stack([shift_x, shift_y], axis=1) - linear @ centre
    affine = np.concatenate([linear, offset[:, :, np.newaxis]], axis=2, dtype=np.float32)
    coefficients = random.standard_normal((rows, 2, CONTROL_POINTS, CONTROL_POINTS), np.float32)
    return affine, coefficients * np.float32(limits.elastic_pixels / _SPLINE_DEVIATION)


def deform_images(images: Pixels, order: npt.NDArray[np.int64], affine: _Floats, coefficients: _Floats) -> Pixels:
    """The images at positions `order` (int64, rows) of uint8 (n, 784), deformed: uint8 (rows, 784).

    affine, coefficients: one for each result, as `draw_deformations` returns them; see `deform_kernel` for what they
    mean. Each result depends on its own parameters alone. Releases the GIL.
    """
    result = np.empty((len(order), PIXELS), np.uint8)
    scratch = np.empty(SCRATCH_FLOATS, np.float32)
    arrays: list[npt.NDArray[Any]] = [
        np.ascontiguousarray(array, dtype)
        for array, dtype in ((images, np.uint8), (order, np.int64), (affine, np.float32), (coefficients, np.float32))
    ]
    pixels, positions, maps, controls = (array.ctypes.data for array in arrays)
    kernel("job.train.fit.deform_kernel", "deform")(
        pixels, positions, len(order), maps, controls, _SPLINES.ctypes.data, scratch.ctypes.data, result.ctypes.data
    )
    return result


def _shuffled_rows(images: int, places: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """The row shown in each place: permutations one after another, the last one cut."""
    return np.concatenate([random.permutation(images) for _ in range(0, places, images)])[:places]


def _matrices(entries: list[list[npt.NDArray[np.float64]]]) -> npt.NDArray[np.float64]:
    """2 x 2 arrays of n values each -> (n, 2, 2)."""
    return np.array(entries).transpose(2, 0, 1)


def _cubic_b_splines() -> _Floats:
    """Each spline's value at each pixel of a line: float32 (6, 32); the first 28 columns sum to 1."""
    knots = np.arange(CONTROL_POINTS)[:, np.newaxis] - 1
    distance = np.abs(np.arange(LINE) / _KNOT_PIXELS - knots)
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


_SPLINES: Final = _cubic_b_splines()
