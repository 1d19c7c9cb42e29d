"""`digit-job prepare`."""

import logging
import os
from typing import TYPE_CHECKING, Annotated

import typer

from job import log
from job._version import __version__
from job.cli.flags import (
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    MaxRejectsFlag,
    NoLabelFlag,
    QuietFlag,
    ThreadsFlag,
    TransposeFlag,
    VerboseFlag,
    label_map_in,
    log_overwriting,
    option,
    repeatable,
    verbosity,
)
from job.cli.score import inputs_of
from job.cli.terminal import StopOnSignals, say
from job.limits import default_threads
from job.log import Event, event
from job.settings import ReadSettings, RejectLimit
from job.storage import storage_at

if TYPE_CHECKING:
    from job.prepare.preparing import PrepareResult

_log = logging.getLogger(__name__)


def prepare(
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
            "A folder of pictures, a picture, or a quoted pattern such as 'in/*.png' (required); repeat it for more.",
            "-i",
            metavar="SRC",
            group=Group.MAIN,
            command="prepare",
        ),
    ],
    output: Annotated[
        str,
        option(
            "--output",
            "The file to write, FILE.parquet or FILE.csv.",
            "-o",
            group=Group.MAIN,
            metavar="FILE",
            command="prepare",
        ),
    ],
    overwrite: Annotated[
        bool, option("--overwrite", "Replace the file if it is there.", group=Group.MAIN, command="prepare")
    ] = False,
    sheet: Annotated[
        bool,
        option(
            "--sheet",
            "The pictures are pages, scanned or photographed, with many digits each.",
            group=Group.MAIN,
            command="prepare",
        ),
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    no_label: NoLabelFlag = False,
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    max_rejects: MaxRejectsFlag = "1%",
    threads: ThreadsFlag = None,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Make a file of pixels of pictures of digits, for `score` and `train`.

    A picture of one digit, of any size and kind, becomes a row of 28x28 pixels in MNIST's form, with its file name as
    `id` and, where its folder is called like a digit, its label. prepare.html beside the file shows before and after.
    With --sheet, each picture is a page, scanned or photographed, with many digits in a grid, in rows or anywhere: a
    row for each digit in reading order, with its page, row, column and box. The same command resumes a run that was
    interrupted.

    Examples:
      digit-job prepare scans --output digits.parquet
      digit-job prepare 'train/*/*.jpg' --output train.parquet
      digit-job prepare page.jpg --sheet --output digits.parquet

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting("prepare", is_overwriting=overwrite)
    stop = StopOnSignals(at_once=True)
    from job.prepare.prepare_settings import PrepareSettings
    from job.prepare.preparing import prepare as run
    from job.telemetry.progress import show_phases
    from job.telemetry.recorder import peak_memory_bytes

    settings = PrepareSettings(
        inputs=inputs_of(context, inputs, sources or []),
        output=output,
        read=ReadSettings(
            label_column,
            no_label,
            is_transposed=transpose,
            label_map=label_map_in(label_map),
            is_inverted=invert,
        ),
        max_rejects=RejectLimit.parse(max_rejects),
        threads=threads or default_threads(),
        is_overwriting=overwrite,
        are_sheets=sheet,
    )
    facts = context.obj
    facts["command"] = "prepare"
    started = event(
        Event.STARTED,
        command="prepare",
        version=__version__,
        inputs=list(settings.inputs),
        output=output,
        threads=settings.threads,
        pid=os.getpid(),
    )
    _log.info("preparing %s into %s", ", ".join(settings.inputs), output, extra=started)
    try:
        with show_phases(is_json=log.is_for_machines(log_format), is_quiet=quiet) as show:
            stop.wait_for_check()
            result = run(settings, storage_at(*settings.inputs, output).stopping(stop.check), show)
    finally:
        facts["peak_memory_bytes"] = peak_memory_bytes()
    facts.update(result.summary())
    if not quiet:
        _print_result(result)


def _print_result(result: "PrepareResult") -> None:
    counts = result.counts
    done = "Already prepared" if result.was_done else "Prepared"
    say(f"{done}: {counts.digits:,} digits of {counts.pictures:,} pictures, {counts.rejected:,} rejected")
    say(f"Output:   {result.output}")
    if result.rejects:
        say(f"Rejected: {result.rejects}")
    say(f"Page:     {result.page}")
