"""`digit-job score`."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from job import logs
from job.cli.extra import train_extra
from job.cli.flags import (
    LabelColumnFlag,
    LogFormatFlag,
    NoLabelFlag,
    ScaleFlag,
    TransposeFlag,
    option,
    several,
)
from job.cli.signals import StopOnSignals
from job.cli.streams import say
from job.cores import available_cores
from job.errors import UsageError
from job.settings import DEFAULT_PART_BYTES, OutputFormat, ReadSettings, RejectLimit, ScoreSettings, Shard
from job.storage import storage_at

if TYPE_CHECKING:
    from job.score.run import RunResult


def score(
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
            "Worker threads; the default is one per core that process and container may use.",
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
) -> None:
    """Score files of digits: predictions, rejected records, and a report.

    Scoring again what is already scored does nothing; scoring on what was interrupted resumes it.

    Example: `digit-job score --input digits.csv --output results --model model`
    """
    logs.set_up(log_format)
    stop = StopOnSignals(at_once=True)
    from job.score.run import run  # noqa: PLC0415  # only this command needs it

    if not inputs:
        raise UsageError("there is nothing to score: name a file, a folder or a pattern with --input")
    with ExitStack() as stack:
        settings = ScoreSettings(
            inputs=tuple(inputs),
            output=output,
            model=stack.enter_context(_model_folder(model)),
            model_name=model,
            format=format_,
            read=ReadSettings(label_column, no_label, scale, transpose, tuple(keep)),
            has_probabilities=probabilities,
            max_rejects=RejectLimit.parse(max_rejects),
            threads=threads or available_cores(),
            part_bytes=part_bytes,
            is_overwriting=overwrite,
            allows_unblessed=allow_unblessed,
            shard=_shard(shard_index, shard_count),
        )
        progress = stack.enter_context(logs.score_progress())
        stop.wait_for_check()
        result = run(settings, storage_at(*inputs, output, model), progress, stop.check)
    if result.missing:
        _print_share(result)
    else:
        _print_score(result)


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
    with TemporaryDirectory(prefix="digit-job-") as folder, train_extra():
        from job.train.convert import convert  # noqa: PLC0415  # only a plain Keras file needs it

        convert(storage_at(model), model, folder)
        yield folder


def _print_share(result: "RunResult") -> None:
    say(f"Scored this shard's share: {result.rows:,} records, in {result.seconds:.1f} s.")
    are = "part is" if result.missing == 1 else "parts are"
    say(f"{result.missing:,} {are} still to come from other shards; the last to commit one writes the predictions.")


def _print_score(result: "RunResult") -> None:
    report = result.report
    rows = report["rows"]
    files = f"{len(report['inputs'])} file{'s' * (len(report['inputs']) != 1)}"
    counts = f"{rows['scored']:,} of {rows['read']:,} records in {files}, {rows['rejected']:,} rejected"
    if result.was_done:
        say(f"Already scored: {counts}; nothing to do.")
    else:
        say(f"Scored {counts}, in {result.seconds:.1f} s ({result.rows / result.seconds:,.0f} records/s).")
    if report["accuracy"] is not None:
        low, high = report["accuracy_95"]
        say(
            f"Accuracy: {100 * report['accuracy']:.2f} % of {report['labelled']:,} labelled records "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)."
        )
    if report["model"]["warning"]:
        say(f"Mind the model: {report['model']['warning']}")
    # Output of an earlier version may be without them.
    for each in report.get("warnings", []):
        say(f"Mind the input: {each['path']}: {each['message']}")
    say(f"Predictions: {result.output}/predictions")
    say(f"Report:      {result.output}/report.html")
