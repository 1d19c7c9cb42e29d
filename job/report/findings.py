"""What a report comes to: the verdict in one line, and the findings behind it, each with where to read on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from job.report.words import is_shift, many, percent, shift

# What the input is compared with the training images by: the keys under `drift`, and what they are called.
DRIFTS: Final = {"predicted": "predicted digits", "ink": "ink", "intensity": "intensity"}


@dataclass(frozen=True)
class Finding:
    """One thing about a run. section: the page's part about it. is_fine: whether there is nothing to look into."""

    section: str
    text: str
    is_fine: bool = False


@dataclass(frozen=True)
class Shift:
    """How far one input, or all, is from the training images by one measure, and what that means, in plain words."""

    psi: float | None
    reading: str

    @property
    def is_one(self) -> bool:
        """Whether there is anything to look into."""
        return is_shift(self.reading)


@dataclass(frozen=True)
class InputDrift:
    """How far one input is from the training images. shifts: by the keys of DRIFTS."""

    path: str
    rows: int
    shifts: dict[str, Shift]


def verdict(report: Mapping[str, Any], found: list[Finding]) -> str:
    """What happened, in one line."""
    rows, labelled = report["rows"], report["labelled"]
    if not rows["read"]:
        return "There was nothing to score: the input has no rows."
    if not rows["scored"]:
        return f"None of {many(rows['read'], 'row')} could be scored."
    open_ones = sum(not each.is_fine for each in found)
    rest = f"{many(open_ones, 'thing')} to look into" if open_ones else "nothing odd was seen"
    if labelled:
        return f"{percent(report['accuracy'])} of {many(labelled, 'labelled row')} were predicted right; {rest}."
    return f"{many(rows['scored'], 'row')} were scored, without labels to judge them by; {rest}."


def findings(report: Mapping[str, Any]) -> list[Finding]:
    """All that was looked at, those to look into first."""
    found = [*_about_accuracy(report), *_about_model(report), *_about_records(report), *_about_drift(report)]
    return sorted(found, key=lambda each: each.is_fine)


def _about_accuracy(report: Mapping[str, Any]) -> list[Finding]:
    """Whether the model does here as well as on its own test images."""
    expected = report["model"]["test_accuracy"]
    if not report["labelled"] or expected is None:
        return []
    low, high = report["accuracy_95"]
    if high < expected:
        return [Finding("trust", f"Less accurate than on the model's own test images ({percent(expected)})")]
    better = "More accurate than" if low > expected else "As accurate as"
    return [Finding("trust", f"{better} on the model's own test images ({percent(expected)})", is_fine=True)]


def _about_model(report: Mapping[str, Any]) -> list[Finding]:
    return [Finding("happened", "The model comes with a warning")] if report["model"]["warning"] else []


def _about_records(report: Mapping[str, Any]) -> list[Finding]:
    """Whether all records could be read, and looked like digits."""
    rejected, read, bad_labels = report["rows"]["rejected"], report["rows"]["read"], report["bad_labels"]
    warnings = len(report["warnings"])
    return [
        Finding("odd", f"{many(rejected, 'record')} rejected ({percent(rejected / read)})")
        if rejected
        else Finding("odd", "Every record could be read", is_fine=True),
        *([Finding("odd", f"{many(bad_labels, 'label')} could not be read")] if bad_labels else []),
        Finding("odd", f"{many(warnings, 'warning')} about the input")
        if warnings
        else Finding("odd", "No warnings about the input", is_fine=True),
    ]


def _about_drift(report: Mapping[str, Any]) -> list[Finding]:
    """Whether the input is like the training images."""
    drift, rows = report["drift"], report["rows"]["scored"]
    if not drift or not rows:
        return []
    shifts = {name: _shift(drift, name, drift[name]["psi"], rows) for name in DRIFTS}
    shifted = [f"{shifts[name].reading} of {of}" for name, of in DRIFTS.items() if shifts[name].is_one]
    if shifted:
        return [Finding("drift", f"Unlike the training images: {', '.join(shifted)}")]
    files = sum(any(shift.is_one for shift in each.shifts.values()) for each in drift_by_input(report))
    if files:
        return [Finding("drift", f"{many(files, 'file')} unlike the training images")]
    return [Finding("drift", "Like the training images, by ink and predicted digits", is_fine=True)]


def drift_by_input(report: Mapping[str, Any]) -> list[InputDrift]:
    """How far each input is from the training images, the farthest first; none where that is not known."""
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


def _shift(drift: Mapping[str, Any], name: str, psi: float | None, rows: int) -> Shift:
    # A bin that is empty in both moves no index.
    bins = sum(1 for shares in zip(drift[name]["training"], drift[name]["input"], strict=True) if any(shares))
    return Shift(psi, shift(psi, rows, bins))
