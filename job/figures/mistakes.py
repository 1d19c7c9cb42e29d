"""The surest mistakes, as the network saw them: dark ink on a light ground."""

import base64
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import SIDE, Pixels
from job.figures.slide import INK, ORANGE, PALE, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST: Final = 24
# Up to how many pictures, how many in a row, and the size of letters: the fewer, the larger.
_SHEETS: Final = ((4, 4, 24), (10, 5, 18), (_MOST, 8, 13))


def surest_mistakes(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with at least one mistake among its examples."""
    found = report["examples"]["sure_mistakes"][:_MOST]
    wrong = report["labelled"] - report["correct"]
    _, columns, size = next(sheet for sheet in _SHEETS if len(found) <= sheet[0])
    rows = -(-len(found) // columns)

    def draw(figure: "Figure") -> None:
        grid = {"left": 0.045, "right": 0.955, "bottom": 0.105, "top": 0.785, "wspace": 0.30, "hspace": 0.60}
        cells = figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid).ravel()
        for axes, example in zip(cells, found, strict=False):
            _draw(axes, example, size)
        for axes in cells[len(found) :]:
            axes.set_axis_off()

    subtitle = (
        f"the {len(found)} of {wrong:,} wrong rows of which it is surest"
        if len(found) < wrong
        else f"all {wrong:,} wrong rows"
    )
    return slide("Where it is wrong and sure of it", subtitle, footer, draw)


def _draw(axes: "Axes", example: dict[str, Any], size: int) -> None:
    axes.imshow(pixels_of(example).reshape(SIDE, SIDE), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=PALE)
    label: dict[str, Any] = {"ha": "center", "va": "bottom", "transform": axes.transAxes}
    axes.text(0.5, 1.05, f"{example['label']} taken for {example['prediction']}", size=size, color=INK, **label)
    label["va"] = "top"
    axes.text(0.5, -0.05, f"{100 * example['confidence']:.2f} % sure", size=size - 1, color=ORANGE, **label)


def pixels_of(example: dict[str, Any]) -> Pixels:
    """The image of an example, uint8 (784,)."""
    return np.frombuffer(base64.b64decode(example["pixels"]), np.uint8)
