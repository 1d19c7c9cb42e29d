"""The command `digit-job` itself, to which the modules beside this one add a command each."""

from typing import Annotated

import typer

from job import __version__
from job.cli.streams import say

app = typer.Typer(
    name="digit-job",
    help="Train a small digit classifier, and score files of pixels with it.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # the library calls it so
    if is_asked:
        say(f"digit-job {__version__}")
        raise typer.Exit


@app.callback()
def _digit_job(
    *,
    version: Annotated[  # its callback is all there is to it
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass
