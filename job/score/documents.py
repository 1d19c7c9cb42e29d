"""Builds report.json and manifest.json from what `gather` reads in the parts of a run.

The report is about the rows and byte-stable. What differs between two identical runs, such as times and threads, is
in the manifest.
"""

import base64
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import itemgetter
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa

from job._version import __version__
from job.command_line import command_line, score_flags
from job.contract import MAX_LISTED, PIXELS
from job.documents.manifest_json import Manifest, ManifestInput, ManifestOutput, ManifestSettings, Timings
from job.documents.report_json import (
    DriftSection,
    InputFigures,
    InputForm,
    ModelIdentity,
    PromiseFigures,
    RejectExample,
    Report,
    RunSection,
    RunSettings,
)
from job.errors import ModelInvalid
from job.model.bundle import CARD_NAME, Bundle
from job.redaction import redacted_values
from job.report.appearance import Appearance
from job.report.drift import Distribution, drift
from job.report.estimate import estimate
from job.report.examples import Examples
from job.report.findings import run_warnings
from job.report.held_out import HeldOut
from job.report.label_census import LabelCensus
from job.report.label_convention import InputLabels, label_doubt, withheld
from job.report.metrics import accuracy, figures
from job.report.promise import Promise
from job.report.review_rows import ReviewRow, review_rows
from job.report.tally import Tally
from job.report.warning_list import WarningList
from job.score.input_parts import InputParts
from job.score.join import first_of_each_reason
from job.score.new_inputs import scored_file
from job.score.plan import Input, Plan
from job.settings import ScoreSettings
from job.storage import join

# Where half of the labels are predicted as they stand, they mean what they say.
_AGREED_FROM: Final = 0.5


@dataclass
class Gathered:
    """What the parts of a run say about its rows. Inputs are added one by one, in the plan's order.

    tallies, appearances, judged: of each input. examples, labels: merged over the inputs. ids: of examples, by input
    and row. rejects: the first of each reason. warnings: about inputs. It grows by the counts of an input alone, so
    that memory stays flat in the number of rows.
    """

    examples: Examples
    ids: dict[tuple[int, int], str] = field(default_factory=dict)
    tallies: list[Tally] = field(default_factory=list)
    appearances: list[Appearance] = field(default_factory=list)
    rejects: list[RejectExample] = field(default_factory=list)
    labels: LabelCensus = field(default_factory=LabelCensus)
    judged: list[InputLabels] = field(default_factory=list)
    warnings: WarningList = field(default_factory=WarningList)

    def add(
        self, target: Input, parts: InputParts, tally: Tally, rejects: list[RejectExample], ids: Mapping[int, str]
    ) -> None:
        """Add the next input: its parts, its tally, its first rejects of each reason, and ids of examples by row."""
        index = len(self.tallies)
        self.examples += parts.examples.placed(index, 0)
        found = self.ids | {(index, row): text for row, text in ids.items()}
        # Only of rows that are still selected, so that many inputs do not take more memory than one.
        self.ids = {place: found[place] for place in self.examples.places if place in found}
        self.tallies.append(tally)
        self.appearances.append(parts.appearance)
        self.rejects = first_of_each_reason([*self.rejects, *rejects])
        labels = parts.labels
        self.labels += labels
        is_agreed = (accuracy(tally) or 0.0) >= _AGREED_FROM
        self.judged.append(InputLabels(target.path, label_doubt(tally.confusion, labels), is_agreed))
        for warning in parts.warnings:
            self.warnings.add(target.path, warning)
        total = int(tally.reasons.sum())
        if total > MAX_LISTED:
            self.warnings.add(target.path, f"{target.rejects} lists only the first {MAX_LISTED:,} of {total:,} rejects")


@dataclass(frozen=True, slots=True)
class RunDocuments:
    """Builds the documents of a run whose inputs are all gathered."""

    plan: Plan
    settings: ScoreSettings
    bundle: Bundle
    gathered: Gathered
    promise: Promise | None = None

    def report(self) -> Report:
        """The content of report.json."""
        paths = [each.path for each in self.plan.inputs]
        gathered, total = self.gathered, sum(self.gathered.tallies, Tally.zero())
        reason, is_withheld = withheld(gathered.judged, label_doubt(total.confusion, gathered.labels))
        drift_section = self._drift(paths)
        report: Report = {
            **figures(total, is_withheld=reason is not None),
            **estimate(total, held_out_of(self.bundle), drift_section),
            "accuracy_withheld": reason,
            "first_bad_label": gathered.labels.first,
            "inputs": list(map(_input_figures, paths, gathered.tallies, is_withheld)),
            "warnings": [],
            "model": model_identity(self.bundle),
            "examples": gathered.examples.for_report(paths, total.confusion * (reason is None)),
            "reject_examples": gathered.rejects,
            "normalization": {
                "choice": self.settings.read.normalize,
                "inputs": [_input_form(each) for each in self.plan.inputs if not each.settled.form.is_as_stored],
            },
            "drift": drift_section,
            "promise": self._promise(paths, is_withheld=reason is not None),
            "run": _run_section(self.plan, self.settings),
        }
        return {**report, "warnings": gathered.warnings.documents(run_warnings(report))}

    def review_rows(self, *, are_labels_judged: bool) -> list[ReviewRow]:
        """The rows for people to look at. are_labels_judged: see `review_rows.review_rows`."""
        gathered, limit = self.gathered, self.settings.review.rows
        paths = [each.path for each in self.plan.inputs]
        found = review_rows(gathered.examples, paths, limit, are_labels_judged=are_labels_judged)
        return [replace(each, id=gathered.ids.get(each.place)) for each in found]

    def manifest(self, outputs: Sequence[ManifestOutput], timings: Timings) -> Manifest:
        """The content of manifest.json. outputs: in any order."""
        counts = [len(self.plan.parts_of(index)) for index in range(len(self.plan.inputs))]
        return {
            "digit_job": __version__,
            "python": platform.python_version(),
            "fingerprint": self.plan.fingerprint,
            "inputs": list(map(_manifest_input, self.plan.inputs, counts, self.gathered.tallies)),
            "outputs": sorted(outputs, key=itemgetter("path")),
            "settings": cast(
                "ManifestSettings",
                redacted_values(_settings(self.settings)),
            ),
            "model": {"path": self.bundle.path, **model_identity(self.bundle)},
            "timings": timings,
        }

    def _promise(self, paths: Sequence[str], *, is_withheld: bool) -> PromiseFigures | None:
        if self.promise is None:
            return None
        inputs = list(zip(paths, self.gathered.tallies, strict=True))
        seen = sum(self.gathered.appearances, Appearance.zero())
        return self.promise.figures(inputs, seen, is_withheld=is_withheld)

    def _drift(self, paths: Sequence[str]) -> DriftSection | None:
        training = training_of(self.bundle)
        if training is None:
            return None
        digits = [tally.predicted for tally in self.gathered.tallies]
        inputs = zip(paths, map(Distribution, self.gathered.appearances, digits), strict=True)
        return drift(training, list(inputs))


def _settings(settings: ScoreSettings) -> dict[str, Any]:
    limits = {
        "max_rejects": str(settings.max_rejects),
        "max_error": None if settings.max_error is None else str(settings.max_error),
    }
    return {**asdict(settings), **limits}


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


def _input_figures(path: str, tally: Tally, is_withheld: bool) -> InputFigures:  # noqa: FBT001  # mapped over inputs
    shown = None if is_withheld else accuracy(tally)
    return {
        "path": path,
        "rows": tally.read,
        "rejected": tally.rejected,
        "labelled": tally.labelled,
        "accuracy": shown,
    }


def _manifest_input(each: Input, parts: int, tally: Tally) -> ManifestInput:
    return {
        **scored_file(each.source),
        "relative_path": each.path,
        "format": each.source.format,
        "form": each.settled.form.to_json(),
        "parts": parts,
        "rows": tally.read,
        "scored": tally.scored,
        "rejected": tally.rejected,
        "predictions": each.predictions,
        "rejects": each.rejects if tally.reasons.any() else None,
    }


def _input_form(each: Input) -> InputForm:
    form, shown = each.settled.form, each.settled.shown
    before = np.empty((0, PIXELS), np.uint8) if shown is None else shown
    return {
        "path": each.path,
        "form": form.to_json(),
        "description": str(form),
        "in_form": each.settled.decision.in_form,
        "examples": [
            {"before": base64.b64encode(old).decode(), "after": base64.b64encode(new).decode()}
            for old, new in zip(before, form.apply(before), strict=True)
        ],
    }


def training_of(bundle: Bundle) -> Distribution | None:
    """The training data's distribution from the model's card; None if the card has none. Raises ModelInvalid."""
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


def held_out_of(bundle: Bundle) -> HeldOut | None:
    """The confidences on held-out images from the model's card; None if the card has none. Raises ModelInvalid."""
    content = bundle.about.get("held_out")
    if content is None:
        return None
    try:
        return HeldOut.from_json(content)
    except ValueError as error:
        path = join(bundle.path, CARD_NAME)
        raise ModelInvalid(
            f"{path}: its held-out confidences cannot be read: {error}; train the model again"
        ) from error


def _run_section(plan: Plan, settings: ScoreSettings) -> RunSection:
    """What it takes to reproduce the run."""
    flags = redacted_values(score_flags(settings))
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
