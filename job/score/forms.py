"""How the images of each input are brought to MNIST's form: decided before the plan, by its first records.

`normalize.decision` decides; the network that scores must agree. `plan` makes the decisions part of the fingerprint.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from job.contract import PixelBatch, Pixels
from job.errors import DataError, InternalError, ResourceExhausted
from job.flag_names import Flag
from job.log import Event, event
from job.model.bundle import Bundle, Predictor
from job.normalize.decision import HEAD_IMAGES, FormDecision, decide, expects_form
from job.normalize.form import Form
from job.read.checks import read_first_rows
from job.read.source import Source
from job.settings import ScoreSettings
from job.storage import Storage, check_unchanged, unquoted

_log = logging.getLogger(__name__)

# Images of an input that the report shows before and after, and inputs of which it does.
_SHOWN_IMAGES: Final = 8
_SHOWN_INPUTS: Final = 20
# From so many inputs on, starting threads pays.
_MANY: Final = 16


@dataclass(frozen=True, slots=True)
class SettledForm:
    """How an input's images are brought to MNIST's form. shown: its first images as stored, uint8 (n, 784), n <= 8."""

    decision: FormDecision
    shown: Pixels | None = field(default=None, compare=False)

    @property
    def form(self) -> Form:
        """What is done to each image."""
        return self.decision.form


AS_STORED: Final = SettledForm(FormDecision(Form()))


def settle_forms(
    sources: Sequence[Source], storage: Storage, settings: ScoreSettings, bundle: Bundle, predictor: Predictor
) -> list[SettledForm]:
    """Decide for each source, in order. Depends on the files' first records, the settings and the model alone.

    Raises DataError, InputChanged, StorageError.
    """
    data = bundle.about.get("data") or {}
    knows_form = expects_form(data.get("in_form"))
    is_trained_as_stored = data.get("normalize") == "none" and not knows_form
    if settings.read.normalize == "none" or (settings.read.normalize == "auto" and is_trained_as_stored):
        return [AS_STORED] * len(sources)
    settle = partial(_settle, storage=storage, settings=settings, predictor=predictor, knows_form=knows_form)
    settled = _in_threads(settle, sources, settings.threads) if len(sources) >= _MANY else list(map(settle, sources))
    changed = [index for index, each in enumerate(settled) if not each.form.is_as_stored]
    for index in changed[_SHOWN_INPUTS:]:
        settled[index] = replace(settled[index], shown=None)
    _log_forms([settled[index].form for index in changed], [sources[index].file.path for index in changed])
    return settled


def _in_threads(settle: Callable[[Source], SettledForm], sources: Sequence[Source], threads: int) -> list[SettledForm]:
    with ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(settle, sources))
        except RuntimeError as refusal:  # Python has no other error for a thread that the system refuses
            raise ResourceExhausted(f"cannot start {threads} threads; lower {Flag.THREADS}, or allow more") from refusal


def in_form(batch: PixelBatch, form: Form) -> PixelBatch:
    """The same records in this form; those without a valid image stay 0."""
    if form.is_as_stored:
        return batch
    pixels = form.apply(batch.pixels)
    pixels[[reject.row for reject in batch.rejects if reject.reason.is_fatal]] = 0
    return replace(batch, pixels=pixels)


def _settle(
    source: Source, *, storage: Storage, settings: ScoreSettings, predictor: Predictor, knows_form: bool
) -> SettledForm:
    try:
        with unquoted(source.file):
            head = read_first_rows(source, storage, HEAD_IMAGES).pixels
    except (DataError, InternalError):
        # A file that is being written to looks damaged.
        for file in source.files:
            check_unchanged(storage, file)
        raise
    decision = decide(
        settings.read,
        head,
        sureness=lambda pixels: float(predictor.predict(pixels).max(axis=1).mean(dtype="float64")),
        knows_form=knows_form,
    )
    return SettledForm(decision, None if decision.form.is_as_stored else head[:_SHOWN_IMAGES].copy())


def _log_forms(forms: Sequence[Form], paths: Sequence[str]) -> None:
    """One line for each form, however many inputs have it."""
    for form, count in Counter(forms).items():
        first = paths[list(forms).index(form)]
        others = f" and {count - 1:,} more" if count > 1 else ""
        fields = event(Event.NORMALIZED, path=first, inputs=count, form=form.to_json())
        _log.info("%s%s: images are %s before they are classified", first, others, form, extra=fields)
