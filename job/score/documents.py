"""What manifest.json says: of the run, where report.json is about the rows. See `report`.

What gather finds in the parts, and what report.json says of it: byte-stable, for it is about the rows.

Whatever depends on the run alone, such as times and threads, is the manifest's.
"""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from job._version import __version__
from job.command_line import command_line, score_flags
from job.errors import ModelInvalid
from job.model.bundle import CARD_NAME, Bundle
from job.report.appearance import Appearance
from job.report.drift import Distribution, drift
from job.report.examples import Examples
from job.report.metrics import accuracy, figures
from job.report.tally import Tally
from job.score.join import Written
from job.score.plan import Plan
from job.settings import ScoreSettings
from job.storage import join


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


@dataclass
class Found:
    """What is known of a run's rows once all parts were looked at.

    tallies, appearances: the inputs', in the plan's order. examples: of all inputs. rejects: the first of each reason,
    in the order of inputs and rows. warnings: each with path and message.
    """

    tallies: list[Tally] = field(default_factory=list)
    appearances: list[Appearance] = field(default_factory=list)
    examples: Examples = field(default_factory=Examples.none)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)


def report_of(plan: Plan, found: Found, settings: ScoreSettings, bundle: Bundle) -> dict[str, Any]:
    """The content of report.json."""
    inputs = [
        {"path": each.path, "rows": tally.read, "rejected": tally.rejected, "accuracy": accuracy(tally)}
        for each, tally in zip(plan.inputs, found.tallies, strict=True)
    ]
    total = sum(found.tallies, Tally.zero())
    return {
        **figures(total),
        "inputs": inputs,
        "warnings": found.warnings,
        "model": model_of(bundle),
        "examples": found.examples.for_report([each.path for each in plan.inputs], total.confusion),
        "reject_examples": found.rejects,
        "drift": _drift(plan, found, bundle),
        "run": _run(plan, settings),
    }


def training_of(bundle: Bundle) -> Distribution | None:
    """How the training data is distributed, as the model's card says; None where it does not.

    Raises ModelInvalid where the card says something else there.
    """
    content = (bundle.about.get("data") or {}).get("distribution")
    if content is None:
        return None
    try:
        return Distribution.from_json(content)
    except ValueError as error:
        path = join(bundle.path, CARD_NAME)
        raise ModelInvalid(
            f"{path}: does not say how the training data is distributed: {error}; train again"
        ) from error


def _drift(plan: Plan, found: Found, bundle: Bundle) -> dict[str, Any] | None:
    training = training_of(bundle)
    if training is None:
        return None
    inputs = [
        (each.path, Distribution(appearance, tally.predicted))
        for each, tally, appearance in zip(plan.inputs, found.tallies, found.appearances, strict=True)
    ]
    return drift(training, inputs)


def _run(plan: Plan, settings: ScoreSettings) -> dict[str, Any]:
    """What it takes to get the same again."""
    flags = score_flags(settings)
    return {
        "settings": flags,
        "command": command_line(flags),
        "fingerprint": plan.fingerprint,
        "versions": {
            "digit-job": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
        },
    }
