"""curves.png: loss and error rate by epoch, drawn. The numbers are in history.csv."""

import io
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from job.train.fit.checkpoint import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_INCHES: Final = (9, 3.6)
_DOTS_PER_INCH: Final = 120
# Of the training and of the validation images; they differ in brightness, too.
_COLOURS: Final = ("#dd8452", "#264478")
# Lines with fewer epochs get dots; a line of one epoch would be invisible.
_FEW_EPOCHS: Final = 30


def curves_png(history: Sequence[Epoch], kept_epoch: int, *, is_augmented: bool) -> bytes:
    """A PNG of the loss and of the share of misclassified images by epoch, both on logarithmic scales.

    kept_epoch: the epoch whose weights the network has; marked unless it is the last. is_augmented: whether the
    training images are deformed, and therefore harder than the validation images.
    """
    # matplotlib warns where $HOME is read-only, which does not matter here.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import style
    from matplotlib.figure import Figure

    # Not by the settings of a matplotlibrc, which may lie in the current folder and be anyone's.
    with style.context([], after_reset=True):
        figure = Figure(_INCHES, _DOTS_PER_INCH, layout="constrained")
        left, right = figure.subplots(1, 2)
        training = "training images, deformed" if is_augmented else "training images"
        _draw(left, "cross-entropy", {
            training: [each.loss for each in history],
            "validation images": [each.validation_loss for each in history],
        })  # fmt: skip
        _draw(right, "misclassified, %", {
            training: [100 * (1 - each.accuracy) for each in history],
            "validation images": [100 * (1 - each.validation_accuracy) for each in history],
        })  # fmt: skip
        if kept_epoch < len(history):
            for axes in (left, right):
                axes.axvline(kept_epoch, color="grey", linestyle=":", label=f"kept: epoch {kept_epoch}")
        left.legend(frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()


def _draw(axes: "Axes", title: str, lines: dict[str, list[float]]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for (name, values), colour in zip(lines.items(), _COLOURS, strict=True):
        marker = "." if len(values) < _FEW_EPOCHS else ""
        axes.plot(range(1, len(values) + 1), values, label=name, marker=marker, color=colour, linewidth=1.2)
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    # An error rate of 0 has no logarithm; it leaves a gap in the line.
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
