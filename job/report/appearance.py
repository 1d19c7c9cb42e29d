"""How images look, as counts that add up: pixels by their value, and images by how much ink they have.

Every scored image is counted, none sampled; so the counting is compiled, see `pixel_kernel`. Like `tally`'s, the counts
are integers, whose sums do not depend on their order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import kernel
from job.contract import PIXELS, Pixels

# The lowest value of each band of pixel values; the first band is the background alone.
INTENSITY_EDGES: Final = (0, 1, 64, 128, 192)
# The lowest mean pixel value of each bin of images; all but the last are as wide. MNIST's images are in nine of them.
INK_STEP: Final = 8
INK_EDGES: Final = tuple(range(0, 128, INK_STEP))

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Appearance:
    """Counts over some images. `+` merges two; it is associative and commutative, and `Appearance.zero()` is neutral.

    intensity (5,): pixels per band of values, see INTENSITY_EDGES. ink (16,): images per bin of their mean pixel value,
    see INK_EDGES; a bin includes its lower edge.
    """

    intensity: Counts
    ink: Counts

    @classmethod
    def zero(cls) -> Self:
        """Nothing counted."""
        return cls(np.zeros(len(INTENSITY_EDGES), np.int64), np.zeros(len(INK_EDGES), np.int64))

    @classmethod
    def of(cls, pixels: Pixels, rejected: int = 0) -> Self:
        """The counts of uint8 (n, 784), of which so many rows are all 0 for a rejected record, and not counted."""
        pixels = np.ascontiguousarray(pixels)
        counted = cls.zero()
        _kernel()(pixels.ctypes.data, len(pixels), counted.intensity.ctypes.data, counted.ink.ctypes.data)
        counted.intensity[0] -= rejected * PIXELS
        counted.ink[0] -= rejected
        return counted

    def __add__(self, other: Self) -> Self:
        """The counts of both."""
        return type(self)(self.intensity + other.intensity, self.ink + other.ink)

    def __eq__(self, other: object) -> bool:
        """Equal counts."""
        return isinstance(other, Appearance) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def images(self) -> int:
        """How many images were counted."""
        return int(self.ink.sum())

    def to_json(self) -> dict[str, list[int]]:
        """Plain lists of integers."""
        return {each.name: getattr(self, each.name).tolist() for each in fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(*(np.array(content[each.name], np.int64) for each in fields(cls)))


def prepare() -> None:
    """Load the compiled code, or compile it: before a file is opened, whose trouble it is not."""
    _kernel()


def _kernel() -> Any:
    return kernel("job.report.pixel_kernel", "count_pixels")
