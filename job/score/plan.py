"""Inputs -> parts, and the run's fingerprint. Pure: the same inputs and settings give the same plan everywhere."""

import bisect
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from job import __version__
from job.contract import prediction_schema
from job.errors import UsageError
from job.flag_names import Flag
from job.read.source import Source
from job.settings import ScoreSettings, Shard
from job.storage import common_folder, relative_to


@dataclass(frozen=True, slots=True)
class Part:
    """A contiguous range of one input file: the unit of scoring, committing and resuming.

    index: among all parts of the run. source: which input, by its place in the plan. span: the range, in the
    source's own unit. is_first, is_last: whether it begins, or ends, its input.
    """

    index: int
    source: int
    span: tuple[int, int]
    is_first: bool = False
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """An input file and what its output is called.

    path: relative to the deepest folder that holds all inputs. predictions, rejects: relative to the output folder.
    """

    source: Source
    path: str
    predictions: str
    rejects: str


def _source_of(part: Part) -> int:
    return part.source


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. parts: in the order of their indices, and so of their inputs."""

    inputs: tuple[Input, ...]
    parts: tuple[Part, ...]
    fingerprint: str

    def parts_of(self, index: int) -> list[Part]:
        """The parts of one input, in order."""
        start, stop = (bisect.bisect_left(self.parts, each, key=_source_of) for each in (index, index + 1))
        return list(self.parts[start:stop])


def make_plan(sources: Sequence[Source], settings: ScoreSettings, model_digest: str) -> Plan:
    """Cut every source into parts of about `settings.part_bytes`.

    Raises UsageError where two outputs, or two columns of one, would have the same name.
    """
    for source in sources:
        _check_kept(source, settings)
    inputs = _inputs(sources, settings)
    parts: list[Part] = []
    for number, source in enumerate(sources):
        spans = source.split(settings.part_bytes)
        for place, span in enumerate(spans, start=1):
            parts.append(Part(len(parts), number, span, is_first=place == 1, is_last=place == len(spans)))
    return Plan(inputs, tuple(parts), _fingerprint(inputs, settings, model_digest))


def _check_kept(source: Source, settings: ScoreSettings) -> None:
    own = prediction_schema(has_labels=source.has_labels, with_probabilities=settings.has_probabilities).names
    taken = [name for name in source.passthrough_schema.names if name in own]
    if taken:
        raise UsageError(
            f"{Flag.KEEP} {taken[0]}: the predictions of {source.file.path} have a column of that name already; "
            f"rename it in the input, or leave {Flag.KEEP} out"
        )


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
        "inputs": [[each.path, *((file.size, file.version) for file in each.source.files)] for each in inputs],
        "model": model_digest,
        "format": settings.format,
        "read": asdict(settings.read),
        "has_probabilities": settings.has_probabilities,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def share(parts: Sequence[Part], shard: Shard | None) -> list[Part]:
    """A shard's parts; all of them where there are no shards. Dealt out in turn, so that large files are shared."""
    return [part for part in parts if shard is None or part.index % shard.count == shard.index]
