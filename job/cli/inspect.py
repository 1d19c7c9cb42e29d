"""`digit-job inspect`."""

from typing import TYPE_CHECKING, Annotated

import typer

from job import log
from job.cli.flags import (
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    NoLabelFlag,
    NormalizeFlag,
    ScaleFlag,
    TransposeFlag,
    label_map_in,
)
from job.cli.terminal import echo, say
from job.settings import ReadSettings
from job.storage import storage_at

if TYPE_CHECKING:
    from job.read.inspection import Inspection

_MOST_DRAWN = 5


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            help="A CSV, Parquet, Arrow, IDX or NumPy file, a folder of them or of pictures, or a quoted pattern such "
            "as 'in/*.csv'.",
            envvar="DIGIT_JOB_SOURCE",
            metavar="SRC",
        ),
    ],
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    log_format: LogFormatFlag = "auto",
) -> None:
    """Show how files would be read: layout, labels, warnings, digits.

    Reads only the beginning of each file, and draws its first digits. The last line is the command that scores them.

    Examples:
      digit-job inspect digits.csv
      digit-job inspect 'in/*.parquet' --transpose

    """
    log.set_up(log_format)
    from job.command_line import command_for
    from job.read.inspection import inspect as inspections_of

    settings = ReadSettings(
        label_column,
        no_label,
        scale,
        transpose,
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    for each in inspections_of(storage_at(source), source, settings):
        _print_inspection(each)
    say("To score it:")
    say(f"  {command_for(source, settings)}")


def _print_inspection(inspection: "Inspection") -> None:
    from rich.console import Console
    from rich.text import Text

    from job.report.digits import WIDTH, text_images

    console = Console()
    is_unicode = console.encoding.lower().startswith("utf")
    count = min(len(inspection.head.pixels), max(1, (console.width - 2) // (WIDTH + 2)), _MOST_DRAWN)
    labels = inspection.head.labels
    labels = None if labels is None else labels[:count]
    pictures = text_images(inspection.form.apply(inspection.head.pixels[:count]), labels, is_unicode=is_unicode)
    warnings = [(f"  warning: {each}", "yellow") for each in inspection.warnings]
    lines = [(inspection.path, "bold"), *((line, "") for line in inspection.fact_lines()), *warnings]
    with console.capture() as printed:
        for text, style in [*lines, ("", ""), *((f"  {line}".rstrip(), "") for line in pictures)]:
            console.print(Text(log.visible(text), style), soft_wrap=True)
    echo(printed.get())
