"""report.json and manifest.json of a run, from what gather found in its parts.

The report is about the rows and byte-stable; what depends on the run alone, such as times and threads, is in the
manifest.
"""

import platform
from dataclasses import asdict, dataclass, field
from typing import cast

import numpy as np
import pyarrow as pa

from job import __version__
from job.command_line import command_line, score_flags
from job.documents.manifest_json import Manifest, ManifestInput, ManifestSettings, Timings
from job.documents.report_json import (
    DriftSection,
    ExampleSection,
    Figures,
    InputFigures,
    InputWarning,
    ModelIdentity,
    RejectExample,
    Report,
    RunSection,
    RunSettings,
)
from job.errors import ModelInvalid
from job.model.bundle import CARD_NAME, Bundle
from job.report.appearance import Appearance
from job.report.drift import Distribution, drift
from job.report.examples import Examples
from job.report.metrics import accuracy, figures
from job.report.tally import Tally
from job.score.join import Written
from job.score.output import Claim
from job.score.plan import Input, Plan
from job.settings import ScoreSettings
from job.storage import join


@dataclass
class Found:
    """What the parts of a run hold about its rows.

    tallies, appearances: of each input, in the plan's order. examples: of all inputs. rejects: the first of each
    reason, in the order of inputs and rows. warnings: about the inputs' first
    records. files: written from them so far.
    """

    tallies: list[Tally] = field(default_factory=list)
    appearances: list[Appearance] = field(default_factory=list)
    examples: Examples = field(default_factory=Examples.none)
    rejects: list[RejectExample] = field(default_factory=list)
    warnings: list[InputWarning] = field(default_factory=list)
    files: list[Written] = field(default_factory=list)


def model_identity(bundle: Bundle) -> ModelIdentity:
    """Which model scored, from its card."""
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


def report_of(plan: Plan, found: Found, settings: ScoreSettings, bundle: Bundle) -> Report:
    """The content of report.json."""
    inputs: list[InputFigures] = [
        {"path": each.path, "rows": tally.read, "rejected": tally.rejected, "accuracy": accuracy(tally)}
        for each, tally in zip(plan.inputs, found.tallies, strict=True)
    ]
    total = sum(found.tallies, Tally.zero())
    return {
        **cast("Figures", figures(total)),
        "inputs": inputs,
        "warnings": found.warnings,
        "model": model_identity(bundle),
        "examples": cast(
            "ExampleSection", found.examples.for_report([each.path for each in plan.inputs], total.confusion)
        ),
        "reject_examples": found.rejects,
        "drift": _drift(plan, found, bundle),
        "run": _run(plan, settings),
    }


def manifest_of(claim: Claim, found: Found, settings: ScoreSettings, bundle: Bundle, timings: Timings) -> Manifest:
    """The content of manifest.json; `timings` alone differ between two runs with equal settings."""
    plan = claim.plan
    return {
        "digit_job": __version__,
        "python": platform.python_version(),
        "fingerprint": plan.fingerprint,
        "inputs": [
            _manifest_input(each, len(plan.parts_of(index)), tally)
            for index, (each, tally) in enumerate(zip(plan.inputs, found.tallies, strict=True))
        ],
        "outputs": [each.to_json() for each in sorted(found.files, key=lambda each: each.path)],
        "settings": cast("ManifestSettings", {**asdict(settings), "max_rejects": str(settings.max_rejects)}),
        "model": {"path": bundle.path, **model_identity(bundle)},
        "timings": timings,
    }


def _manifest_input(each: Input, parts: int, tally: Tally) -> ManifestInput:
    file = each.source.file
    return {
        "path": file.path,
        "size": file.size,
        "version": file.version,
        "relative_path": each.path,
        "format": each.source.format,
        "parts": parts,
        "rows": tally.read,
        "scored": tally.scored,
        "rejected": tally.rejected,
        "predictions": each.predictions,
        "rejects": each.rejects if tally.reasons.any() else None,
    }


def training_of(bundle: Bundle) -> Distribution | None:
    """The training data's distribution, from the model's card; None if the card has none. Raises ModelInvalid."""
    content = (bundle.about.get("data") or {}).get("distribution")
    if content is None:
        return None
    try:
        return Distribution.from_json(content)
    except ValueError as error:
        path = join(bundle.path, CARD_NAME)
        raise ModelInvalid(
            f"{path}: the training data's distribution cannot be read: {error}; train the model again"
        ) from error


def _drift(plan: Plan, found: Found, bundle: Bundle) -> DriftSection | None:
    training = training_of(bundle)
    if training is None:
        return None
    inputs = [
        (each.path, Distribution(appearance, tally.predicted))
        for each, tally, appearance in zip(plan.inputs, found.tallies, found.appearances, strict=True)
    ]
    return cast("DriftSection", drift(training, inputs))


def _run(plan: Plan, settings: ScoreSettings) -> RunSection:
    """What it takes to reproduce the run."""
    flags = score_flags(settings)
    return {
        "settings": cast("RunSettings", flags),
        "command": command_line(flags),
        "fingerprint": plan.fingerprint,
        "versions": {
            "digit-job": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
        },
    }
