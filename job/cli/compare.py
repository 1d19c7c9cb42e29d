"""`digit-job compare`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from job import log
from job.cli.flags import (
    STANDARD_OUTPUT,
    AllowUnblessedFlag,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    MaxRejectsFlag,
    ModelScaleFlag,
    NoLabelFlag,
    NormalizeFlag,
    ScaleFlag,
    ThreadsFlag,
    TransposeFlag,
    label_map_in,
    log_overwriting,
    option,
    repeatable,
    standard_output,
)
from job.cli.terminal import StopOnSignals, say
from job.errors import DataError, ModelFellShort, UsageError
from job.flag_names import Flag
from job.limits import default_threads
from job.settings import Order, ReadSettings, RejectLimit, ScoreSettings
from job.storage import Storage, refuse_foreign, storage_at
from job.train.plain_model import with_model_folder

if TYPE_CHECKING:
    from job.documents.comparison_json import Comparison
    from job.results.compare.comparer import Comparer
    from job.score.observer import Observer

# The flags that say how models are loaded and data is read, by the names of their parameters.
_SCORING: Final = (
    "label_column", "label_map", "no_label", "scale", "transpose", "invert", "max_rejects", "allow_unblessed",
    "model_scale", "threads",
)  # fmt: skip


def compare(
    context: typer.Context,
    a: Annotated[
        str,
        typer.Argument(
            help="The output folder of a finished run; with --data, a model.", envvar="DIGIT_JOB_OUTPUT_A", metavar="A"
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(
            help="The output folder of another run over the same inputs; with --data, another model.",
            envvar="DIGIT_JOB_OUTPUT_B",
            metavar="B",
        ),
    ],
    *,
    data: Annotated[
        list[str],
        repeatable(
            "--data",
            "Compare two models on a data file, a folder, or a quoted pattern such as 'in/*.csv'; repeat it for more.",
            metavar="SRC",
            command="compare",
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
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    max_rejects: MaxRejectsFlag = "1%",
    allow_unblessed: AllowUnblessedFlag = False,
    model_scale: ModelScaleFlag = "auto",
    threads: ThreadsFlag = None,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Compare two runs, or two models, row by row on the same inputs.

    Reports the rows they agree on, each one's accuracy on the rows that both scored, and whether one is significantly
    better. With --data, A and B are models, which score that data first; nothing of it is kept.

    Examples:
      digit-job compare results-old results-new
      digit-job compare results-old results-new --json comparison.json
      digit-job compare model-old model-new --data test.csv --fail-if-worse

    """
    log.set_up(log_format)
    log_overwriting("compare", is_overwriting=overwrite)
    StopOnSignals("run the same command again", at_once=True)
    from job.results.compare.comparer import Comparer, is_comparison
    from job.results.compare.text import describe_comparison
    from job.score.output import Output

    storage = storage_at(*(each for each in (a, b, json_, *data) if each is not None))
    if not data and (given := _given(context)):
        raise UsageError(
            f"{given[0]}: says how to score data; add {Flag.DATA} SRC, or leave it out to compare two runs"
        )
    _check_kinds(storage, (a, b), has_data=bool(data))
    is_of_run = json_ is not None and any(Output(storage, each).holds(storage.resolve(json_)) for each in (a, b))
    if is_of_run and not data:
        raise UsageError(f"--json {json_}: belongs to the output of a run; choose another file")
    if json_ is not None and not overwrite:
        refuse_foreign(
            storage, storage.resolve(json_), is_comparison, expected="a comparison", advice=f"add {Flag.OVERWRITE}"
        )
    comparer = Comparer(storage, rows, order)
    if data:
        read = ReadSettings(
            label_column,
            no_label,
            scale,
            transpose,
            label_map=label_map_in(label_map),
            is_inverted=invert,
            normalize=normalize,
        )
        settings = ScoreSettings(
            tuple(data), "", "", read, "parquet", max_rejects=RejectLimit.parse(max_rejects),
            threads=threads or default_threads(), allows_unblessed=allow_unblessed, model_scale=model_scale,
        )  # fmt: skip
        found = _compare_models(comparer, settings, (a, b), is_json=log.is_for_machines(log_format))
    else:
        found = comparer.compare(a, b)
    if json_ is not None:
        storage.write(storage.resolve(json_), json.dumps(found, indent=2).encode() + b"\n")
    if json_ != STANDARD_OUTPUT:
        for line in describe_comparison(found):
            say(line)
    if fail_if_worse:
        _check_not_worse(found)


def _given(context: typer.Context) -> list[str]:
    """The flags of the command line that only models need."""
    sources = {each: context.get_parameter_source(each) for each in _SCORING}
    return [
        f"--{each.replace('_', '-')}" for each, source in sources.items() if source and source.name == "COMMANDLINE"
    ]


def _check_kinds(storage: Storage, locations: tuple[str, str], *, has_data: bool) -> None:
    """Raise UsageError for a model without data, and for a run with data."""
    from job.model.model_kind import is_model
    from job.score.output import Output

    for each in locations:
        if has_data and Output(storage, each).has_run():
            raise UsageError(
                f"{each}: is the output of a run; with {Flag.DATA}, name two models, and without it two runs"
            )
        if not has_data and is_model(storage, each):
            raise UsageError(f"{each}: is a model; to compare two models, add {Flag.DATA} SRC, which both score")


def _compare_models(
    comparer: "Comparer", settings: ScoreSettings, models: tuple[str, str], *, is_json: bool
) -> "Comparison":
    """settings: those of both models, without model and output."""
    from job.results.compare.two_models import compare_models
    from job.telemetry.progress import show_progress
    from job.telemetry.recorder import Recorder
    from job.train.scratch import scratch_folder

    @contextmanager
    def observed() -> Iterator["Observer"]:
        recorder = Recorder()
        with show_progress(recorder, is_json=is_json, is_quiet=False):
            yield recorder

    a, b = models
    with (
        scratch_folder() as folder,
        with_model_folder(replace(settings, model=a, output=str(folder / "a"))) as settings_a,
        with_model_folder(replace(settings, model=b, output=str(folder / "b"))) as settings_b,
    ):
        return compare_models(comparer, settings_a, settings_b, observed)


def _check_not_worse(found: "Comparison") -> None:
    from job.results.compare.text import compared_location

    outcome = found["verdict"]["outcome"]
    if outcome in {"no_rows", "no_labels"}:
        raise DataError("--fail-if-worse: cannot tell whether B is worse, because no row that both scored has a label")
    if outcome == "a_better":
        a, b = (compared_location(found[each]) for each in ("a", "b"))
        raise ModelFellShort(f"{b} is significantly worse than {a}")
