"""A report -> its figures, as PNG files in a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from job.figures.calibration import calibration_curve
from job.figures.confidence import confidence_histogram
from job.figures.confusion import confusion_matrix
from job.figures.mistakes import surest_mistakes
from job.storage import Storage, join


def _without_labels(report: dict[str, Any]) -> str | None:
    return None if report["labelled"] else "no row has a label"


def _without_rows(report: dict[str, Any]) -> str | None:
    return None if report["rows"]["scored"] else "no row was scored"


def _without_mistakes(report: dict[str, Any]) -> str | None:
    if not report["labelled"]:
        return _without_labels(report)
    if report["labelled"] == report["correct"]:
        return "there is no mistake"
    return None if report.get("examples", {}).get("sure_mistakes") else "the report has no examples; score again"


# For each file what draws it from a report and a footer, and what says why it cannot, if so.
_FIGURES: Final[dict[str, tuple[Callable[[dict[str, Any], str], bytes], Callable[[dict[str, Any]], str | None]]]] = {
    "confusion-matrix.png": (confusion_matrix, _without_labels),
    "calibration.png": (calibration_curve, _without_labels),
    "confidence.png": (confidence_histogram, _without_rows),
    "mistakes.png": (surest_mistakes, _without_mistakes),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """paths: of the files that were written. left_out: by name, why a figure was not drawn."""

    paths: list[str]
    left_out: dict[str, str]


def draw_figures(storage: Storage, report: dict[str, Any], location: str) -> Drawn:
    """Write the figures of a report into a folder; one of that name that cannot be drawn is removed from it."""
    folder, drawn = storage.resolve(location), Drawn([], {})
    for name, (figure, why_not) in _FIGURES.items():
        path = join(folder, name)
        if reason := why_not(report):
            drawn.left_out[name] = reason
            storage.remove(path)
            continue
        content = figure(report, _footer(report))
        with storage.commit(path) as file:
            file.write(content)
        drawn.paths.append(path)
    return drawn


def _footer(report: dict[str, Any]) -> str:
    model = report["model"]
    return f"digit-job  ·  model {model['name']}  ·  digest {model['digest'][:12]}"
