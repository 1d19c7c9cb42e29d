"""The gates of a run nobody watches: what its report must say for the run to count as a success."""

from job.documents.report_json import Report
from job.flag_names import Flag
from job.report.warning_list import sentence
from job.report.words import many, percent
from job.settings import Gates


def shortfalls(report: Report, gates: Gates) -> list[str]:
    """What a run falls short of, each as a sentence; empty if it passes. A figure that is not known does not pass."""
    checks = (_accuracy(report, gates), _drift(report, gates), _warnings(report, gates))
    return [each for each in checks if each is not None]


def _accuracy(report: Report, gates: Gates) -> str | None:
    limit, found = gates.min_accuracy, report["accuracy"]
    if limit is None or (found is not None and found >= limit):
        return None
    if found is not None:
        return f"the accuracy is {percent(found)}, below {Flag.MIN_ACCURACY} {limit:g}"
    reason = report.get("accuracy_withheld") or "no scored row has a readable label"
    return f"{Flag.MIN_ACCURACY} {limit:g} cannot be checked: {reason}"


def _drift(report: Report, gates: Gates) -> str | None:
    limit, drift, promise = gates.max_drift, report["drift"], report.get("promise")
    if limit is None:
        return None
    if promise is not None:
        # A promise is for data like its held-out rows, which may be other than the training images.
        against = promise["drift"]
        indices = {"predicted digits": against["predicted"], "ink": against["ink"]}
        indices |= {"intensity": against["intensity"], "confidence": against["confidence"]}
    elif drift is not None:
        indices = {"predicted digits": drift["predicted"]["psi"], "ink": drift["ink"]["psi"]}
        indices["intensity"] = drift["intensity"]["psi"]
    else:
        return f"{Flag.MAX_DRIFT} {limit:g} cannot be checked: the model's card does not describe its training data"
    known = {name: psi for name, psi in indices.items() if psi is not None}
    if not known:
        return f"{Flag.MAX_DRIFT} {limit:g} cannot be checked: no row was scored"
    name = max(known, key=lambda each: known[each])
    if known[name] <= limit:
        return None
    return f"the drift of {name} is {known[name]:.4f}, above {Flag.MAX_DRIFT} {limit:g}"


def _warnings(report: Report, gates: Gates) -> str | None:
    # Output of an earlier version has no warnings.
    limit, found = gates.max_warnings, report.get("warnings", [])
    if limit is None or len(found) <= limit:
        return None
    return f"{many(len(found), 'warning')}, more than {Flag.MAX_WARNINGS} {limit}; first: {sentence(found[0])}"
