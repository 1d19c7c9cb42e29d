"""Pictures -> one file of pixels: plan, parts in threads, gather, commit.

The output appears as a whole, after its page and its list of rejects. A run that was stopped continues from its
committed parts, and ends with the bytes of an uninterrupted one.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import pyarrow as pa

from job._version import __version__
from job.contract import MAX_LISTED
from job.errors import DataError, TooManyRejects, UsageError
from job.flag_names import Flag
from job.log import Event, detail, event
from job.prepare.digit_finder import DigitFinder, SingleDigit
from job.prepare.prepare_page import MAX_REJECTS_SHOWN, prepare_page
from job.prepare.prepare_settings import PrepareSettings
from job.prepare.prepared_file import prepared_counts, writer_of
from job.prepare.prepared_part import (
    PART_BYTES,
    Example,
    PictureSpan,
    PreparedCounts,
    PreparedPart,
    prepare_part,
    schema_of,
)
from job.prepare.sheet_digits import SheetDigits
from job.prepare.staging import Staging
from job.read.picture_folder import PictureFolder
from job.read.source import look, pictures_at
from job.score.engine import ThreadEngine
from job.score.reject_count import RejectCount
from job.storage import Storage, common_folder, join, refuse_existing, refuse_foreign, relative_to
from job.write.predictions import reject_line

_log = logging.getLogger(__name__)

PAGE_NAME: Final = "prepare.html"
# What the page and the list of rejects have near their beginning.
_PAGE_MARK: Final = b'digit-job <span class="soft">prepared pictures'
_REJECT_MARK: Final = b'{"file": "'
_SHOWN: Final = 3
_DOUBTS_LOGGED: Final = 20

Show = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class PrepareResult:
    """How a run ended. was_done: the output was there before. rejects: the path of their list; None without any."""

    output: str
    page: str
    rejects: str | None
    counts: PreparedCounts
    was_done: bool
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The fields of the log's last event."""
        return {
            "outcome": "ok",
            "output": self.output,
            "was_done": self.was_done,
            "pictures": self.counts.pictures,
            "rejected": self.counts.rejected,
            "digits": self.counts.digits,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run will do. output: the absolute path. fingerprint: identifies the output."""

    output: str
    parts: tuple[PictureSpan, ...]
    finder: DigitFinder
    schema: pa.Schema
    fingerprint: str

    @property
    def page(self) -> str:
        return join(os.path.dirname(self.output), PAGE_NAME)

    @property
    def rejects(self) -> str:
        return f"{self.output}.rejects.jsonl"

    def result(self, counts: PreparedCounts, *, was_done: bool, seconds: float) -> PrepareResult:
        rejects = self.rejects if counts.rejected else None
        return PrepareResult(self.output, self.page, rejects, counts, was_done, seconds)


def prepare(settings: PrepareSettings, storage: Storage, show: Show = lambda _text, _share: None) -> PrepareResult:
    """Write the digits of all pictures to one file. show: called with what is done, and with its share in 0-1.

    Raises NoInput, OutputOccupied, TooManyRejects, InputChanged, StorageError.
    """
    started = time.monotonic()
    run = _plan(settings, storage)
    done = prepared_counts(storage, run.output, run.fingerprint)
    if done is not None:
        _log.info("%s: already prepared", run.output, extra=event(Event.ALREADY_DONE, output=run.output))
        return run.result(done, was_done=True, seconds=time.monotonic() - started)
    if not settings.is_overwriting:
        refuse_existing(storage, run.output, advice=f"add {Flag.OVERWRITE}, or choose another {Flag.OUTPUT}")
    advice = f"choose another {Flag.OUTPUT}"
    refuse_foreign(storage, run.page, lambda start: _PAGE_MARK in start, expected="a page of prepare", advice=advice)
    refuse_foreign(storage, run.rejects, lambda start: _REJECT_MARK in start, expected="such a list", advice=advice)
    staging = Staging(storage, run.output, run.fingerprint)
    is_resuming = staging.claim(is_overwriting=settings.is_overwriting)
    _make_parts(run, staging, settings, show, is_resuming=is_resuming)
    counts = _gather(run, staging, settings)
    staging.discard()
    return run.result(counts, was_done=False, seconds=time.monotonic() - started)


def _plan(settings: PrepareSettings, storage: Storage) -> _Run:
    output = storage.resolve(settings.output)
    sources = _sources(settings, storage, output)
    finder = _finder(sources, settings)
    root = common_folder([each.file.path for each in sources])
    prefixes = [join(relative_to(root, each.file.path), "") if len(sources) > 1 else "" for each in sources]
    parts = tuple(
        PictureSpan(source, span, prefix)
        for source, prefix in zip(sources, prefixes, strict=True)
        for span in source.split(PART_BYTES)
    )
    schema = schema_of(finder, has_labels=any(each.has_labels for each in sources))
    label_map = settings.read.label_map
    identity = {
        "digit_job": __version__,
        "inputs": [[prefix, each.file.version] for prefix, each in zip(prefixes, sources, strict=True)],
        "read": {**asdict(settings.read), "label_map": label_map and label_map.digits},
        "finder": finder.identity,
        "columns": schema.names,
    }
    fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return _Run(output, parts, finder, schema, fingerprint)


def _sources(settings: PrepareSettings, storage: Storage, output: str) -> list[PictureFolder]:
    """Raises NoInput, DataError for a file that is named and is no picture, UsageError for the output among them."""
    files = pictures_at(storage, settings.inputs)
    if any(each.path == output for each in files):
        raise UsageError(f"{Flag.OUTPUT} {settings.output}: is one of the pictures; choose another path")
    sources = look(storage, files, settings.read)
    other = next((each.file.path for each in sources if not isinstance(each, PictureFolder)), None)
    if other is not None:
        raise DataError(f"{other}: is no picture; a file of pixels needs no preparing")
    return [each for each in sources if isinstance(each, PictureFolder)]


def _finder(sources: Sequence[PictureFolder], settings: PrepareSettings) -> DigitFinder:
    is_dark = True if settings.read.is_inverted else None
    if settings.are_sheets:
        return SheetDigits(is_dark)
    return SingleDigit(is_taken_as_is=all(each.are_digits for each in sources), is_dark=is_dark)


def _make_parts(run: _Run, staging: Staging, settings: PrepareSettings, show: Show, *, is_resuming: bool) -> None:
    """Prepare and commit the parts that are missing."""
    missing = [index for index in range(len(run.parts)) if not staging.is_committed(index)]
    parts = len(run.parts)
    planned = event(Event.PLANNED, pictures=sum(map(len, run.parts)), parts=parts, missing=len(missing))
    _log.info("%d parts to prepare", len(missing), extra=planned)
    if is_resuming:
        there = parts - len(missing)
        resumed = event(Event.RESUMED, output=run.output, parts_there=there, parts=parts)
        _log.info("%s: resuming, %d of %d parts are there", run.output, there, parts, extra=resumed)
    engine = ThreadEngine(staging.storage.check_stop)
    storage = staging.storage.stopping(engine.check_stop)
    rejects, lock, done = RejectCount(settings.max_rejects), threading.Lock(), [parts - len(missing)]

    def work(index: int) -> int:
        rejects.check()
        each = run.parts[index]
        part = prepare_part(storage, each, run.finder, run.schema)
        staging.commit(index, part)
        rejects.add(each.source.file.path, part.counts.rejected, part.rejects)
        with lock:
            done[0] += 1
            show("preparing", done[0] / parts)
        _log.debug("part %d is committed", index, extra=detail(Event.PART_COMMITTED, part=index))
        return len(each)

    show("preparing", done[0] / parts)
    engine.run([partial(work, index) for index in missing], settings.threads)


def _gather(run: _Run, staging: Staging, settings: PrepareSettings) -> PreparedCounts:
    """Write the list of rejects, the page and, last of all, the output.

    Raises TooManyRejects, and DataError where there is no digit, with everything written but the output.
    """
    storage = staging.storage
    counts, examples, doubts = PreparedCounts(), list[Example](), list[str]()
    for part in _parts(run, staging):
        counts += part.counts
        examples += part.examples
        doubts += part.doubts
    for doubt in doubts[:_DOUBTS_LOGGED]:
        _log.warning("%s", doubt)
    first = _write_rejects(run, staging, counts)
    storage.write(run.page, prepare_page(run.output, settings, counts, examples, first, doubts).encode())
    limit = settings.max_rejects
    if limit.is_exceeded(counts.rejected, counts.pictures):
        shown = "; ".join(first[:_SHOWN])
        raise TooManyRejects(
            f"{counts.rejected} of {counts.pictures} pictures were rejected, more than {Flag.MAX_REJECTS} {limit}; "
            f"they are listed in {run.rejects}; first: {shown}"
        )
    if not counts.digits:
        raise DataError(f"{run.output}: is not written, because no picture shows a digit; see {run.page}")
    with storage.commit(run.output) as file:
        writer = writer_of(file, run.output, run.schema, run.fingerprint, counts)
        for part in _parts(run, staging):
            storage.check_stop()
            writer.write(part.rows)
        writer.close()
    return counts


def _write_rejects(run: _Run, staging: Staging, counts: PreparedCounts) -> list[str]:
    """Write the list of rejects, or remove an earlier one; returns what the page shows of it."""
    first: list[str] = []
    listed = rows = 0
    is_needed = any(part.rejects for part in _parts(run, staging)) if not counts.rejected else True
    if not is_needed:
        staging.storage.remove(run.rejects)
        return first
    with staging.storage.commit(run.rejects) as file:
        for each, part in zip(run.parts, _parts(run, staging), strict=True):
            for reject in part.rejects[: MAX_LISTED - listed]:
                file.write(reject_line(each.source.file.name, reject.shortened().shifted(rows, 0)))
                first += [reject.detail] if len(first) < MAX_REJECTS_SHOWN else []
                listed += 1
            rows += len(each)
    return first


def _parts(run: _Run, staging: Staging) -> Iterator[PreparedPart]:
    return map(staging.read, range(len(run.parts)))
