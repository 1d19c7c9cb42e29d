"""Lines drawn across the digit by somebody else: a dotted one, and a zigzag."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import SIDE

# In pixels: half the width of a line, how far from the middle it may pass, and the length after which it repeats.
_RADIUS: Final = 0.7
_OFFSET: Final = 6.0
_DOTS: Final = 4.0
_TEETH: Final = 8.0
# How far a tooth goes to each side.
_AMPLITUDE: Final = 2.5

_Field = npt.NDArray[np.float64]


def dotted_line(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """A dotted line at a random place and angle."""
    along, across = _coordinates(len(images), random)
    is_dot = np.mod(along, _DOTS) < _DOTS / 2
    return np.maximum(images, _ink(across) * is_dot)


def zigzag(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """A zigzag line at a random place and angle."""
    along, across = _coordinates(len(images), random)
    teeth = _AMPLITUDE * (4 * np.abs(np.mod(along / _TEETH, 1) - 0.5) - 1)
    slope = 4 * _AMPLITUDE / _TEETH
    # Across a slope the line would be thicker.
    return np.maximum(images, _ink((across - teeth) / np.hypot(1, slope)))


def _coordinates(count: int, random: np.random.Generator) -> tuple[_Field, _Field]:
    """For each image and pixel the place along a random line, with a random start, and the distance from it."""
    angle = random.uniform(0, np.pi, (count, 1, 1))
    start, offset = random.uniform(0, SIDE, (count, 1, 1)), random.uniform(-_OFFSET, _OFFSET, (count, 1, 1))
    x = np.arange(SIDE) - (SIDE - 1) / 2
    y = x[:, None]
    return x * np.cos(angle) + y * np.sin(angle) + start, y * np.cos(angle) - x * np.sin(angle) - offset


def _ink(distance: _Field) -> _Field:
    """The ink of a line, in 0-1, by the distance from its middle in pixels; its edge is one pixel wide."""
    ink: _Field = np.clip(_RADIUS + 0.5 - np.abs(distance), 0, 1)
    return ink
