"""`digit-job score`."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from job import log
from job.cli.flags import (
    LabelColumnFlag,
    LogFormatFlag,
    NoLabelFlag,
    QuietFlag,
    ScaleFlag,
    TransposeFlag,
    VerboseFlag,
    option,
    several,
    train_extra,
    verbosity,
)
from job.cli.summary import print_summary
from job.cli.terminal import StopOnSignals, echo
from job.errors import DigitJobError, UsageError
from job.limits import available_cores, is_lost_with_container, threads_in_memory
from job.settings import (
    DEFAULT_PART_BYTES,
    OutputFormat,
    ReadSettings,
    RejectLimit,
    ScoreSettings,
    Shard,
    TelemetrySettings,
)
from job.storage import storage_at

if TYPE_CHECKING:
    from job.telemetry.recorder import Recorder

_log = logging.getLogger(__name__)


def score(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        several("--input", "A CSV, Parquet or IDX file, a folder, or a pattern such as 'in/*.csv'", "SRC"),
    ],
    keep: Annotated[
        list[str], several("--keep", "A column to carry through to the predictions, such as an id", "NAME")
    ],
    output: Annotated[str, option("--output", "The folder for the results.", metavar="DIR")],
    model: Annotated[
        str, option("--model", "A model folder; or a plain `.keras` file, which needs the train extra.", metavar="DIR")
    ] = "model",
    format_: Annotated[
        OutputFormat, option("--format", "Format of the predictions; `auto`: Parquet for Parquet, CSV for the rest.")
    ] = "auto",
    label_column: LabelColumnFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    probabilities: Annotated[bool, option("--probabilities", "Add a column per digit: p0 to p9.")] = False,
    allow_unblessed: Annotated[
        bool, option("--allow-unblessed", "Score also with a model that fell short of what was asked in training.")
    ] = False,
    max_rejects: Annotated[
        str, option("--max-rejects", "Fail if more records are rejected: a number, or a share of all.", metavar="N|P%")
    ] = "1%",
    threads: Annotated[
        int | None,
        option(
            "--threads",
            "Worker threads; the default is one per core that process and container may use, as far as memory goes.",
            min=1,
        ),
    ] = None,
    part_bytes: Annotated[
        int, option("--part-bytes", "Size of the parts that are scored, committed and resumed on their own.", min=4096)
    ] = DEFAULT_PART_BYTES,
    shard_index: Annotated[
        int | None,
        option(
            "--shard-index",
            "Which shard this process is, from 0; in a Kubernetes Indexed Job the default is JOB_COMPLETION_INDEX.",
            metavar="I",
            min=0,
        ),
    ] = None,
    shard_count: Annotated[
        int | None,
        option(
            "--shard-count",
            "Score one of so many shares of the parts; processes with the other shares write to the same folder.",
            metavar="N",
            min=1,
        ),
    ] = None,
    overwrite: Annotated[
        bool, option("--overwrite", "Replace whatever other run's results are in the output folder.")
    ] = False,  # a flag
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
    profile: Annotated[bool, option("--profile", "Print at the end where the time went, by thread and stage.")] = False,
    metrics_file: Annotated[
        str | None,
        option(
            "--metrics-file",
            "Write the run's figures for Prometheus's textfile collector, also when it fails.",
            metavar="FILE.prom",
        ),
    ] = None,
    pushgateway: Annotated[
        str | None,
        option(
            "--pushgateway",
            "Send the same figures to a Prometheus Pushgateway; if that fails, a warning says so.",
            metavar="URL",
        ),
    ] = None,
    openlineage: Annotated[
        str | None,
        option("--openlineage", "Write what was read and written as OpenLineage events, one a line.", metavar="FILE"),
    ] = None,
) -> None:
    """Score files of digits: predictions, rejected records, and a report.

    Scoring again what is already scored does nothing; scoring on what was interrupted resumes it.

    Example: `digit-job score --input digits.csv --output results --model model`
    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    stop = StopOnSignals(at_once=True)
    from job.score.run import run
    from job.telemetry.outlets import publish
    from job.telemetry.recorder import Recorder

    if not inputs:
        raise UsageError("there is nothing to score: name a file, a folder or a pattern with --input")
    settings = ScoreSettings(
        inputs=tuple(inputs),
        output=output,
        model=model,
        format=format_,
        read=ReadSettings(label_column, no_label, scale, transpose, tuple(keep)),
        has_probabilities=probabilities,
        max_rejects=RejectLimit.parse(max_rejects),
        threads=threads or _default_threads(),
        part_bytes=part_bytes,
        is_overwriting=overwrite,
        allows_unblessed=allow_unblessed,
        shard=_shard(shard_index, shard_count),
    )
    asked = TelemetrySettings(metrics_file, pushgateway, openlineage, log.is_for_machines(log_format), quiet)
    recorder = Recorder()
    with (
        _told_of(recorder, context.obj, is_profiled=profile),
        publish(recorder, settings, asked),
        _model_folder(model) as folder,
    ):
        if is_lost_with_container(output):
            _log.warning(
                "%s: is in the container itself, and goes when that goes; mount a volume or folder there", output
            )
        stop.wait_for_check()
        scored = replace(settings, model=folder, model_name=model)
        recorder.result = run(scored, storage_at(*inputs, output, model).stopping(stop.check), recorder)
    if not quiet:
        print_summary(recorder.result)
    if profile:
        _print_profile(recorder)


def _default_threads() -> int:
    cores, in_memory = available_cores(), threads_in_memory()
    if in_memory is not None and in_memory < cores:
        _log.info("%d threads, as many as the container's memory has room for, on %d cores", in_memory, cores)
        return in_memory
    return cores


def _shard(index: int | None, count: int | None) -> Shard | None:
    """The shard that flags and Kubernetes say this process is. Raises UsageError where they say half of it."""
    # Kubernetes sets it in every Indexed Job, also in one whose pods have inputs of their own.
    completion_index = os.environ.get("JOB_COMPLETION_INDEX")
    if count is None:
        if index is not None:
            raise UsageError("--shard-index without --shard-count; name how many shards there are")
        return None
    if index is None:
        if completion_index is None:
            raise UsageError("--shard-count without --shard-index, and JOB_COMPLETION_INDEX is not set; name the shard")
        if not (completion_index.isascii() and completion_index.isdecimal()):
            raise UsageError(f"JOB_COMPLETION_INDEX is {completion_index!r:.50}, expected a number from 0")
        index = int(completion_index)
    return Shard(index, count)


@contextmanager
def _model_folder(model: str) -> Iterator[str]:
    """The model as a model folder; a plain Keras file is converted into a temporary one."""
    if not model.endswith(".keras"):
        yield model
        return
    with train_extra():
        from job.train.export.foreign import convert
        from job.train.scratch import scratch_folder

        with scratch_folder() as folder:
            convert(storage_at(model), model, str(folder))
            yield str(folder)


@contextmanager
def _told_of(recorder: "Recorder", facts: dict[str, Any], *, is_profiled: bool) -> Iterator[None]:
    """Leave in `facts` what the run came to, however the block ends; where it fails, print the profile here."""
    try:
        yield
    except BaseException:  # raised again
        if is_profiled:
            with suppress(DigitJobError):  # the run's own error is the one to tell
                _print_profile(recorder)
        raise
    finally:
        facts.update(recorder.summary())


def _print_profile(recorder: "Recorder") -> None:
    from job.telemetry.profile import table

    echo(table(recorder.times, recorder.counts().seconds))
