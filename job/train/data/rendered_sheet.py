"""Rendered pages of handwritten digits that look like scans and photos, with the truth about every digit.

A page is drawn flat (paper, lines, ink), then seen through a camera (perspective, uneven light, shadow, blur, noise).
Everything is drawn from a seed. `sample` writes such a page to try `digit-job prepare --sheet` with; tests and
`make bench-sheets` measure the detection with them.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from job.contract import SIDE, Labels, Pixels

Layout = Literal["lined", "boxed", "unlined", "free"]
Paper = Literal["plain", "ruled", "squared"]
_Canvas = npt.NDArray[np.float32]
_Rgb = tuple[int, int, int]

BLUE_INK: Final = (25, 40, 120)
BLACK_INK: Final = (25, 25, 30)
PENCIL: Final = (120, 120, 125)
WHITE_PAPER: Final = (250, 250, 248)
YELLOWISH_PAPER: Final = (246, 238, 214)
_PRINTED: Final = (150, 170, 205)
_TABLE: Final = (62, 48, 38)

# Of MNIST's 28 pixels, the digit's own box measures 20.
_BOX: Final = 20
_INK_FROM: Final = 0.5


@dataclass(frozen=True, slots=True)
class SheetLook:
    """What a page looks like. Lengths in pixels of the picture, angles in degrees, counter-clockwise.

    digit: the height of a digit's box, on average; spread: by which share single digits differ. cell: a cell's side as
    a multiple of `digit`. thickness: below 0 strokes are thinner than the original's, above thicker (-1 to 1).
    strength: of the ink, from 0 to 1. light: the darkest corner's brightness, relative to the brightest. shadow: the
    brightness inside a cast shadow, 1 without one. perspective: by which share of the page corners move. table: the
    share of the picture, at each side, that the page leaves to a dark table. blur: standard deviation; noise: the
    same, of 255. quality: JPEG's.
    """

    rows: int = 5
    columns: int = 4
    layout: Layout = "lined"
    paper: Paper = "plain"
    size: tuple[int, int] = (1400, 2000)
    digit: float = 90
    spread: float = 0.12
    cell: float = 2.0
    jitter: float = 0.12
    thickness: float = 0.0
    ink: _Rgb = BLACK_INK
    strength: float = 0.9
    paper_colour: _Rgb = WHITE_PAPER
    line_colour: _Rgb = (60, 60, 60)
    line_width: int = 3
    angle: float = 0.0
    perspective: float = 0.0
    light: float = 1.0
    shadow: float = 1.0
    table: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    quality: int = 90


@dataclass(frozen=True, slots=True)
class PlacedDigit:
    """A digit on a page: its label, row and column from 1 (0 where a page has none), and its ink's box.

    box: x, y, width, height in pixels of the picture.
    """

    label: int
    row: int
    column: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RenderedSheet:
    """A JPEG file and what is on it, in reading order."""

    content: bytes
    digits: tuple[PlacedDigit, ...]

    @property
    def picture(self) -> Image.Image:
        """The file, decoded."""
        return Image.open(io.BytesIO(self.content))


def photo_like(rng: np.random.Generator, **fixed: object) -> SheetLook:
    """A random look of a page photographed by hand; `fixed` sets single attributes."""
    papers: tuple[tuple[Paper, _Rgb], ...] = (
        ("plain", WHITE_PAPER), ("plain", YELLOWISH_PAPER), ("ruled", WHITE_PAPER), ("squared", WHITE_PAPER),
    )  # fmt: skip
    layouts: tuple[Layout, ...] = ("lined", "boxed", "unlined", "free")
    layout = layouts[rng.integers(len(layouts))]
    paper, colour = papers[rng.integers(len(papers))]
    inks = (BLACK_INK, BLUE_INK, PENCIL)
    look = SheetLook(
        layout=layout,
        paper=paper,
        paper_colour=colour,
        digit=float(rng.uniform(50, 110)),
        cell=float(rng.uniform(1.7, 2.3)),
        thickness=float(rng.uniform(-0.5, 0.5)),
        ink=inks[rng.integers(len(inks))],
        strength=float(rng.uniform(0.75, 1.0)),
        line_width=int(rng.integers(2, 5)),
        angle=float(rng.uniform(-6, 6)),
        perspective=float(rng.uniform(0, 0.03)),
        light=float(rng.uniform(0.55, 1.0)),
        shadow=float(rng.choice([1.0, rng.uniform(0.45, 0.85)])),
        table=float(rng.choice([0.0, rng.uniform(0.02, 0.07)])),
        blur=float(rng.uniform(0.3, 1.6)),
        noise=float(rng.uniform(1, 7)),
        quality=int(rng.integers(40, 81)),
    )
    return replace(look, **fixed)  # type: ignore[arg-type]


def render(pixels: Pixels, labels: Labels, look: SheetLook, seed: int) -> RenderedSheet:
    """A page with these digits in reading order; those that find no room on it are left out.

    pixels: uint8 (n, 784), ink 255 on 0. labels: (n,).
    """
    rng = np.random.default_rng(seed)
    width, height = look.size
    ink = np.zeros((height, width), np.float32)
    places = list(_places(look, len(labels), rng))
    placed = []
    for image, label, (row, column, x, y) in zip(pixels, labels, places, strict=False):
        if (box := _draw_digit(ink, image, look, (x, y), rng)) is not None:
            placed.append((int(label), row, column, box))
    page = _paper(look, places)
    uneven = 1 - 0.25 * _cloud(look.size, 6, rng)
    page *= 1 - (look.strength * uneven * ink)[..., None] * (1 - np.array(look.ink, np.float32) / 255)
    homography = _homography(look, rng)
    seen = _photograph(page, homography, look, rng)
    file = io.BytesIO()
    seen.save(file, "JPEG", quality=look.quality)
    digits = tuple(PlacedDigit(label, row, column, _seen_box(box, homography)) for label, row, column, box in placed)
    return RenderedSheet(file.getvalue(), digits)


def _places(look: SheetLook, count: int, rng: np.random.Generator) -> Iterator[tuple[int, int, float, float]]:
    """Row, column and centre of each digit."""
    width, height = look.size
    cell = look.cell * look.digit
    if look.layout == "free":
        taken: list[tuple[float, float]] = []
        margin = look.digit * 1.1 + look.table * max(look.size) + 0.06 * min(look.size)
        apart = look.digit * 1.55
        for _ in range(200 * count):
            x, y = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
            if len(taken) < count and all((x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in taken):
                taken.append((x, y))
        for x, y in sorted(taken, key=lambda place: (place[1] // apart, place[0])):
            yield 0, 0, x, y
        return
    left, top = (width - cell * look.columns) / 2, (height - cell * look.rows) / 2
    for index in range(min(count, look.rows * look.columns)):
        row, column = divmod(index, look.columns)
        dx, dy = rng.uniform(-look.jitter, look.jitter, 2) * cell
        yield row + 1, column + 1, left + (column + 0.5) * cell + dx, top + (row + 0.5) * cell + dy


def _draw_digit(
    ink: _Canvas, image: Pixels, look: SheetLook, centre: tuple[float, float], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Add a digit to the ink; the coordinates x, y of its pixels, or None where it does not fit on the page."""
    side = round(look.digit * SIDE / _BOX * (1 + rng.uniform(-look.spread, look.spread)))
    grey = Image.fromarray(image.reshape(SIDE, SIDE)).resize((side, side), Image.Resampling.BICUBIC)
    # A pen's edge is steeper than that of an enlarged picture, and a stroke thicker where the edge lies further out.
    middle = 0.45 - 0.22 * look.thickness
    stroke = np.clip((np.asarray(grey, np.float32) / 255 - middle) / 0.3 + 0.5, 0, 1)
    left, top = round(centre[0] - side / 2), round(centre[1] - side / 2)
    if min(left, top) < 0 or left + side > ink.shape[1] or top + side > ink.shape[0] or stroke.max() < _INK_FROM:
        return None
    target = ink[top : top + side, left : left + side]
    np.maximum(target, stroke, out=target)
    y, x = np.nonzero(stroke > _INK_FROM)
    return x + left, y + top


def _paper(look: SheetLook, places: list[tuple[int, int, float, float]]) -> _Canvas:
    """The page without ink: (height, width, 3), from 0 to 1."""
    paper = Image.new("RGB", look.size, look.paper_colour)
    draw = ImageDraw.Draw(paper)
    width, height = look.size
    pitch = {"plain": 0, "ruled": round(look.digit * 1.3), "squared": max(round(look.digit * 0.45), 12)}[look.paper]
    for y in range(pitch, height, pitch) if pitch else ():
        draw.line((0, y, width, y), fill=_PRINTED, width=2)
    for x in range(pitch, width, pitch) if look.paper == "squared" else ():
        draw.line((x, 0, x, height), fill=_PRINTED, width=2)
    cell = look.cell * look.digit
    left, top = (width - cell * look.columns) / 2, (height - cell * look.rows) / 2
    line: dict[str, Any] = {"fill": look.line_colour, "width": look.line_width}
    if look.layout == "lined":
        for row in range(look.rows + 1):
            draw.line((left, top + row * cell, left + look.columns * cell, top + row * cell), **line)
        for column in range(look.columns + 1):
            draw.line((left + column * cell, top, left + column * cell, top + look.rows * cell), **line)
    if look.layout == "boxed":
        gap = 0.06 * cell
        for row, column, _, _ in places:
            x0, y0 = left + (column - 1) * cell, top + (row - 1) * cell
            box = (x0 + gap, y0 + gap, x0 + cell - gap, y0 + cell - gap)
            draw.rectangle(box, outline=look.line_colour, width=look.line_width)
    flat: _Canvas = np.asarray(paper, np.float32) / np.float32(255)
    return flat


def _cloud(size: tuple[int, int], cells: int, rng: np.random.Generator) -> _Canvas:
    """A smooth random field from 0 to 1, with about `cells` bumps across: (height, width)."""
    coarse = Image.fromarray(rng.integers(0, 256, (cells, cells), np.uint8))
    field: _Canvas = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32) / np.float32(255)
    return field


def _homography(look: SheetLook, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The 3x3 matrix from the page to the picture: turned, seen at an angle, and smaller where a table is around it."""
    width, height = look.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    middle = np.array([width, height]) / 2
    turn = np.deg2rad(-look.angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = (corners - middle) * (1 - 2 * look.table) @ rotation.T + middle
    seen += rng.uniform(-look.perspective, look.perspective, (4, 2)) * look.size
    rows = []
    for (x, y), (u, v) in zip(corners, seen, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
    return np.append(np.linalg.solve(np.array(rows), seen.ravel()), 1).reshape(3, 3)


def _photograph(
    page: _Canvas, homography: npt.NDArray[np.float64], look: SheetLook, rng: np.random.Generator
) -> Image.Image:
    """The page as a camera sees it."""
    back = np.linalg.inv(homography)
    flat = Image.fromarray((page * 255).round().astype(np.uint8)).convert("RGBA")
    coefficients = (back / back[2, 2]).ravel()[:8].tolist()
    turned = flat.transform(look.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    around = Image.new("RGBA", look.size, (*_TABLE, 255) if look.table else (*look.paper_colour, 255))
    seen = np.asarray(Image.alpha_composite(around, turned).convert("RGB"), np.float32) / 255
    seen *= _light(look, rng)[..., None]
    blurred = Image.fromarray((seen * 255).round().astype(np.uint8)).filter(ImageFilter.GaussianBlur(look.blur))
    noisy = np.asarray(blurred, np.float32) + look.noise * rng.standard_normal((*seen.shape[:2], 1), np.float32)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def _light(look: SheetLook, rng: np.random.Generator) -> _Canvas:
    """The brightness of every pixel: falls off to one side, and in a cast shadow with a soft edge."""
    width, height = look.size
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    slope = np.cos(direction) * (x - 0.5) + np.sin(direction) * (y - 0.5)
    slope = (slope - slope.min()) / np.ptp(slope)
    light: _Canvas = 1 - (1 - look.light) * slope
    if look.shadow < 1:
        mask = Image.new("L", look.size)
        corner = rng.uniform(0.2, 0.6, 4) * (width, height, width, height)
        ImageDraw.Draw(mask).polygon([(0, 0), (corner[0], 0), (corner[2], corner[3]), (0, corner[1])], fill=255)
        soft = mask.filter(ImageFilter.GaussianBlur(rng.uniform(4, 30)))
        light *= 1 - (1 - look.shadow) * np.asarray(soft, np.float32) / 255
    return light


def _seen_box(
    ink: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], homography: npt.NDArray[np.float64]
) -> tuple[float, float, float, float]:
    x, y = ink
    u, v, w = homography @ np.stack([x + 0.5, y + 0.5, np.ones(len(x))])
    u, v = u / w, v / w
    left, top = u.min() - 0.5, v.min() - 0.5
    return tuple(round(float(side), 1) for side in (left, top, u.max() + 0.5 - left, v.max() + 0.5 - top))  # type: ignore[return-value]
