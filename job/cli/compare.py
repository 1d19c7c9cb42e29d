"""`digit-job compare`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from job import log
from job.cli.flags import STANDARD_OUTPUT, LogFormatFlag, log_overwriting, option, standard_output
from job.cli.terminal import StopOnSignals, say
from job.errors import DataError, ModelFellShort, UsageError
from job.flag_names import Flag
from job.settings import Order
from job.storage import refuse_foreign, storage_at

if TYPE_CHECKING:
    from job.documents.comparison_json import Comparison


def compare(
    output_a: Annotated[
        str,
        typer.Argument(help="The output folder of a finished run, A.", envvar="DIGIT_JOB_OUTPUT_A", metavar="OUT_A"),
    ],
    output_b: Annotated[
        str,
        typer.Argument(
            help="The output folder of another run over the same inputs, B.",
            envvar="DIGIT_JOB_OUTPUT_B",
            metavar="OUT_B",
        ),
    ],
    rows: Annotated[int, option("--rows", "How many of the changed rows to list.", metavar="N", min=0)] = 10,
    order: Annotated[
        Order,
        option(
            "--order",
            "Which changed rows to list: the `first`, or the `surest` by the lower of the two confidences.",
        ),
    ] = "surest",
    json_: Annotated[
        str | None,
        option(
            "--json",
            "Also write all figures to this file, as JSON; `-`: print only them.",
            metavar="FILE",
            callback=standard_output,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        option("--overwrite", "Write over a file of another kind with --json.", command="compare"),
    ] = False,
    fail_if_worse: Annotated[
        bool,
        option("--fail-if-worse", "Exit with 3 if B is significantly less accurate than A (McNemar's test, p < 0.05)."),
    ] = False,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Compare two runs, or two models, row by row on the same inputs.

    Reports the rows they agree on, each one's accuracy on the rows that both scored, and whether one is significantly
    better.

    Examples:
      digit-job compare results-old results-new
      digit-job compare results-old results-new --json comparison.json
      digit-job compare results-old results-new --fail-if-worse

    """
    log.set_up(log_format)
    log_overwriting("compare", is_overwriting=overwrite)
    StopOnSignals("run the same command again", at_once=True)
    from job.results.compare.comparer import Comparer, is_comparison
    from job.results.compare.text import describe_comparison
    from job.score.output import Output

    storage = storage_at(*(each for each in (output_a, output_b, json_) if each is not None))
    if json_ is not None and any(Output(storage, each).holds(storage.resolve(json_)) for each in (output_a, output_b)):
        raise UsageError(f"--json {json_}: belongs to the output of a run; choose another file")
    if json_ is not None and not overwrite:
        refuse_foreign(
            storage, storage.resolve(json_), is_comparison, expected="a comparison", advice=f"add {Flag.OVERWRITE}"
        )
    found = Comparer(storage, rows, order).compare(output_a, output_b)
    if json_ is not None:
        storage.write(storage.resolve(json_), json.dumps(found, indent=2).encode() + b"\n")
    if json_ != STANDARD_OUTPUT:
        for line in describe_comparison(found):
            say(line)
    if fail_if_worse:
        _check_not_worse(found)


def _check_not_worse(found: "Comparison") -> None:
    outcome = found["verdict"]["outcome"]
    if outcome in {"no_rows", "no_labels"}:
        raise DataError("--fail-if-worse: cannot tell whether B is worse, because no row that both scored has a label")
    if outcome == "a_better":
        raise ModelFellShort(f"{found['b']['output']} is significantly worse than {found['a']['output']}")
