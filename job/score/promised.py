"""What a run promises about errors, by the model's card or by a calibration file: found before any input is opened."""

import re
from typing import Any, Final

from job.documents.calibration_json import CalibrationFile
from job.documents.checking import check_document, parse_json
from job.errors import PromiseRefused
from job.flag_names import Flag
from job.model.bundle import CARD_NAME, Bundle, card_digest
from job.report.drift import Distribution
from job.report.held_out import HeldOut
from job.report.promise import Promise
from job.report.selective import rows_needed, threshold_for
from job.report.words import many
from job.score.documents import held_out_of, training_of
from job.settings import ScoreSettings
from job.storage import Storage, join

CALIBRATION_FORMAT: Final = 1
_MAX_BYTES: Final = 16 << 20
_CALIBRATE: Final = "make one with `digit-job calibrate`"


def promise_of(storage: Storage, settings: ScoreSettings, bundle: Bundle) -> Promise | None:
    """The promise of a run; None if it promises nothing.

    Raises PromiseRefused where the held-out rows are missing, damaged, those of another model, or too few.
    """
    limit = settings.max_error
    if limit is None:
        return None
    found = _by_card(bundle) if settings.calibration is None else _by_file(storage, settings.calibration, bundle)
    held_out, source, reference, groups = found
    max_error = float(limit.share)
    threshold = threshold_for(held_out, max_error)
    if threshold is None:
        raise PromiseRefused(f"{Flag.MAX_ERROR} {limit}: {refusal(held_out, max_error, source)}")
    return Promise(max_error, threshold, held_out, source, reference, groups)


def refusal(held_out: HeldOut, max_error: float, source: str) -> str:
    """Why no threshold keeps the limit, and what it would take."""
    needed = rows_needed(held_out, max_error)
    of_rows = f"{held_out.wrong.sum():,} of {many(held_out.rows, 'row')} wrong"
    if needed is None:
        return (
            f"{source} cannot carry it at any threshold ({of_rows}); no number of such rows would: train a better model"
        )
    return (
        f"{source} cannot carry it ({of_rows}); it takes about {needed:,} labelled rows like them: calibrate with more "
        f"(`digit-job calibrate`, {Flag.CALIBRATION}), or promise less"
    )


_Found = tuple[HeldOut, str, Distribution | None, int | None]


def _by_card(bundle: Bundle) -> _Found:
    held_out = held_out_of(bundle)
    if held_out is None:
        raise PromiseRefused(
            f"{join(bundle.path, CARD_NAME)}: has no confidences on held-out images, by which {Flag.MAX_ERROR} could "
            f"be promised; train the model again, or add {Flag.CALIBRATION} FILE ({_CALIBRATE})"
        )
    return held_out, f"the {many(held_out.rows, 'validation image')} of the model's card", training_of(bundle), None


def _by_file(storage: Storage, location: str, bundle: Bundle) -> _Found:
    content = read_calibration(storage, location)
    path, model = storage.resolve(location), content["model"]
    if model["digest"] != bundle.digest:
        raise PromiseRefused(
            f"{path}: was made for another model ({model['name']}, digest {model['digest'][:12]}), not for "
            f"{bundle.name} ({bundle.digest[:12]}); {_CALIBRATE}"
        )
    groups = content["groups"]
    try:
        held_out = HeldOut.from_json(content["held_out"], groups["design_effect"] if groups else 1.0)
        reference = Distribution.from_json(content["distribution"])
    except ValueError as error:
        raise PromiseRefused(f"{path}: cannot be read as a calibration: {error}; {_CALIBRATE}") from error
    number = groups["groups"] if groups else None
    by_groups = f" by {many(number, 'group')}" if number else ""
    return held_out, f"the {many(held_out.rows, 'row')}{by_groups} of {location}", reference, number


def read_calibration(storage: Storage, location: str) -> CalibrationFile:
    """The content of a calibration file. Raises PromiseRefused if it is missing, damaged, or something else."""
    path = storage.resolve(location)
    found = storage.stat(path)
    if found is None:
        raise PromiseRefused(f"{path}: is missing; {_CALIBRATE}")
    try:
        content: Any = parse_json(storage.read(path)) if found.size <= _MAX_BYTES else None
        check_document(CalibrationFile, content)
        if not set(CalibrationFile.__annotations__) <= set(content) or content["format"] != CALIBRATION_FORMAT:
            raise ValueError("it is no such document")  # noqa: TRY301  # as what the calls above raise
        if content["sha256"] != card_digest(content):
            raise ValueError("its SHA-256 does not match its contents")  # noqa: TRY301  # as above
    except ValueError as error:
        raise PromiseRefused(f"{path}: cannot be read as a calibration: {error!s:.200}; {_CALIBRATE}") from error
    calibration: CalibrationFile = content
    return calibration


def is_calibration(start: bytes) -> bool:
    """Whether a file with these first bytes is one of `calibrate`."""
    return (
        re.match(rb'\{\s*"format": \d+,\s*"digit_job": "[^"]*",\s*"created": "[^"]*",\s*"model": ', start) is not None
    )
