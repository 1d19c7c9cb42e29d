"""What manifest.json says: of the run, where report.json is about the rows. See `report`."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from job import __version__
from job.model.bundle import Bundle
from job.report.tally import Tally
from job.score.join import Written
from job.score.plan import Plan
from job.settings import ScoreSettings


def model_of(bundle: Bundle) -> dict[str, Any]:
    """Which model it was, from its card."""
    about = bundle.about
    data, metrics = about.get("data") or {}, about.get("metrics") or {}
    return {
        "digest": bundle.digest,
        "name": bundle.name,
        "recipe": about.get("recipe"),
        "architecture": about.get("architecture"),
        "data": data.get("name"),
        "warning": data.get("warning"),
        "test_accuracy": metrics.get("test", {}).get("accuracy"),
    }


def manifest_of(
    plan: Plan, tallies: Sequence[Tally], outputs: Sequence[Written], settings: ScoreSettings, bundle: Bundle
) -> dict[str, Any]:
    """The content of manifest.json but for `timings`, which alone differ between two runs with equal settings."""
    inputs = [
        {
            **asdict(each.source.file),
            "relative_path": each.path,
            "format": each.source.format,
            "parts": len(plan.parts_of(index)),
            "rows": tally.read,
            "scored": tally.scored,
            "rejected": tally.rejected,
            "predictions": each.predictions,
            "rejects": each.rejects if tally.reasons.any() else None,
        }
        for index, (each, tally) in enumerate(zip(plan.inputs, tallies, strict=True))
    ]
    return {
        "digit_job": __version__,
        "python": platform.python_version(),
        "fingerprint": plan.fingerprint,
        "inputs": inputs,
        "outputs": [asdict(each) for each in sorted(outputs, key=lambda each: each.path)],
        "settings": {**asdict(settings), "max_rejects": str(settings.max_rejects)},
        "model": {"path": bundle.path, **model_of(bundle)},
    }
