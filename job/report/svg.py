"""SVG within a page: escaped elements, scales, and the frame of a plot. `plots` builds the reports' plots from these.

Colours and fonts come from the page's style sheet by class, so that plots follow light and dark mode. Numbers are
rounded to hundredths, so that the same plot has the same bytes on every machine.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *content: object, **attributes: object) -> Markup:
    """An element with escaped content and attributes: `class_` is written `class`, and `text_anchor` `text-anchor`."""
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_format(value))}"' for key, value in attributes.items()
    )
    inner = "".join(escape(each) for each in content)
    return Markup(f"<{name}{text}>{inner}</{name}>" if inner else f"<{name}{text}/>")  # noqa: S704  # escaped above


def drawing(name: str, title: str, description: str, size: tuple[float, float], parts: Iterable[Markup]) -> Markup:
    """An `svg` element, which screen readers announce by its title and description.

    name: prefix of its ids, unique on the page. size: width and height of the view box; the page scales it.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        class_="plot",
        viewBox=f"0 0 {_format(width)} {_format(height)}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points; a point whose y is not finite leaves a gap."""
    steps, is_drawing = [], False
    for x, y in points:
        if math.isfinite(y):
            steps.append(f"{'L' if is_drawing else 'M'}{_format(x)} {_format(y)}")
        is_drawing = math.isfinite(y)
    return element("path", d="".join(steps), class_=class_)


@dataclass(frozen=True)
class Scale:
    """Maps values to positions along an axis: `low` to `start`, `high` to `end`; logarithmic if `is_log`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """The position of a value, clipped to the ends."""
        low, high, value = (math.log(each) if self.is_log else each for each in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


@dataclass(frozen=True)
class Frame:
    """The area of a plot. x, y: its scales, y from bottom to top."""

    x: Scale
    y: Scale

    def grid_line(self, value: float, label: str) -> list[Markup]:
        """A horizontal line at a value of y, with a label at its left."""
        y = self.y(value)
        return [
            element("line", x1=self.x.start, x2=self.x.end, y1=y, y2=y, class_="grid"),
            element("text", label, x=self.x.start - 6, y=y + 3.5, class_="tick", text_anchor="end"),
        ]

    def tick_label(self, x: float, label: str) -> Markup:
        """A label below the area, centred at a position."""
        return element("text", label, x=x, y=self.y.start + 16, class_="tick", text_anchor="middle")

    def axis_titles(self, x: str, y: str) -> list[Markup]:
        """The titles of the axes: x below the area, y above its left end."""
        middle = (self.x.start + self.x.end) / 2
        return [
            element("text", x, x=middle, y=self.y.start + 33, class_="axis", text_anchor="middle"),
            element("text", y, x=0, y=11, class_="axis"),
        ]


def _format(value: object) -> str:
    """A float with at most two decimals; anything else as text."""
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
