"""`digit-job report`."""

from typing import Annotated

import typer

from job import log
from job.cli.flags import LogFormatFlag, extra, option
from job.cli.terminal import StopOnSignals, say
from job.storage import storage_at


def report(
    output: Annotated[
        str,
        typer.Argument(help="The output folder of a finished run.", envvar="DIGIT_JOB_OUTPUT", metavar="OUT"),
    ],
    figures: Annotated[
        str | None,
        option(
            "--figures",
            "Also draw confusion matrix, calibration curve, confidence histogram and surest mistakes for slides, as "
            "PNG files in this folder, replacing those of the same names; needs the figures extra.",
            metavar="DIR",
        ),
    ] = None,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Render the page of a finished run again, and draw its figures for slides.

    The page is made of report.json and manifest.json alone, and is the run's own, byte for byte.

    Example: `digit-job report results --figures slides`
    """
    log.set_up(log_format)
    StopOnSignals("run the same command again", at_once=True)
    from job.results.finished import open_finished
    from job.results.rerender import rerender

    storage = storage_at(*(each for each in (output, figures) if each is not None))
    finished = open_finished(storage, output)
    is_same = rerender(storage, finished)
    by_another = "" if is_same else f" (differs from the run's own, of digit-job {finished.manifest.get('digit_job')})"
    say(f"Report: {finished.output.report_html}{by_another}")
    if figures is None:
        return
    with extra("figures"):
        from job.figures.slides import draw_figures

        drawn = draw_figures(storage, dict(finished.report), figures)
    for path in drawn.paths:
        say(f"Figure: {path}")
    for name, reason in drawn.left_out.items():
        say(f"Left out: {name}: {reason}")
