"""One slide: a picture of 1920 x 1080 with a title, and room for axes below it.

The same content gives the same bytes: fonts and colours are set here, whatever the user's matplotlib is set to.
"""

import io
import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from job.report.tally import MILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK: Final = "#1c2733"
GREY: Final = "#66707c"
PALE: Final = "#d5dae1"
BLUE: Final = "#264478"
ORANGE: Final = "#d1662b"

_INCHES: Final = (13.333333333333334, 7.5)
_DOTS_PER_INCH: Final = 144
_LEFT: Final = 0.045
_TEN_THOUSAND: Final = 10_000


def slide(title: str, subtitle: str, footer: str, draw: Callable[["Figure"], None]) -> bytes:
    """A PNG. draw: puts axes into the figure, between 0.10 and 0.84 of its height."""
    # A home that cannot be written to is no trouble, and no news.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib.style  # noqa: PLC0415  # half a second
    import seaborn as sns  # noqa: PLC0415  # three
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # as its neighbour above
    from matplotlib.figure import Figure  # noqa: PLC0415  # the same; and pyplot would look for a screen

    look = {
        **sns.axes_style("white"),
        **sns.plotting_context("talk"),
        "font.family": "DejaVu Sans",  # comes with matplotlib
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": PALE,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with warnings.catch_warnings(), matplotlib.style.context(look, after_reset=True):
        # A name may hold letters that the font does not have; they are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(_INCHES, _DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        # What comes from outside, such as a name with dollar signs, is no formula.
        figure.text(_LEFT, 0.93, title, size=30, weight="bold", va="center", parse_math=False)
        figure.text(_LEFT, 0.868, subtitle, size=18, color=GREY, va="center", parse_math=False)
        figure.text(_LEFT, 0.028, footer, size=12, color=GREY, va="center", parse_math=False)
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def short(count: int) -> str:
    """A count in as few characters as a cell has room for: 9,999, 12.3k, 4.6M, 123M."""
    if count < _TEN_THOUSAND:
        return f"{count:,}"
    value, unit = (count / MILLION, "M") if count >= MILLION else (count / 1000, "k")
    return f"{value:.1f}{unit}" if value < 100 else f"{value:,.0f}{unit}"  # noqa: PLR2004  # three digits
