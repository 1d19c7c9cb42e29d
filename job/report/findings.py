"""The findings of a report, for the top of the page: what needs attention, what is fine, and a verdict in one line.

Each finding names the section of the page that has the figures. All thresholds are those of `drift` and of the model's
own test; nothing is measured here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from job.flag_names import Flag
from job.report.drift import describe_shift, is_shift, occupied_bins
from job.report.metrics import wilson_interval
from job.report.words import many, percent

# The histograms compared with those of the training images, by their key under `drift`.
DRIFTS: Final = {"predicted": "predicted digits", "ink": "ink", "intensity": "intensity"}


# A mean confidence this far below the model's accuracy, and farther than chance takes it, is worth a look.
_LESS_SURE_BY: Final = 0.05
_SPREAD: Final = 0.5
_MIN_ROWS: Final = 20
# Of inputs like the model's test images, fewer than one in ten thousand is below the interval of this quantile.
_Z_INPUT: Final = 4.0
_SHOWN: Final = 3


@dataclass(frozen=True)
class Finding:
    """One observation about a run. section: id of the page's section about it. is_fine: needs no attention."""

    section: str
    text: str
    is_fine: bool = False


@dataclass(frozen=True)
class Shift:
    """The shift of one histogram against that of the training images. description: see `describe_shift`."""

    psi: float | None
    description: str

    @property
    def needs_attention(self) -> bool:
        """Whether there is a shift."""
        return is_shift(self.description)


@dataclass(frozen=True)
class InputDrift:
    """The drift of one input. rows: scored ones. shifts: by the keys of DRIFTS."""

    path: str
    rows: int
    shifts: dict[str, Shift]

    @property
    def needs_attention(self) -> bool:
        """Whether any histogram has shifted."""
        return any(shift.needs_attention for shift in self.shifts.values())


def verdict(report: Mapping[str, Any], found: list[Finding]) -> str:
    """The outcome of a run in one line."""
    rows, labelled = report["rows"], report["labelled"]
    if not rows["read"]:
        return "Nothing to score: the input has no rows."
    if not rows["scored"]:
        return f"None of {many(rows['read'], 'row')} could be scored."
    rest = summarize(found)
    if report["accuracy"] is not None:
        return f"{percent(report['accuracy'])} of {many(labelled, 'labelled row')} classified correctly; {rest}."
    if labelled:
        return f"{many(rows['scored'], 'row')} scored; it is in doubt what their labels mean; {rest}."
    return f"{many(rows['scored'], 'row')} scored, without labels to check them against; {rest}."


def summarize(found: list[Finding]) -> str:
    """How many findings need attention."""
    attention = sum(not each.is_fine for each in found)
    return f"{many(attention, 'finding needs', 'findings need')} attention" if attention else "no problems found"


def findings(report: Mapping[str, Any]) -> list[Finding]:
    """All findings, those that need attention first."""
    found = [
        *_about_labels(report),
        *_about_accuracy(report),
        *_about_model(report),
        *_about_records(report),
        *_about_inputs(report),
        *_about_form(report),
        *_about_drift(report),
        *_about_promise(report),
    ]
    return sorted(found, key=lambda each: each.is_fine)


def run_warnings(report: Mapping[str, Any]) -> list[str]:
    """The warnings about a run as a whole: its model's, and the findings that need attention.

    `warnings` of the report has them and those about inputs, which `findings` only counts.
    """
    about = (_about_labels, _about_accuracy, _about_records, _about_drift, _about_promise)
    found = [each for finds in about for each in finds(report)]
    model = report["model"]["warning"]
    return ([f"model: {model}"] if model else []) + [each.text for each in found if not each.is_fine]


def _about_form(report: Mapping[str, Any]) -> list[Finding]:
    """That images were not classified as they are stored. Reports of earlier versions do not say."""
    changed = (report["normalization"] or {}).get("inputs", [])
    if not changed:
        return []
    others = f" and {many(len(changed) - 1, 'other file')}" if len(changed) > 1 else ""
    text = f"{changed[0]['path']}{others}: images were {changed[0]['description']} before they were classified"
    return [Finding("form", text, is_fine=True)]


def drift_by_input(report: Mapping[str, Any]) -> list[InputDrift]:
    """The drift of each input, the largest first; empty if the report has no drift."""
    drift = report["drift"]
    if not drift:
        return []
    scored = {each["path"]: each["rows"] - each["rejected"] for each in report["inputs"]}
    found = []
    for each in drift["inputs"]:
        rows = scored[each["path"]]
        shifts = {name: _shift(drift, name, each[name], rows) for name in DRIFTS}
        found.append(InputDrift(each["path"], rows, shifts))
    return sorted(found, key=lambda each: -max(shift.psi or 0.0 for shift in each.shifts.values()))


def _about_labels(report: Mapping[str, Any]) -> list[Finding]:
    """Whether labels could be read, and mean what they say."""
    bad, withheld = report["bad_labels"], report.get("accuracy_withheld")
    first = report.get("first_bad_label")
    example = "" if first is None else f": first {first!r}"
    advice = "" if report["labelled"] or withheld else f"; say what they mean with {Flag.LABEL_MAP} FILE"
    unreadable = f"{bad:,} of {many(report['labelled'] + bad, 'label')} unreadable{example}{advice}"
    return [
        *([Finding("accuracy", f"Accuracy withheld: {withheld}")] if withheld else []),
        *([Finding("data", unreadable)] if bad else []),
    ]


def _about_accuracy(report: Mapping[str, Any]) -> list[Finding]:
    """Whether the accuracy, or without labels the confidence, is that of the model on its own test images."""
    expected = report["model"]["test_accuracy"]
    if expected is None:
        return []
    if report["accuracy"] is None:
        return _about_confidence(report, expected)
    low, high = report["accuracy_95"]
    if high < expected:
        found = percent(report["accuracy"])
        usual = percent(expected)
        return [Finding("accuracy", f"Less accurate ({found}) than on the model's own test images ({usual})")]
    if worse := _worse_inputs(report, expected):
        shown = ", ".join(f"{each['path']} ({percent(each['accuracy'])})" for each in worse[:_SHOWN])
        more = f" and {len(worse) - _SHOWN} more" if len(worse) > _SHOWN else ""
        files = many(len(worse), "file")
        return [Finding("accuracy", f"{files} less accurate than the model's own test images: {shown}{more}")]
    comparison = "More accurate than" if low > expected else "As accurate as"
    return [Finding("accuracy", f"{comparison} on the model's own test images ({percent(expected)})", is_fine=True)]


def _worse_inputs(report: Mapping[str, Any], expected: float) -> list[Mapping[str, Any]]:
    """Inputs that chance does not make so much less accurate; none of many does if they are like the test images."""
    worse = []
    for each in report["inputs"]:
        # Reports of earlier versions do not count an input's labels.
        labelled = each.get("labelled", each["rows"] - each["rejected"])
        correct = round((each["accuracy"] or 0.0) * labelled)
        interval = wilson_interval(correct, labelled, _Z_INPUT)
        if each["accuracy"] is not None and interval and interval[1] < expected:
            worse.append(each)
    return worse


def _about_confidence(report: Mapping[str, Any], expected: float) -> list[Finding]:
    """Whether the model is far less sure than on its own test images, where confidence and accuracy are alike."""
    # Reports of earlier versions call it by the name of what they took it for.
    found, rows = report.get("mean_confidence", report["estimated_accuracy"]), report["rows"]["scored"]
    if found is None or rows < _MIN_ROWS or found > expected - _LESS_SURE_BY - _SPREAD / rows**0.5:
        return []
    usual = percent(expected)
    return [Finding("accuracy", f"Less sure ({percent(found)}) than right on the model's own test images ({usual})")]


def _about_model(report: Mapping[str, Any]) -> list[Finding]:
    return [Finding("summary", "The model has a warning")] if report["model"]["warning"] else []


def _about_records(report: Mapping[str, Any]) -> list[Finding]:
    """Whether all records could be read."""
    rejected, read = report["rows"]["rejected"], report["rows"]["read"]
    return [
        Finding("data", f"{many(rejected, 'record')} rejected ({percent(rejected / read)})")
        if rejected
        else Finding("data", "No records rejected", is_fine=True)
    ]


def _about_inputs(report: Mapping[str, Any]) -> list[Finding]:
    """Whether the input looks like digits."""
    warnings = sum(each["path"] is not None for each in report["warnings"])
    return [
        Finding("data", f"{many(warnings, 'warning')} about the input")
        if warnings
        else Finding("data", "No warnings about the input", is_fine=True)
    ]


def _about_drift(report: Mapping[str, Any]) -> list[Finding]:
    """Whether the input is like the training images."""
    drift, rows = report["drift"], report["rows"]["scored"]
    if not drift or not rows:
        return []
    shifts = {name: _shift(drift, name, drift[name]["psi"], rows) for name in DRIFTS}
    shifted = [
        f"{shifts[name].description} of {title}" for name, title in DRIFTS.items() if shifts[name].needs_attention
    ]
    if shifted:
        return [Finding("drift", f"Unlike the training images: {', '.join(shifted)}")]
    # Where a file has labels, another share of digits is no flaw of it: files may be sorted by their labels.
    labelled = {each["path"] for each in report["inputs"] if each.get("labelled") or each["accuracy"] is not None}
    names = {path: DRIFTS.keys() - {"predicted"} for path in labelled}
    files = sum(
        any(each.shifts[name].needs_attention for name in names.get(each.path, DRIFTS))
        for each in drift_by_input(report)
    )
    if files:
        return [Finding("drift", f"{many(files, 'file')} unlike the training images")]
    return [Finding("drift", "Like the training images, by ink and predicted digits", is_fine=True)]


def _about_promise(report: Mapping[str, Any]) -> list[Finding]:
    """Whether what `--max-error` promises holds for data like this."""
    promise = report.get("promise")
    if not promise or not report["rows"]["scored"]:
        return []
    if promise["is_withdrawn"]:
        return [Finding("promise", promise["text"])]
    limit = f"{100 * promise['max_error']:g} %"
    text = f"{percent(promise['coverage'])} of rows accepted, at most {limit} of them wrong, as promised below"
    return [Finding("promise", text, is_fine=True)]


def _shift(drift: Mapping[str, Any], name: str, psi: float | None, rows: int) -> Shift:
    return Shift(psi, describe_shift(psi, rows, occupied_bins(drift[name])))
