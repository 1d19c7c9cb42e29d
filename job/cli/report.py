"""`digit-job report`."""

from typing import Annotated

import typer

from job import log
from job.cli.flags import LogFormatFlag, option
from job.cli.terminal import StopOnSignals, say
from job.errors import requires_extra
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
            "Also draw the confusion matrix, calibration curve, confidence histogram and surest mistakes, as PNG files "
            "for slides in this folder; needs the figures extra.",
            metavar="DIR",
        ),
    ] = None,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Render a run's report again, and draw figures for slides.

    The page is made from report.json and manifest.json alone; the version that scored writes the same bytes again.

    Examples:
      digit-job report results
      digit-job report results --figures slides

    """
    log.set_up(log_format)
    StopOnSignals("run the same command again", at_once=True)
    from job.results.finished import open_finished
    from job.results.rerender import rerender

    storage = storage_at(*(each for each in (output, figures) if each is not None))
    finished = open_finished(storage, output)
    is_same = rerender(storage, finished)
    note = "" if is_same else f" (differs from the run's own, of digit-job {finished.manifest.get('digit_job')})"
    say(f"Report: {finished.output.report_html}{note}")
    if figures is None:
        return
    with requires_extra("figures"):
        from job.figures.slides import draw_figures

        drawn = draw_figures(storage, finished.report, figures)
    for path in drawn.paths:
        say(f"Figure: {path}")
    for name, reason in drawn.left_out.items():
        say(f"Left out: {name}: {reason}")
