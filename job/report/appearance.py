"""Histograms of what images look like: pixels by value, and images by their mean pixel value ("ink").

Every scored image is counted, none is sampled, so the counting is compiled: see `pixel_kernel`. Like those of `tally`,
the counts are integers, whose sums do not depend on the order. `drift` compares them with the training images'.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np

from job.compiled.machine_code import kernel
from job.contract import PIXELS, Pixels
from job.report.tally import Counts, parse_counts

# The lowest pixel value of each band; the first band is the background alone.
INTENSITY_EDGES: Final = (0, 1, 64, 128, 192)
# The lowest mean pixel value of each bin of images; the last bin has no upper edge. MNIST's images are in nine of them.
INK_STEP: Final = 8
INK_EDGES: Final = tuple(range(0, 128, INK_STEP))


@dataclass(frozen=True, eq=False)
class Appearance:
    """Counts over some images. `+` merges two; it is associative and commutative, and `Appearance.zero()` is neutral.

    intensity (5,): pixels per band of INTENSITY_EDGES. ink (16,): images per bin of INK_EDGES; a bin includes its lower
    edge.
    """

    intensity: Counts
    ink: Counts

    @classmethod
    def zero(cls) -> Self:
        """No images."""
        return cls(np.zeros(len(INTENSITY_EDGES), np.int64), np.zeros(len(INK_EDGES), np.int64))

    @classmethod
    def of(cls, pixels: Pixels, rejected: int = 0) -> Self:
        """The counts of uint8 (n, 784). rejected: how many of these rows are rejects, all 0, and are not counted."""
        pixels = np.ascontiguousarray(pixels)
        counts = cls.zero()
        _kernel()(pixels.ctypes.data, len(pixels), counts.intensity.ctypes.data, counts.ink.ctypes.data)
        counts.intensity[0] -= rejected * PIXELS
        counts.ink[0] -= rejected
        return counts

    def __add__(self, other: Self) -> Self:
        return type(self)(self.intensity + other.intensity, self.ink + other.ink)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Appearance) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def images(self) -> int:
        """The number of images counted."""
        return int(self.ink.sum())

    def to_json(self) -> dict[str, list[int]]:
        """Lists of integers, by field."""
        return {each.name: getattr(self, each.name).tolist() for each in fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for what it cannot have returned."""
        return cls(
            parse_counts(content, "intensity", (len(INTENSITY_EDGES),)), parse_counts(content, "ink", (len(INK_EDGES),))
        )


def prepare() -> None:
    """Load or compile the kernel, so that no input file is blamed for an error of the compiler."""
    _kernel()


def _kernel() -> Any:
    return kernel("job.report.pixel_kernel", "count_pixels")
