"""Five hundred digits that look like MNIST's, for `input_range` to find out what a network from elsewhere expects.

They are drawn here, because a plain install has no data set: strokes of one or two shapes for each digit, as wide,
slanted and thick as handwriting is, in the same way every time. Networks that were trained on MNIST classify about nine
in ten of them correctly.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS, SIDE, Labels, Pixels

_OF_EACH: Final = 50
_MIDDLE: Final = (SIDE - 1) / 2

# MNIST's digits fill a box of 20 pixels, and are placed by their centre of mass (LeCun et al.).
_HEIGHT: Final = (15.0, 17.5)
# Of the box, as a share of its height; of the stroke, in pixels from its middle to where its edge is half inked.
_WIDTH: Final = (0.68, 0.98)
_RADIUS: Final = (0.75, 1.5)
# How far the top leans to the right, as a share of the height; and the rotation.
_SLANT: Final = (-0.12, 0.4)
_ROTATION: Final = (-0.17, 0.17)
_WOBBLE: Final = 0.05
# The width of a stroke's grey edge in pixels.
_EDGE: Final = 0.9
_CHOICES: Final = 6

_Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReferenceDigits:
    """pixels: uint8 (n, 784). labels: int8 (n,)."""

    pixels: Pixels
    labels: Labels


@cache
def reference_digits() -> ReferenceDigits:
    """The digits, fifty of each in order; treat them as read-only."""
    labels = np.repeat(np.arange(CLASSES, dtype=np.int8), _OF_EACH)
    choices = _spread(len(labels), _CHOICES)
    shapes = [_SHAPES[label][row // 2 % len(_SHAPES[label])] for row, label in enumerate(labels.tolist())]
    images = [_centred(_drawn(strokes, choice)) for strokes, choice in zip(shapes, choices, strict=True)]
    return ReferenceDigits(np.rint(np.stack(images) * 255).astype(np.uint8).reshape(-1, PIXELS), labels)


# The shapes: strokes as points (x, y) in a box of 0-1, x to the right, y downwards


def _line(*points: tuple[float, float]) -> _Points:
    return np.array(points)


def _arc(centre: tuple[float, float], radius: tuple[float, float], start: float, stop: float) -> _Points:
    """From the angle `start` to `stop` in degrees: 0 is to the right, 90 downwards."""
    angles = np.radians(np.linspace(start, stop, 14))
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius + centre


def _joined(*pieces: _Points) -> _Points:
    return np.vstack(pieces)


_SHAPES: Final = (
    ((_arc((0.5, 0.5), (0.34, 0.5), -80, 280),), (_arc((0.5, 0.5), (0.27, 0.5), -60, 300),)),
    ((_line((0.5, 0), (0.5, 1)),), (_line((0.34, 0.18), (0.52, 0), (0.52, 1)),)),
    (
        (_joined(_arc((0.48, 0.28), (0.3, 0.28), 190, 400), _line((0.15, 1), (0.85, 1))),),
        (
            _joined(
                _arc((0.46, 0.28), (0.28, 0.28), 200, 410),
                _arc((0.3, 0.86), (0.14, 0.12), -30, -300),
                _line((0.85, 0.98)),
            ),
        ),
    ),
    (
        (_joined(_arc((0.46, 0.25), (0.3, 0.25), 205, 440), _arc((0.46, 0.74), (0.34, 0.26), 285, 515)),),
        (_joined(_line((0.15, 0), (0.8, 0), (0.45, 0.42)), _arc((0.45, 0.71), (0.34, 0.29), 280, 510)),),
    ),
    (
        (_line((0.22, 0), (0.14, 0.55), (0.86, 0.52)), _line((0.76, 0.05), (0.68, 1))),
        (_line((0.66, 1), (0.66, 0), (0.08, 0.66), (0.92, 0.66)),),
    ),
    ((_joined(_line((0.85, 0), (0.3, 0.02), (0.24, 0.42)), _arc((0.46, 0.69), (0.34, 0.31), 240, 505)),),),
    (
        (_joined(_arc((0.82, 0.66), (0.6, 0.66), 262, 180), _arc((0.5, 0.72), (0.28, 0.28), 180, 540)),),
        (_joined(_line((0.62, 0), (0.3, 0.4)), _arc((0.5, 0.7), (0.3, 0.3), 185, 545)),),
    ),
    (
        (_line((0.12, 0.02), (0.85, 0), (0.42, 1)),),
        (_line((0.15, 0.05), (0.85, 0), (0.4, 1)), _line((0.3, 0.5), (0.78, 0.48))),
    ),
    (
        (_arc((0.5, 0.24), (0.28, 0.24), 90, 450), _arc((0.5, 0.74), (0.34, 0.26), 270, 630)),
        (
            _joined(
                _arc((0.5, 0.24), (0.27, 0.24), -20, -270),
                _arc((0.5, 0.74), (0.33, 0.26), 270, 630),
                _line((0.74, 0.2)),
            ),
        ),
    ),
    (
        (_arc((0.48, 0.28), (0.28, 0.28), 0, 360), _line((0.76, 0.2), (0.74, 0.6), (0.62, 1))),
        (_arc((0.48, 0.28), (0.28, 0.28), -20, 340), _line((0.76, 0.1), (0.76, 1))),
    ),
)


# Drawing


def _spread(count: int, dimensions: int) -> _Points:
    """(count, dimensions) values of 0-1 that fill the space evenly; the same in every version of NumPy.

    The additive recurrence with powers of the generalised golden ratio (M. Roberts, "The Unreasonable Effectiveness of
    Quasirandom Sequences", 2018).
    """
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    return (0.5 + np.arange(1, count + 1)[:, np.newaxis] * steps) % 1


def _drawn(strokes: tuple[_Points, ...], choices: _Points) -> npt.NDArray[np.float64]:
    """A digit with ink of 0-1, (28, 28). choices: 0-1 for slant, width, rotation, radius, height and wobble."""
    slant, width, angle, radius, height = (
        low + (high - low) * choice
        for (low, high), choice in zip((_SLANT, _WIDTH, _ROTATION, _RADIUS, _HEIGHT), choices.tolist(), strict=False)
    )
    form = np.array([[width * height, -slant * height], [0, height]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    distance = np.full((SIDE, SIDE), np.inf)
    for stroke in strokes:
        points = stroke - 0.5
        waves = 2 * np.pi * (points[:, ::-1] + choices[-1])
        points += _WOBBLE * np.column_stack([np.sin(waves[:, 0]), np.cos(waves[:, 1])])
        # Not as matrix products, whose library takes more memory than a small container has.
        points = np.einsum("ij,kj->ik", np.einsum("ij,kj->ik", points, form), turn)
        distance = np.minimum(distance, _distance_to(points + _MIDDLE))
    ink: npt.NDArray[np.float64] = np.clip((radius + _EDGE / 2 - distance) / _EDGE, 0, 1)
    return ink


def _distance_to(points: _Points) -> npt.NDArray[np.float64]:
    """How far each pixel is from a line through some points, (28, 28)."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    pixels = np.stack([columns, rows], axis=-1)[:, :, np.newaxis]
    starts, along = points[:-1], np.diff(points, axis=0)
    share = np.clip(((pixels - starts) * along).sum(axis=-1) / np.maximum((along**2).sum(axis=-1), 1e-9), 0, 1)
    nearest: npt.NDArray[np.float64] = np.hypot(*np.moveaxis(pixels - starts - share[..., np.newaxis] * along, -1, 0))
    closest: npt.NDArray[np.float64] = nearest.min(axis=-1)
    return closest


def _centred(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Moved by whole pixels, so that the centre of mass is nearest to the middle. Nothing is moved out of the image."""
    places = np.arange(SIDE)
    total = image.sum()
    down, right = (round(_MIDDLE - float((places * image.sum(axis=axis)).sum()) / total) for axis in (1, 0))
    return np.roll(image, (down, right), (0, 1))
