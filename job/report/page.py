"""report.json -> report.html: one self-contained page, no script, no network. It computes nothing but formats."""

from functools import cache
from importlib import resources
from typing import Any

import jinja2


def render(report: dict[str, Any]) -> str:
    """The page for the content of a report.json; the same content gives the same bytes."""
    return _template().render(report=report, heat=_heat(report["confusion_matrix"]))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = _percent
    environment.filters["count"] = _count
    source = resources.files("job.report").joinpath("page.html.jinja").read_text()
    return environment.from_string(source)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"  # noqa: RUF001  # a dash is meant


def _count(number: int) -> str:
    return f"{number:,}"


def _heat(matrix: list[list[int]] | None) -> list[list[float]]:
    """For each cell the share of its row, 0 to 1, for its colour."""
    return [[cell / max(1, sum(row)) for cell in row] for row in matrix or []]
