"""Drawings as SVG within a page: elements with their attributes, escaped, and a frame of axes. Knows no report.

Colours and fonts come from the page's style, by class, so that a drawing follows light and dark. All numbers are
rounded to hundredths, so that the same drawing has the same bytes wherever it is made.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *content: object, **attributes: object) -> Markup:
    """An element. A `_` at an attribute's end is dropped (`class_`), within it is a dash (`text_anchor`)."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"' for key, value in attributes.items()
    )
    inner = "".join(escape(each) for each in content)
    return Markup(f"<{name}{told}>{inner}</{name}>" if inner else f"<{name}{told}/>")  # noqa: S704  # escaped above


def drawing(name: str, title: str, description: str, size: tuple[float, float], parts: Iterable[Markup]) -> Markup:
    """A whole drawing, which a screen reader reads as its title and description.

    name: an identifier, one drawing's alone on its page. size: width and height, of which the page makes what fits.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        class_="plot",
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points; a point that is no number leaves a gap."""
    steps, is_drawing = [], False
    for x, y in points:
        if math.isfinite(y):
            steps.append(f"{'L' if is_drawing else 'M'}{_plain(x)} {_plain(y)}")
        is_drawing = math.isfinite(y)
    return element("path", d="".join(steps), class_=class_)


@dataclass(frozen=True)
class Scale:
    """From values to places along an axis: `low` lies at `start`, `high` at `end`; logarithmic if `is_log`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; of one beyond the ends, the end."""
        low, high, value = (math.log(each) if self.is_log else each for each in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


@dataclass(frozen=True)
class Frame:
    """The area of a plot and its axes. x, y: scales, y from the bottom to the top."""

    x: Scale
    y: Scale

    def across(self, value: float, label: str) -> list[Markup]:
        """A line across the area at a value of y, named at its left."""
        place = self.y(value)
        return [
            element("line", x1=self.x.start, x2=self.x.end, y1=place, y2=place, class_="grid"),
            element("text", label, x=self.x.start - 6, y=place + 3.5, class_="tick", text_anchor="end"),
        ]

    def below(self, place: float, label: str) -> Markup:
        """A name under the area, at a place along it."""
        return element("text", label, x=place, y=self.y.start + 14, class_="tick", text_anchor="middle")

    def titles(self, x: str, y: str) -> list[Markup]:
        """What the axes mean: x under the area, y above its left end."""
        middle = (self.x.start + self.x.end) / 2
        return [
            element("text", x, x=middle, y=self.y.start + 31, class_="axis", text_anchor="middle"),
            element("text", y, x=0, y=11, class_="axis"),
        ]


def _plain(value: object) -> str:
    """A number in hundredths, without noughts at its end; anything else as text."""
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
