"""report.json -> report.html: one self-contained page, no script, no network. It computes nothing but what is drawn.

A report of an earlier version, which lacks the newer keys, makes a page that is silent about them.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from job.report import template
from job.report.findings import drift_by_input, findings, verdict
from job.report.plots import (
    RIGHT_BOUNDS,
    WRONG_BOUNDS,
    calibration_plot,
    confidence_plot,
    heat_map,
    interval_strip,
    paired_bars,
)
from job.report.words import count, duration, many

# Of more inputs the page shows those that went worst.
MOST_INPUTS: Final = 50
# Keys that reports of earlier versions do not have.
_LATER: Final[dict[str, Any]] = {
    "examples": None,
    "reject_examples": None,
    "drift": None,
    "run": None,
    "averages": None,
}
_DRIFTS: Final = {
    "predicted": ("Predicted digits", "digit"),
    "ink": ("Ink: mean pixel value of an image", "mean pixel value, from"),
    "intensity": ("Intensity: pixels by value", "pixel value"),
}


def render(report: Mapping[str, Any], timings: Mapping[str, Any] | None = None) -> str:
    """The page for the content of a report.json; the same content and timings give the same bytes.

    timings: the manifest's. What they say stands on a line of its own, in the element marked `data-wall-clock`.
    """
    report = {**_LATER, **report}
    found, drift = findings(report), drift_by_input(report)
    return template.render(
        "page.html.jinja",
        report=report,
        verdict=verdict(report, found),
        findings=found,
        clock=_clock(report, timings) if timings else None,
        heat=heat_map(report["confusion_matrix"] or []),
        right_bounds=RIGHT_BOUNDS,
        wrong_bounds=WRONG_BOUNDS,
        plots=_plots(report),
        inputs=_worst_inputs(report["inputs"]),
        longest_bar=_longest_bar(report["inputs"]),
        galleries=_galleries(report),
        drift=drift[:MOST_INPUTS],
        drift_total=len(drift),
    )


def _clock(report: Mapping[str, Any], timings: Mapping[str, Any]) -> dict[str, str]:
    """When a run was, how long it took, and how fast it was."""
    started, seconds = datetime.fromisoformat(timings["started"]), timings["score_seconds"]
    rows = timings.get("scored_rows", report["rows"]["read"])
    speed = f"{count(rows / max(seconds, 1e-3))} rows/s"
    if rows < report["rows"]["read"]:
        speed += f" for {many(rows, 'row')}, the others by a run before it"
    return {
        "started": started.isoformat(timespec="seconds"),
        "day": f"{started:%Y-%m-%d %H:%M:%S %Z}",
        "seconds": duration(seconds),
        "speed": speed,
    }


def _plots(report: Mapping[str, Any]) -> dict[str, Markup]:
    """The drawings for what the report knows, by name."""
    plots = {}
    counts = report["confidence_histogram"]
    wrong = None
    if report["calibration"]:
        bins = report["calibration"]["bins"]
        wrong = [round(each["count"] * (1 - each["accuracy"])) if each["count"] else 0 for each in bins]
        plots["calibration"] = calibration_plot("calibration-plot", {"this run": bins})
        expected = report["model"]["test_accuracy"]
        plots["interval"] = interval_strip(report["accuracy"], report["accuracy_95"], expected)
    if report["rows"]["scored"]:
        plots["confidence"] = confidence_plot("confidence-plot", counts, wrong)
        plots |= _distributions(report)
    return plots


def _distributions(report: Mapping[str, Any]) -> dict[str, Markup]:
    """Predicted digits, ink and intensity, each beside those of the training images where these are known."""
    if not report["drift"]:
        shares = [number / report["rows"]["scored"] for number in report["predicted_counts"]]
        title, x = _DRIFTS["predicted"]
        return {"predicted": paired_bars("predicted-plot", title, report["classes"], shares, None, x)}
    plots = {}
    for name, (title, x) in _DRIFTS.items():
        found = report["drift"][name]
        seen = _seen(found) if name == "ink" else slice(None)
        names = _names(name, found["edges"])
        plots[name] = paired_bars(
            f"{name}-plot", title, names[seen], found["input"][seen], found["training"][seen], x
        )  # fmt: skip
    return plots


def _seen(found: Mapping[str, Any]) -> slice:
    """The bins without the empty ones at both ends."""
    places = [place for place, shares in enumerate(zip(found["training"], found["input"], strict=True)) if any(shares)]
    return slice(places[0], places[-1] + 1)


def _names(name: str, edges: Sequence[float]) -> list[str]:
    """What to call the bins that begin at these edges."""
    if name != "intensity":
        return [f"{edge:.3g}" for edge in edges]
    ends = [*(edge - 1 for edge in edges[1:]), 255]
    return [f"{edge:g}" if edge == end else f"{edge:g}–{end:g}" for edge, end in zip(edges, ends, strict=True)]  # noqa: RUF001


def _worst_inputs(inputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All inputs, if they are not too many; otherwise those with the lowest accuracy, then with the most rejects."""
    if len(inputs) <= MOST_INPUTS:
        return list(inputs)

    def badness(each: Mapping[str, Any]) -> tuple[float, int, str]:
        return (1.0 if each["accuracy"] is None else each["accuracy"], -each["rejected"], each["path"])

    return sorted(inputs, key=badness)[:MOST_INPUTS]


def _longest_bar(inputs: Sequence[Mapping[str, Any]]) -> float:
    """The share of wrong rows that has the longest bar: a tenth, or more where a file has more."""
    known: list[float] = [each["accuracy"] for each in inputs if each["accuracy"] is not None]
    return max(0.1, 1 - min(known, default=1.0))


def _galleries(report: Mapping[str, Any]) -> dict[str, Any]:
    """The examples, with their pixels as bytes."""
    examples = report["examples"] or {}
    return {
        "mistakes": _decoded(examples.get("sure_mistakes") or []),
        "unsure": _decoded(examples.get("unsure") or []),
        "pairs": [
            {**pair, "examples": _decoded(pair["examples"])} for pair in examples.get("confused_pairs") or []
        ],
    }  # fmt: skip


def _decoded(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "pixels": base64.b64decode(each["pixels"])} for each in examples]
