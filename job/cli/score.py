"""`digit-job score`."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from job import log
from job.cli.flags import (
    AllowUnblessedFlag,
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    MaxRejectsFlag,
    ModelScaleFlag,
    NoLabelFlag,
    NormalizeFlag,
    QuietFlag,
    ScaleFlag,
    ThreadsFlag,
    TransposeFlag,
    VerboseFlag,
    label_map_in,
    log_overwriting,
    option,
    repeatable,
    standard_output,
    verbosity,
)
from job.cli.summary import print_summary
from job.cli.terminal import StopOnSignals, echo
from job.errors import DigitJobError, RunFellShort, UsageError
from job.limits import default_threads, is_lost_with_container
from job.settings import (
    DEFAULT_PART_BYTES,
    ErrorLimit,
    Gates,
    OutputFormat,
    ReadSettings,
    RejectLimit,
    Review,
    ReviewPictures,
    ScoreSettings,
    Shard,
    TelemetrySettings,
)
from job.storage import storage_at
from job.train.plain_model import with_model_folder

if TYPE_CHECKING:
    from job.telemetry.recorder import Recorder

_log = logging.getLogger(__name__)


def score(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Inputs, as with --input, which is then not required.", metavar="SRC", show_default=False),
    ] = None,
    *,
    inputs: Annotated[
        list[str],
        repeatable(
            "--input",
            "A CSV, Parquet, Arrow, IDX or NumPy file, a folder of them or of pictures, or a quoted pattern such as "
            "'in/*.csv' (required); repeat it for more.",
            "-i",
            metavar="SRC",
            group=Group.MAIN,
        ),
    ],
    output: Annotated[str, option("--output", "The folder for the results.", "-o", group=Group.MAIN, metavar="DIR")],
    model: Annotated[
        str,
        option(
            "--model",
            "A model folder; or a Keras file, a SavedModel, an MLflow folder (with the train extra) or an ONNX file.",
            "-m",
            group=Group.MAIN,
            metavar="MODEL",
        ),
    ] = "model",
    keep: Annotated[
        list[str],
        repeatable(
            "--keep",
            "A passthrough column, such as an id, to copy to the predictions; repeat it for more.",
            "-k",
            metavar="NAME",
            group=Group.MAIN,
        ),
    ],
    overwrite: Annotated[
        bool, option("--overwrite", "Replace the results of another run in the output folder.", group=Group.MAIN)
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    max_rejects: MaxRejectsFlag = "1%",
    format_: Annotated[
        OutputFormat,
        option(
            "--format",
            "Format of the predictions; `auto`: Parquet for Parquet and Arrow inputs, otherwise CSV.",
            "-f",
            group=Group.OUTPUT,
        ),
    ] = "auto",
    probabilities: Annotated[
        bool, option("--probabilities", "Add a column for each digit's probability, p0 to p9.", group=Group.OUTPUT)
    ] = False,
    escape_formulas: Annotated[
        bool,
        option(
            "--escape-formulas",
            "In CSV, put an apostrophe in front of kept text that a spreadsheet would take for a formula.",
            group=Group.OUTPUT,
        ),
    ] = False,
    review_rows: Annotated[
        int,
        option(
            "--review-rows",
            "Write the surest mistakes and the least sure predictions to `review/`, so many in all; 0: none.",
            group=Group.OUTPUT,
            metavar="N",
        ),
    ] = 200,
    review_pictures: Annotated[
        list[str],
        repeatable(
            "--review-pictures",
            "Also write their pictures: `sheet`, a page of them; `label-studio`, tasks for Label Studio; `folders`, "
            "PNG files by prediction; repeat it for more.",
            metavar="FORM",
            group=Group.OUTPUT,
        ),
    ],
    skip_done: Annotated[
        list[str],
        repeatable(
            "--skip-done",
            "Skip inputs that a finished run in this folder, or in a folder directly in it, has scored; repeat it for "
            "more.",
            metavar="DIR",
            group=Group.INPUT,
        ),
    ],
    max_error: Annotated[
        str | None,
        option(
            "--max-error",
            "Accept only rows of which at most this share is wrong, with 95 % certainty, and send the others to "
            "review: adds a column `decision`.",
            group=Group.OUTPUT,
            metavar="P%|SHARE",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        option(
            "--calibration",
            "The file of `digit-job calibrate` by which --max-error is promised (default: the model's card).",
            group=Group.OUTPUT,
            metavar="FILE",
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        option(
            "--min-accuracy",
            "Exit with 3 if fewer of the labelled records are classified correctly, or none has a label (0-1).",
            group=Group.OUTPUT,
            metavar="R",
        ),
    ] = None,
    max_drift: Annotated[
        float | None,
        option(
            "--max-drift",
            "Exit with 3 if ink, intensity or predicted digits have drifted further from the training images.",
            group=Group.OUTPUT,
            metavar="PSI",
        ),
    ] = None,
    max_warnings: Annotated[
        int | None,
        option(
            "--max-warnings",
            "Exit with 3 if the report has more warnings; 0: if it has any.",
            group=Group.OUTPUT,
            metavar="N",
        ),
    ] = None,
    verify: Annotated[
        bool,
        option(
            "--verify",
            "If the output is complete, compare its files with their SHA-256, not only their sizes.",
            group=Group.OUTPUT,
        ),
    ] = False,
    allow_unblessed: AllowUnblessedFlag = False,
    model_scale: ModelScaleFlag = "auto",
    threads: ThreadsFlag = None,
    part_bytes: Annotated[
        int,
        option(
            "--part-bytes",
            "Size of a part, the unit of scoring and resuming (default: 32 MiB).",
            group=Group.SPEED,
            show_default=False,
            metavar="N",
            min=4096,
        ),
    ] = DEFAULT_PART_BYTES,
    shard_index: Annotated[
        int | None,
        option(
            "--shard-index",
            "The number of this process among the shards, from 0 (default: JOB_COMPLETION_INDEX, which Kubernetes "
            "sets in an Indexed Job).",
            group=Group.SPEED,
            metavar="I",
            min=0,
        ),
    ] = None,
    shard_count: Annotated[
        int | None,
        option(
            "--shard-count",
            "Score one of N shares of the parts; the other shards write to the same output folder.",
            group=Group.SPEED,
            metavar="N",
            min=1,
        ),
    ] = None,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
    profile: Annotated[
        bool, option("--profile", "At the end, print the time spent by thread and stage.", group=Group.TELEMETRY)
    ] = False,
    metrics_file: Annotated[
        str | None,
        option(
            "--metrics-file",
            "Write the run's metrics, also if it fails, for Prometheus's textfile collector.",
            group=Group.TELEMETRY,
            metavar="FILE.prom",
            callback=standard_output,
        ),
    ] = None,
    pushgateway: Annotated[
        str | None,
        option(
            "--pushgateway",
            "Push the same metrics to a Prometheus Pushgateway, grouped by job, run and shard.",
            group=Group.TELEMETRY,
            metavar="URL",
        ),
    ] = None,
    openlineage: Annotated[
        str | None,
        option(
            "--openlineage",
            "Write OpenLineage events, one per line, with the files read and written.",
            group=Group.TELEMETRY,
            metavar="FILE",
            callback=standard_output,
        ),
    ] = None,
    job_name: Annotated[
        str | None,
        option(
            "--job-name",
            "The job's name among others, for the Pushgateway (default: digit-job) and OpenLineage (default: score).",
            group=Group.TELEMETRY,
            metavar="NAME",
        ),
    ] = None,
    require_telemetry: Annotated[
        bool,
        option(
            "--require-telemetry",
            "Fail, instead of only warning, if metrics or lineage events cannot be written.",
            group=Group.TELEMETRY,
        ),
    ] = False,
) -> None:
    """Score files of digits: predictions, rejects and a report.

    The same command resumes a run that was interrupted, and does nothing if the output is complete.

    Examples:
      digit-job score digits.csv -o results
      digit-job score --input 'in/*.parquet' --output results --keep id

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting(is_overwriting=overwrite)
    stop = StopOnSignals(at_once=True)
    from job.score.run import run
    from job.telemetry.outlets import publish
    from job.telemetry.recorder import Recorder

    settings = ScoreSettings(
        inputs=inputs_of(context, inputs, sources or []),
        output=output,
        model=model,
        format=format_,
        read=ReadSettings(
            label_column, no_label, scale, transpose, tuple(keep), label_map_in(label_map), invert, normalize
        ),
        has_probabilities=probabilities,
        escapes_formulas=escape_formulas,
        max_rejects=RejectLimit.parse(max_rejects),
        max_error=None if max_error is None else ErrorLimit.parse(max_error),
        calibration=calibration,
        threads=threads or default_threads(),
        part_bytes=part_bytes,
        is_overwriting=overwrite,
        allows_unblessed=allow_unblessed,
        shard=_shard(shard_index, shard_count),
        gates=Gates(min_accuracy, max_drift, max_warnings),
        is_verifying=verify,
        model_scale=model_scale,
        skip_done=tuple(skip_done),
        review=Review(review_rows, cast("tuple[ReviewPictures, ...]", tuple(review_pictures))),
    )
    telemetry = TelemetrySettings(
        metrics_file,
        pushgateway,
        openlineage,
        log.is_for_machines(log_format),
        quiet,
        is_required=require_telemetry,
        job_name=job_name,
    )
    recorder = Recorder()
    with (
        _summarised(recorder, context.obj, is_quiet=quiet, is_profiled=profile),
        publish(recorder, settings, telemetry),
        with_model_folder(settings) as scored,
    ):
        if is_lost_with_container(output):
            _log.warning("%s: is lost with the container; mount a volume or a host folder there", output)
        stop.wait_for_check()
        others = [calibration] if calibration is not None else []
        storage = storage_at(*settings.inputs, *settings.skip_done, output, model, *others).stopping(stop.check)
        try:
            recorder.result = run(scored, storage, recorder)
        except RunFellShort as error:
            recorder.result = error.result
            raise


def inputs_of(context: typer.Context, flags: list[str], arguments: list[str]) -> tuple[str, ...]:
    """The inputs of the command line, or else those of the variable. Raises UsageError if there are none."""
    source = context.get_parameter_source("inputs")
    is_given = source is not None and source.name == "COMMANDLINE"
    found = [*flags, *arguments] if is_given or not arguments else arguments
    if not found:
        raise UsageError("no input: name a file, a folder or a pattern, as in `digit-job score digits.csv`")
    return tuple(found)


def _shard(index: int | None, count: int | None) -> Shard | None:
    """The shard of this process, from its flags and Kubernetes. Raises UsageError if one of the two is missing."""
    # Kubernetes also sets this in Indexed Jobs whose pods each have inputs of their own: without a count it is ignored.
    completion_index = os.environ.get("JOB_COMPLETION_INDEX")
    if count is None:
        if index is not None:
            raise UsageError("--shard-index needs --shard-count, the number of shards")
        return None
    if index is None:
        if completion_index is None:
            raise UsageError("--shard-count needs --shard-index, because JOB_COMPLETION_INDEX is not set")
        if not (completion_index.isascii() and completion_index.isdecimal()):
            raise UsageError(f"JOB_COMPLETION_INDEX is {completion_index!r:.50}, expected a number from 0")
        index = int(completion_index)
    return Shard(index, count)


@contextmanager
def _summarised(recorder: "Recorder", facts: dict[str, Any], *, is_quiet: bool, is_profiled: bool) -> Iterator[None]:
    """Put the run's figures into `facts`, however the block ends, and print its results, if it has any."""

    def print_end(outcome: str) -> None:
        if recorder.result and not is_quiet:
            print_summary(recorder.result, outcome)
        if is_profiled:
            _print_profile(recorder)

    try:
        yield
    except BaseException:  # raised again
        with suppress(DigitJobError):  # the run's own error is the one to report
            print_end("failed")
        raise
    else:
        print_end(recorder.summary()["outcome"])
    finally:
        facts.update(recorder.summary(), command="score")


def _print_profile(recorder: "Recorder") -> None:
    from job.telemetry.profile import table

    echo(table(recorder.times, recorder.counts().seconds))
