"""report.json -> report.html: one self-contained page without scripts or network.

The page computes only what it draws, so that `digit-job report` can render it again; `templates/page.html.jinja` has
its words. Reports of earlier versions lack the newer keys: their pages lack the parts about them.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from jinja2 import TemplateError
from markupsafe import Markup

from job.report import template
from job.report.estimate import estimate_in_words
from job.report.findings import drift_by_input, findings, verdict
from job.report.plots import (
    RIGHT_BOUNDS,
    WRONG_BOUNDS,
    calibration_plot,
    confidence_plot,
    heat_map,
    interval_strip,
    paired_bars,
    risk_coverage_plot,
)
from job.report.warning_list import inputs_of
from job.report.words import count, duration, many

# What `render` raises for a report whose values do not fit together, such as lists of other lengths.
UNRENDERABLE: Final = (TemplateError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
# The page shows this many inputs, the worst ones; report.json has all.
MAX_INPUTS: Final = 50
# Keys that reports of earlier versions lack.
_LATER_KEYS: Final = (
    "examples", "reject_examples", "drift", "run", "averages", "accuracy_withheld", "first_bad_label",
    "normalization", "promise", "risk_coverage",
)  # fmt: skip
# By key under `drift`: the title of the plot and of its x axis.
_DRIFTS: Final = {
    "predicted": ("Predicted digits", "digit"),
    "ink": ("Ink: mean pixel value of an image", "mean pixel value, from"),
    "intensity": ("Intensity: pixels by value", "pixel value"),
}


def render(report: Mapping[str, Any], timings: Mapping[str, Any] | None = None) -> str:
    """The page for the content of a report.json; the same content and timings give the same bytes.

    timings: the manifest's. They only change one line of the page, the element with the attribute `data-wall-clock`.
    Raises UNRENDERABLE for a report that no run has written.
    """
    # Earlier versions called the mean confidence an estimate.
    report = {**dict.fromkeys(_LATER_KEYS), "mean_confidence": report.get("estimated_accuracy"), **report}
    found, drift = findings(report), drift_by_input(report)
    return template.render(
        "page.html.jinja",
        report=report,
        has_accuracy=report["accuracy"] is not None,
        estimate=estimate_in_words(report),
        warnings=[(inputs_of(each), each["message"]) for each in report["warnings"] if each["path"] is not None],
        verdict=verdict(report, found),
        findings=found,
        timing=_timing(report, timings) if timings else None,
        heat=heat_map(report["confusion_matrix"] or []),
        right_bounds=RIGHT_BOUNDS,
        wrong_bounds=WRONG_BOUNDS,
        plots=_plots(report),
        inputs=_worst_inputs(report["inputs"]),
        longest_bar=_longest_bar(report["inputs"]),
        galleries=_galleries(report),
        forms=_forms(report),
        drift=drift[:MAX_INPUTS],
        drift_total=len(drift),
    )


def _timing(report: Mapping[str, Any], timings: Mapping[str, Any]) -> dict[str, str]:
    """When a run started, how long it took, and its throughput."""
    started, seconds = datetime.fromisoformat(timings["started"]), timings["score_seconds"]
    rows = timings.get("scored_rows", report["rows"]["read"])
    speed = f"{count(rows / max(seconds, 1e-3))} rows/s"
    if rows < report["rows"]["read"]:
        speed += f" for {many(rows, 'row')}; an earlier run scored the others"
    return {
        "started": started.isoformat(timespec="seconds"),
        "day": f"{started:%Y-%m-%d %H:%M:%S %Z}",
        "seconds": duration(seconds),
        "speed": speed,
    }


def _plots(report: Mapping[str, Any]) -> dict[str, Markup]:
    """The plots that the report has figures for, by name."""
    plots = {}
    counts = report["confidence_histogram"]
    wrong = None
    if report["calibration"]:
        bins = report["calibration"]["bins"]
        wrong = [round(each["count"] * (1 - each["accuracy"])) if each["count"] else 0 for each in bins]
        plots["calibration"] = calibration_plot("calibration-plot", {"this run": bins})
        expected = report["model"]["test_accuracy"]
        plots["interval"] = interval_strip(report["accuracy"], report["accuracy_95"], expected)
    if report["risk_coverage"]:
        promise = report["promise"] or {}
        is_measured = promise.get("error") is not None
        accepted = (promise["coverage"], promise["error"]) if is_measured else None
        points = report["risk_coverage"]["points"]
        plots["risk"] = risk_coverage_plot("risk-plot", points, accepted, promise.get("max_error"))
    if report["rows"]["scored"]:
        plots["confidence"] = confidence_plot("confidence-plot", counts, wrong)
        plots |= _distributions(report)
    return plots


def _distributions(report: Mapping[str, Any]) -> dict[str, Markup]:
    """Histograms of predicted digits, ink and intensity, with those of the training images where known."""
    if not report["drift"]:
        shares = [number / report["rows"]["scored"] for number in report["predicted_counts"]]
        title, x = _DRIFTS["predicted"]
        return {"predicted": paired_bars("predicted-plot", title, report["classes"], shares, None, x)}
    plots = {}
    for name, (title, x) in _DRIFTS.items():
        found = report["drift"][name]
        bins = _occupied(found) if name == "ink" else slice(None)
        names = _bin_names(name, found["edges"])[bins]
        plots[name] = paired_bars(f"{name}-plot", title, names, found["input"][bins], found["training"][bins], x)
    return plots


def _occupied(found: Mapping[str, Any]) -> slice:
    """The bins without the empty ones at both ends."""
    places = [place for place, shares in enumerate(zip(found["training"], found["input"], strict=True)) if any(shares)]
    return slice(places[0], places[-1] + 1)


def _bin_names(name: str, edges: Sequence[float]) -> list[str]:
    """Names of the bins that begin at these edges."""
    if name != "intensity":
        return [f"{edge:.3g}" for edge in edges]
    ends = [*(edge - 1 for edge in edges[1:]), 255]
    return [f"{edge:g}" if edge == end else f"{edge:g}–{end:g}" for edge, end in zip(edges, ends, strict=True)]  # noqa: RUF001


def _worst_inputs(inputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The inputs in order, or if they are too many, those with the lowest accuracy, then with the most rejects."""
    if len(inputs) <= MAX_INPUTS:
        return list(inputs)

    def quality(each: Mapping[str, Any]) -> tuple[float, int, str]:
        return (1.0 if each["accuracy"] is None else each["accuracy"], -each["rejected"], each["path"])

    return sorted(inputs, key=quality)[:MAX_INPUTS]


def _longest_bar(inputs: Sequence[Mapping[str, Any]]) -> float:
    """The share of mistakes that has a bar of full length: 10 %, or more if an input has more."""
    known: list[float] = [each["accuracy"] for each in inputs if each["accuracy"] is not None]
    return max(0.1, 1 - min(known, default=1.0))


def _forms(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The inputs that were brought to MNIST's form and have examples, with their pixels as bytes."""
    return [
        {**each, "examples": [tuple(map(base64.b64decode, pair.values())) for pair in each["examples"]]}
        for each in (report["normalization"] or {}).get("inputs", [])
        if each["examples"]
    ]


def _galleries(report: Mapping[str, Any]) -> dict[str, Any]:
    """The examples with their pixels as bytes."""
    examples = report["examples"] or {}
    return {
        "digits": [{**each, "examples": _decoded(each["examples"])} for each in examples.get("by_prediction") or []],
        "mistakes": _decoded(examples.get("sure_mistakes") or []),
        "unsure": _decoded(examples.get("unsure") or []),
        "pairs": [{**pair, "examples": _decoded(pair["examples"])} for pair in examples.get("confused_pairs") or []],
    }


def _decoded(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "pixels": base64.b64decode(each["pixels"])} for each in examples]
