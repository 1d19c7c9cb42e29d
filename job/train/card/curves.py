"""curves.png: how a training went, for the eye. Its numbers are in history.csv."""

import io
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from job.train.fit.checkpoint import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_INCHES: Final = (9, 3.6)
_DOTS_PER_INCH: Final = 120
# Of the training and of the validation images; they differ in brightness as well.
_COLOURS: Final = ("#dd8452", "#264478")
# Of fewer epochs a line alone would be hard to see, or none.
_FEW: Final = 30


def curves(history: Sequence[Epoch], kept_epoch: int, *, is_augmented: bool) -> bytes:
    """A PNG of the loss, and of the share of images named wrong, epoch by epoch, both on logarithmic scales.

    kept_epoch: the one whose weights the network has, marked unless it is the last. is_augmented: the training images
    are deformed, and so harder than those of validation.
    """
    # A home that cannot be written to is no trouble, and no news.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.figure import Figure

    figure = Figure(_INCHES, _DOTS_PER_INCH, layout="constrained")
    left, right = figure.subplots(1, 2)
    of_training = "training images, deformed" if is_augmented else "training images"
    _draw(left, "cross-entropy", {
        of_training: [each.loss for each in history],
        "validation images": [each.validation_loss for each in history],
    })  # fmt: skip
    _draw(right, "named wrong, %", {
        of_training: [100 * (1 - each.accuracy) for each in history],
        "validation images": [100 * (1 - each.validation_accuracy) for each in history],
    })  # fmt: skip
    if kept_epoch < len(history):
        for axes in (left, right):
            axes.axvline(kept_epoch, color="grey", linestyle=":", label=f"kept: epoch {kept_epoch}")
    left.legend(frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _draw(axes: "Axes", what: str, lines: dict[str, list[float]]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for (name, values), colour in zip(lines.items(), _COLOURS, strict=True):
        marker = "." if len(values) < _FEW else ""
        axes.plot(range(1, len(values) + 1), values, label=name, marker=marker, color=colour, linewidth=1.2)
    axes.set_title(what, fontsize="medium")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    # Where nothing is named wrong there is no logarithm, and a gap in the line.
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
