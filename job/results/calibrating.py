"""Calibrates promises on labelled data of one's own: scores it and keeps the confidences, right and wrong.

The document is what `score --calibration` takes (`score.promised`). It belongs to one model, by its digest.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job._version import __version__
from job.documents.calibration_json import CalibrationFile, CalibrationGroups
from job.documents.manifest_json import ManifestInput
from job.documents.report_json import Report
from job.errors import DataError, InternalError, PromiseRefused, UsageError
from job.flag_names import Flag
from job.model.bundle import card_digest
from job.read.arrow import validity, values
from job.redaction import redacted
from job.report.appearance import Appearance
from job.report.confidence_bins import MILLION, bins_of
from job.report.design_effect import design_effect
from job.report.drift import Distribution
from job.report.held_out import HeldOut
from job.report.selective import Threshold, rows_needed, threshold_for
from job.report.tally import Tally
from job.report.words import many, percent
from job.results.reader import Results
from job.score.documents import Gathered
from job.score.gather import check_rejects
from job.score.observer import Observer
from job.score.promised import CALIBRATION_FORMAT, is_calibration
from job.score.run import run
from job.settings import RejectLimit, ScoreSettings
from job.storage import Storage, refuse_foreign

_log = logging.getLogger(__name__)

# What is said of every calibration: errors among accepted rows, at most.
LIMITS: Final = (0.001, 0.005, 0.01, 0.02, 0.05)
# The limit is judged after the run: a run's own error would name its temporary folder as the place to look.
_ALL: Final = RejectLimit(Decimal(100), is_percent=True)


@dataclass(frozen=True)
class PossiblePromise:
    """Whether labelled rows carry a promise. threshold: None if not. needed: rows that it takes; None: no number."""

    max_error: float
    threshold: Threshold | None
    needed: int | None = None


@dataclass(frozen=True)
class CalibrationResult:
    """A calibration before it is written. promises: for each of LIMITS."""

    document: CalibrationFile
    held_out: HeldOut
    promises: tuple[PossiblePromise, ...]


def calibrate(
    storage: Storage, settings: ScoreSettings, observer: Observer, group_column: str | None = None
) -> CalibrationResult:
    """Score labelled data, and keep the confidences of its rows.

    settings: those of the run, whose output is temporary. group_column: the column of the writer, or of whatever else
    rows have in common. Raises what `score.run.run` raises; DataError without labels that can be read, or rows without
    a group; PromiseRefused if the rows carry none of LIMITS.
    """
    keep = () if group_column is None else (group_column,)
    with _naming_groups(group_column):
        result = run(
            replace(settings, read=replace(settings.read, keep=keep), format="parquet", max_rejects=_ALL),
            storage,
            observer,
        )
    report, gathered = result.report, result.gathered
    if report is None or gathered is None:
        raise InternalError(f"{settings.output}: a run into a new folder has no report")
    check_rejects(settings.max_rejects, report)
    _check_labels(settings, report)
    results = Results.at(storage, settings.output)
    held_out, groups = HeldOut.of(sum(gathered.tallies, Tally.zero())), None
    if group_column is not None:
        held_out, groups = _grouped(results, group_column, held_out)
    _warn_of_training_images(report, settings)
    promises = tuple(_possible(held_out, limit) for limit in LIMITS)
    if not any(each.threshold for each in promises):
        raise PromiseRefused(_too_few(settings, held_out, promises))
    calibrated = _Calibrated(report, results.manifest["inputs"], held_out, groups)
    return CalibrationResult(_document(storage, settings, gathered, calibrated), held_out, promises)


@dataclass(frozen=True)
class _Calibrated:
    """The temporary run, and what it was for."""

    report: Report
    inputs: list[ManifestInput]
    held_out: HeldOut
    groups: CalibrationGroups | None


def refuse_other_file(storage: Storage, location: str) -> None:
    """Raise OutputOccupied where the file to write is there already and is no calibration."""
    path, advice = storage.resolve(location), f"add {Flag.OVERWRITE}"
    refuse_foreign(storage, path, is_calibration, expected="a calibration", advice=advice)


def write_calibration(storage: Storage, location: str, result: CalibrationResult) -> str:
    """Write the file; returns its path."""
    path = storage.resolve(location)
    storage.write(path, json.dumps(result.document, indent=2).encode() + b"\n")
    return path


def _possible(held_out: HeldOut, limit: float) -> PossiblePromise:
    threshold = threshold_for(held_out, limit)
    return PossiblePromise(limit, threshold, None if threshold else rows_needed(held_out, limit))


def describe(promise: PossiblePromise) -> str:
    """What rows can carry, in words."""
    limit = f"{100 * promise.max_error:g} %"
    if promise.threshold is not None:
        return f"{limit} errors: accepts {percent(promise.threshold.coverage)} of rows like these"
    if promise.needed is None:
        return f"{limit} errors: no number of rows like these would carry it"
    return f"{limit} errors: takes about {promise.needed:,} rows like these"


@contextmanager
def _naming_groups(group_column: str | None) -> Iterator[None]:
    """Errors about the passthrough column that groups are read from name the flag that was given."""
    try:
        yield
    except (UsageError, DataError) as error:
        if group_column is None or Flag.KEEP not in str(error):
            raise
        raise type(error)(str(error).replace(Flag.KEEP, Flag.GROUP_COLUMN)) from error


def _check_labels(settings: ScoreSettings, report: Report) -> None:
    if report["accuracy_withheld"]:
        raise DataError(f"{', '.join(settings.inputs)}: cannot be calibrated on: {report['accuracy_withheld']}")
    if not report["labelled"]:
        raise DataError(
            f"{', '.join(settings.inputs)}: no scored row has a readable label; name the column with "
            f"{Flag.LABEL_COLUMN}, or say what labels mean with {Flag.LABEL_MAP} FILE"
        )


def _warn_of_training_images(report: Report, settings: ScoreSettings) -> None:
    """Warn of rows on which the model does better than on its own test images: it may have been trained on them."""
    usual, found = report["model"]["test_accuracy"], report["accuracy_95"]
    if usual is not None and found is not None and found[0] > usual:
        _log.warning(
            "%s: %s of the rows are classified correctly, more than of the model's own test images (%s); if it was "
            "trained on them, what they promise does not hold for others",
            ", ".join(settings.inputs), percent(report["accuracy"]), percent(usual),
        )  # fmt: skip


def _too_few(settings: ScoreSettings, held_out: HeldOut, promises: tuple[PossiblePromise, ...]) -> str:
    wrong = int(held_out.wrong.sum())
    effect = f", which tell as much as {held_out.effective(held_out.rows, wrong)[0]:,} independent ones"
    return (
        f"{', '.join(settings.inputs)}: {many(held_out.rows, 'labelled row')}, {wrong:,} of them wrong"
        f"{effect if held_out.design_effect > 1 else ''}, carry no promise. {'; '.join(map(describe, promises))}"
    )


def _grouped(results: Results, column: str, held_out: HeldOut) -> tuple[HeldOut, CalibrationGroups]:
    """The same rows with the design effect of their groups. Raises DataError for labelled rows without a group."""
    numbers: dict[str, int] = {}
    rows = [
        _LabelledRows.of(batch, column, numbers) for each in results.inputs for batch in results.predictions(each.path)
    ]
    groups, bins, is_wrong = (
        np.concatenate(each) for each in zip(*((r.groups, r.bins, r.is_wrong) for r in rows), strict=True)
    )
    if missing := int((groups < 0).sum()):
        raise DataError(
            f"{Flag.GROUP_COLUMN} {column}: {many(missing, 'labelled row has', 'labelled rows have')} no value"
        )
    effect = design_effect(groups, bins, is_wrong)
    number = len(np.unique(groups))
    return replace(held_out, design_effect=effect), {"column": column, "groups": number, "design_effect": effect}


@dataclass(frozen=True)
class _LabelledRows:
    """The labelled rows of a batch of predictions. groups: int64 (n,), -1 where there is none. bins: of confidence."""

    groups: npt.NDArray[np.int64]
    bins: npt.NDArray[np.int64]
    is_wrong: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, batch: pa.RecordBatch, column: str, numbers: dict[str, int]) -> Self:
        """numbers: of the groups seen so far, by name; new ones are added."""
        known = validity(batch["prediction"]) & validity(batch["label"])
        names = batch[column].to_pylist()
        groups = np.array(
            [-1 if name in {None, ""} else numbers.setdefault(str(name), len(numbers)) for name in names], np.int64
        )
        confidences = np.rint(values(batch["confidence"])[known].astype(np.float64) * MILLION).astype(np.int64)
        is_wrong = values(batch["prediction"])[known] != values(batch["label"])[known]
        return cls(groups[known], bins_of(confidences), is_wrong)


def _document(storage: Storage, settings: ScoreSettings, gathered: Gathered, result: _Calibrated) -> CalibrationFile:
    """The content of the file."""
    report, total = result.report, sum(gathered.tallies, Tally.zero())
    seen = sum(gathered.appearances, Appearance.zero())
    content: CalibrationFile = {
        "format": CALIBRATION_FORMAT,
        "digit_job": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            "path": redacted(storage.resolve(settings.model_name or settings.model)),
            "name": report["model"]["name"],
            "digest": report["model"]["digest"],
        },
        "data": {
            "inputs": [
                {"path": redacted(each["path"]), "size": each["size"], "version": each["version"], "rows": each["rows"]}
                for each in result.inputs
            ],
            "command": report["run"]["command"],
            "rows": total.read,
            "rejected": total.rejected,
            "unlabelled": total.scored - total.labelled,
        },
        "groups": result.groups,
        "held_out": result.held_out.to_json(),
        "distribution": Distribution(seen, total.predicted).to_json(),
        "sha256": "",
    }
    return {**content, "sha256": card_digest(cast("dict[str, Any]", content))}
