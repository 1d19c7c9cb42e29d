"""Grey page -> ink: how much darker each pixel is than the paper around it.

The paper is estimated from the page itself, as a closing that is wider than any stroke (Gonzalez and Woods, "Digital
Image Processing", 9.6: bottom-hat), and divided out, because light and shadow multiply. So ink in a shadow is as strong
as ink in the light, and a dark table is paper, too. Used by `sheet`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Ink = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8]

# The paper is estimated on a picture a quarter as wide and high.
_REDUCTION: Final = 4
# Of the page's longer side: wider than a stroke, narrower than a shadow.
_STROKE_SHARE: Final = 1 / 24
# In the dark, noise and JPEG's steps are a large share of the light.
_DARKEST_PAPER: Final = 24


@dataclass(frozen=True, slots=True)
class Inked:
    """The ink of a page, from 0 (paper) to 1 (black), and the paper's brightness, 1 on average: (height, width) each.

    noise: the standard deviation of bare paper, in the unit of the ink.
    """

    ink: Ink
    paper: Ink
    noise: float


def ink_of(page: Grey) -> Inked:
    """Take the paper out of a page, uint8 (height, width), dark ink on light paper."""
    height, width = page.shape
    picture = Image.fromarray(page)
    small = np.asarray(picture.reduce(_REDUCTION), np.uint8)
    radius = max(round(max(small.shape) * _STROKE_SHARE / 2), 2)
    closed = _widened(_widened(small, radius, np.maximum), radius, np.minimum)
    # Beside a shadow or a table the darker side counts, or a bright rim would make ink of it.
    darker = Image.fromarray(_widened(closed, 2, np.minimum)).filter(ImageFilter.GaussianBlur(1))
    paper = darker.resize((width, height), Image.Resampling.BILINEAR)
    calm = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    brightness = np.maximum(np.asarray(paper, np.float32), _DARKEST_PAPER)
    ink = np.subtract(1, calm / brightness, dtype=np.float32)
    # The closing takes the brightest of the noise: paper is a little darker than it says.
    above: Ink = np.clip(ink - np.median(ink[::4, ::4]), 0, 1)
    return Inked(above, brightness / np.median(brightness[::4, ::4]), _noise(ink))


def _noise(ink: Ink) -> float:
    """The standard deviation of bare paper, from the smaller differences between neighbours: ink makes larger ones."""
    # 3 pixels apart, because the blur makes nearer neighbours alike.
    differences = np.abs(ink[::3, 3::3] - ink[::3, :-3:3])
    return float(np.quantile(differences, 0.25) / 0.3186 / np.sqrt(2)) if differences.size else 0.0


def _widened(values: Grey, radius: int, extreme: np.ufunc) -> Grey:
    """The extreme in a square of 2 `radius` + 1 around each pixel."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (radius, radius)
        wide = np.moveaxis(np.pad(values, padding, mode="edge"), axis, 0)
        reach = 1
        # Windows of doubled width out of two that overlap.
        while reach < 2 * radius + 1:
            step = min(reach, 2 * radius + 1 - reach)
            wide = extreme(wide[:-step], wide[step:])
            reach += step
        values = np.moveaxis(wide, 0, axis)
    return values
