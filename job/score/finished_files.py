"""Looks at the output of a finished run again: whether everything that its manifest vouches for is there.

`run` scores missing files again and refuses changed ones. The page is rendered again here, because report.json has all
of it.
"""

import hashlib
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, cast

from job.documents.checking import check_document, parse_json
from job.documents.manifest_json import Manifest
from job.documents.report_json import Report
from job.errors import DataError
from job.log import Event, event
from job.report.page import UNRENDERABLE, render
from job.score.output import Output
from job.score.vouching import is_review
from job.settings import MIB
from job.storage import Storage, translated_errors

_log = logging.getLogger(__name__)

_MANIFEST: Final = "manifest.json"
_REPORT: Final = "report.json"
_PAGE: Final = "report.html"
_SHOWN: Final = 3


@dataclass(slots=True)
class Damage:
    """What is wrong with a finished output. missing: paths in it. changed: what is wrong with a file, as a clause."""

    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """The first of them."""
        found = [*self.changed, *(f"{path} is missing" for path in self.missing)]
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        return f"{', '.join(found[:_SHOWN])}{more}"


@dataclass(frozen=True, slots=True)
class FinishedFiles:
    """The files of a finished run. fingerprint: of the run. is_verifying: also compare the digests of large files."""

    storage: Storage
    output: Output
    fingerprint: str
    is_verifying: bool = False

    def damage(self) -> Damage:
        """What is missing or changed; a page that is either is rendered again. Raises StorageError, Stopped.

        Sizes are compared, and digests of the report and its page, which people edit. What is for review they are to
        edit and to move.
        """
        damage = Damage()
        manifest = self._document(Manifest, _MANIFEST, damage)
        if manifest is None:
            return damage
        try:
            entries = {each["path"]: (int(each["bytes"]), str(each["sha256"])) for each in manifest["outputs"]}
            is_of_this_run = manifest["fingerprint"] == self.fingerprint and isinstance(manifest["timings"], dict)
        except (LookupError, TypeError, ValueError):
            is_of_this_run, entries = False, {}
        if not is_of_this_run or not {_REPORT, _PAGE} <= entries.keys():
            damage.changed.append(f"{_MANIFEST} is not the one that the run wrote")
            return damage
        for path, (size, sha256) in entries.items():
            if path != _PAGE and not is_review(path):
                self._check(path, size, sha256, damage)
        if not damage.missing and not damage.changed:
            self._check_page(manifest, entries[_PAGE][1], damage)
        return damage

    def _document(self, document: type, name: str, damage: Damage) -> dict[str, Any] | None:
        path = self.output.path(name)
        if self.storage.stat(path) is None:
            damage.missing.append(name)
            return None
        try:
            content = parse_json(self.storage.read(path))
            check_document(document, content)
        except ValueError:
            damage.changed.append(f"{name} is not the one that the run wrote")
            return None
        return cast("dict[str, Any]", content)

    def _check(self, path: str, size: int, sha256: str, damage: Damage) -> None:
        self.storage.check_stop()
        try:
            found = self.storage.stat(self.output.inside(path))
        except DataError as error:
            damage.changed.append(f"its manifest is not the one that the run wrote ({error})")
            return
        if found is None:
            damage.missing.append(path)
        elif found.size != size:
            damage.changed.append(f"{path} has {found.size:,} bytes instead of {size:,}")
        elif (self.is_verifying or path == _REPORT) and self._digest(path) != sha256:
            damage.changed.append(f"{path} has another SHA-256 than when it was written")

    def _check_page(self, manifest: Mapping[str, Any], sha256: str, damage: Damage) -> None:
        if self.storage.stat(self.output.report_html) is not None and self._digest(_PAGE) == sha256:
            return
        report = self._document(Report, _REPORT, damage)
        if report is None:
            return
        try:
            content = render(cast("Report", report), manifest["timings"]).encode(errors="backslashreplace")
        except UNRENDERABLE:
            damage.changed.append(f"{_REPORT} is not the one that the run wrote")
            return
        if hashlib.sha256(content).hexdigest() != sha256:
            damage.changed.append(f"{_PAGE} has another SHA-256 than when it was written")
            return
        self.storage.write(self.output.report_html, content)
        extra = event(Event.OUTPUT_DAMAGED, output=self.output.folder, damage=_PAGE)
        _log.warning("%s: was missing or changed; rendered again", self.output.report_html, extra=extra)

    def _digest(self, path: str) -> str:
        path, digest = self.output.path(path), hashlib.sha256()
        with translated_errors(path), closing(self.storage.open(path)) as file:
            while block := file.read(MIB):
                digest.update(block)
                self.storage.check_stop()
        return digest.hexdigest()
