"""Inputs -> parts, output names and the run's fingerprint.

Pure: the same inputs and settings give the same plan in every process, on every machine.
"""

import bisect
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import pyarrow as pa

from job._version import __version__
from job.contract import prediction_schema
from job.errors import UsageError
from job.flag_names import Flag
from job.read.partition import PartitionedSource
from job.read.source import Source
from job.report.promise import Promise
from job.score.forms import AS_STORED, SettledForm
from job.score.review_paths import review_paths
from job.settings import ScoreSettings, Shard
from job.storage import common_folder, relative_to


@dataclass(frozen=True, slots=True)
class Part:
    """A contiguous range of one input file: the unit of scoring, committing and resuming.

    index: among all parts of the run. input_index: among the inputs of the plan. span: the range, in the unit of the
    source (bytes, rows or row groups). is_first, is_last: within its input.
    """

    index: int
    input_index: int
    span: tuple[int, int]
    is_first: bool = False
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """An input file and its output files.

    path: relative to the deepest folder that contains all inputs. predictions, rejects: paths relative to the output
    folder. schema: of the prediction rows. settled: how images are brought to MNIST's form.
    """

    source: Source
    path: str
    predictions: str
    rejects: str
    schema: pa.Schema
    settled: SettledForm = AS_STORED


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    parts: by index, and so in the order of the inputs. fingerprint: identifies the output. review: the paths in the
    output folder that rows to look at may be written to.
    """

    inputs: tuple[Input, ...]
    parts: tuple[Part, ...]
    fingerprint: str
    review: tuple[str, ...] = ()

    @property
    def outputs(self) -> list[str]:
        """The paths in the output folder that predictions, rejects and the review may be written to."""
        return [*(path for each in self.inputs for path in (each.predictions, each.rejects)), *self.review]

    def parts_of(self, index: int) -> list[Part]:
        """The parts of one input, in order."""
        start, stop = (bisect.bisect_left(self.parts, each, key=_input_index) for each in (index, index + 1))
        return list(self.parts[start:stop])

    def identity_of(self, part: Part) -> str:
        """What tells a part from all others of this run and of any other."""
        return f"{self.fingerprint} {part.index} {part.span[0]} {part.span[1]}"

    def bytes_of(self, parts: Sequence[Part]) -> int:
        """Roughly how many bytes of the stored input files some parts are."""
        counts = [len(self.parts_of(index)) for index in range(len(self.inputs))]
        return sum(self.inputs[each.input_index].source.file.size // counts[each.input_index] for each in parts)


_input_index = attrgetter("input_index")


def make_plan(
    sources: Sequence[Source],
    settings: ScoreSettings,
    model_digest: str,
    forms: Sequence[SettledForm] | None = None,
    promise: Promise | None = None,
) -> Plan:
    """Split every source into parts of roughly `settings.part_bytes`.

    forms: how the images of each source are brought to MNIST's form; None: they stay as stored. Raises UsageError if
    two output files, or two columns of one, would have the same name.
    """
    inputs = _inputs(sources, settings, forms or [AS_STORED] * len(sources))
    parts: list[Part] = []
    for input_index, source in enumerate(sources):
        spans = source.split(settings.part_bytes)
        for number, span in enumerate(spans, start=1):
            parts.append(Part(len(parts), input_index, span, is_first=number == 1, is_last=number == len(spans)))
    fingerprint = _fingerprint(inputs, settings, model_digest, promise)
    return Plan(inputs, tuple(parts), fingerprint, tuple(review_paths(settings.review)))


def _schema(source: Source, settings: ScoreSettings) -> pa.Schema:
    columns = {
        "has_labels": source.has_labels,
        "with_probabilities": settings.has_probabilities,
        "with_decisions": settings.max_error is not None,
    }
    own_names = prediction_schema(**columns).names
    taken = [name for name in source.passthrough_schema.names if name in own_names]
    if taken:
        raise UsageError(
            f"{Flag.KEEP} {taken[0]}: the predictions of {source.file.path} already have a column of that name; "
            f"rename it in the input, or leave {Flag.KEEP} out"
        )
    return prediction_schema(**columns, passthrough=source.passthrough_schema)


def _inputs(sources: Sequence[Source], settings: ScoreSettings, forms: Sequence[SettledForm]) -> tuple[Input, ...]:
    root = common_folder([source.file.path for source in sources])
    schemas = [_schema(source, settings) for source in sources]
    inputs: dict[str, Input] = {}
    for source, schema, settled in zip(sources, schemas, forms, strict=True):
        path = relative_to(root, source.file.path)
        suffix = f".{_prediction_format(source, settings)}"
        predictions = f"predictions/{path}" if path.endswith(suffix) else f"predictions/{path}{suffix}"
        if predictions in inputs:
            first = inputs[predictions].path
            raise UsageError(f"{first} and {path} would both be written to {predictions}; score them in separate runs")
        inputs[predictions] = Input(source, path, predictions, f"rejects/{path}.jsonl", schema, settled)
    return tuple(inputs.values())


def _prediction_format(source: Source, settings: ScoreSettings) -> str:
    if settings.format == "auto":
        return "parquet" if source.format in {"parquet", "arrow"} else "csv"
    return "parquet" if settings.format == "parquet" else "csv"


def _fingerprint(inputs: Sequence[Input], settings: ScoreSettings, model_digest: str, promise: Promise | None) -> str:
    """SHA-256 over everything that can change the output. Part and block sizes, threads and limits cannot."""
    identity: dict[str, Any] = {
        "digit_job": __version__,
        "inputs": [
            [each.path, *((file.size, file.version) for file in each.source.files), *_folder_label(each.source)]
            for each in inputs
        ],
        "forms": [each.settled.form.to_json() for each in inputs],
        "model": model_digest,
        "format": settings.format,
        # What the labels mean, not where that is written down.
        "read": {**asdict(settings.read), "label_map": settings.read.label_map and settings.read.label_map.digits},
        "has_probabilities": settings.has_probabilities,
        "escapes_formulas": settings.escapes_formulas,
        **({"promise": promise.identity} if promise else {}),
        "review": asdict(settings.review),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _folder_label(source: Source) -> list[str | None]:
    """The label that is in the folder's name rather than in a file."""
    return [source.name, source.value] if isinstance(source, PartitionedSource) else []


def parts_of_shard(parts: Sequence[Part], shard: Shard | None) -> list[Part]:
    """The parts that a shard scores; all if there are no shards. Every nth, so that shards share large files."""
    return [part for part in parts if shard is None or part.index % shard.count == shard.index]
