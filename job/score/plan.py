"""Inputs -> parts, and the run's fingerprint. Pure: the same inputs and settings give the same plan everywhere."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from job import __version__
from job.errors import UsageError
from job.read.source import Source
from job.settings import ScoreSettings
from job.storage import common_folder, relative_to


@dataclass(frozen=True, slots=True)
class Part:
    """A contiguous range of one input file: the unit of scoring, committing and resuming.

    index: among all parts of the run. source: which input, by its place in the plan. span: the range, in the
    source's own unit.
    """

    index: int
    source: int
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Input:
    """An input file and what its output is called.

    path: relative to the deepest folder that holds all inputs. predictions, rejects: relative to the output folder.
    """

    source: Source
    path: str
    predictions: str
    rejects: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do."""

    inputs: tuple[Input, ...]
    parts: tuple[Part, ...]
    fingerprint: str

    def parts_of(self, index: int) -> list[Part]:
        """The parts of one input, in order."""
        return [part for part in self.parts if part.source == index]


def make_plan(sources: Sequence[Source], settings: ScoreSettings, model_digest: str) -> Plan:
    """Cut every source into parts of about `settings.part_bytes`. Raises UsageError where two outputs would collide."""
    inputs = _inputs(sources, settings)
    spans = [(number, span) for number, source in enumerate(sources) for span in source.spans(settings.part_bytes)]
    parts = tuple(Part(index, number, span) for index, (number, span) in enumerate(spans))
    return Plan(inputs, parts, _fingerprint(inputs, settings, model_digest))


def _inputs(sources: Sequence[Source], settings: ScoreSettings) -> tuple[Input, ...]:
    root = common_folder([source.file.path for source in sources])
    inputs: dict[str, Input] = {}
    for source in sources:
        path = relative_to(root, source.file.path)
        suffix = f".{_prediction_format(source, settings)}"
        predictions = f"predictions/{path}" if path.endswith(suffix) else f"predictions/{path}{suffix}"
        if predictions in inputs:
            first = inputs[predictions].path
            raise UsageError(f"{first} and {path} would both be written to {predictions}; score them in separate runs")
        inputs[predictions] = Input(source, path, predictions, f"rejects/{path}.jsonl")
    return tuple(inputs.values())


def _prediction_format(source: Source, settings: ScoreSettings) -> str:
    if settings.format == "auto":
        return "parquet" if source.format == "parquet" else "csv"
    return "parquet" if settings.format == "parquet" else "csv"


def _fingerprint(inputs: Sequence[Input], settings: ScoreSettings, model_digest: str) -> str:
    """SHA-256 over everything that can change the output; part and block sizes, threads and limits cannot."""
    identity: dict[str, Any] = {
        "digit_job": __version__,
        "inputs": [[each.path, each.source.file.size, each.source.file.version] for each in inputs],
        "model": model_digest,
        "format": settings.format,
        "read": asdict(settings.read),
        "has_probabilities": settings.has_probabilities,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
