"""`digit-job evaluate`."""

import json
import os
from typing import Annotated

import typer

from job import log
from job.cli.flags import (
    STANDARD_OUTPUT,
    AllowUnblessedFlag,
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    ModelScaleFlag,
    NormalizeFlag,
    QuietFlag,
    ScaleFlag,
    TransposeFlag,
    VerboseFlag,
    label_map_in,
    log_overwriting,
    option,
    repeatable,
    standard_output,
    verbosity,
)
from job.cli.following import followed
from job.cli.terminal import StopOnSignals, say
from job.flag_names import Flag
from job.settings import ReadSettings
from job.storage import refuse_foreign, storage_at
from job.train.plain_model import model_folder
from job.train.train_settings import EvaluateSettings


def evaluate(
    context: typer.Context,
    *,
    model: Annotated[
        str, option("--model", "The model, as for `score`.", "-m", group=Group.MAIN, metavar="MODEL")
    ] = "model",
    data: Annotated[
        list[str],
        repeatable(
            "--data",
            "Labelled images, as for `train`, of which those to test with count if there are such (default: the test "
            "images of the model's own data); repeat it for more.",
            metavar="SRC",
            command="evaluate",
            group=Group.MAIN,
        ),
    ],
    group_column: Annotated[
        str | None,
        option(
            "--group-column",
            "The column that tells whose image it is, such as `writer`: also report the accuracy by group.",
            group=Group.MAIN,
            metavar="NAME",
        ),
    ] = None,
    sample: Annotated[
        int,
        option(
            "--sample", "Corrupt at most so many of the images, drawn at random.", group=Group.MAIN, metavar="N", min=1
        ),
    ] = 10_000,
    seed: Annotated[int, option("--seed", "Random seed of the corruptions.", group=Group.MAIN, metavar="N", min=0)] = 1,
    json_: Annotated[
        str | None,
        option(
            "--json",
            "Also write all figures to this file, as JSON; `-`: print only them.",
            command="evaluate",
            callback=standard_output,
            group=Group.MAIN,
            metavar="FILE",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        option("--overwrite", "Write over a file of another kind with --json.", command="evaluate", group=Group.MAIN),
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    allow_unblessed: AllowUnblessedFlag = False,
    model_scale: ModelScaleFlag = "auto",
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Measure a model on test images, corrupted images, other people's digits, and by writer.

    The test images are corrupted in fifteen ways, in the manner of MNIST-C. The digits of other people are
    scikit-learn's optdigits. Writers are known of MNIST, where $DIGITS_DIR holds QMNIST's table of them, and of data
    with a --group-column.

    Examples:
      digit-job evaluate --model model
      digit-job evaluate --model model --data labelled.csv --group-column writer

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting("evaluate", is_overwriting=overwrite)
    read = ReadSettings(
        label_column,
        scale=scale,
        is_transposed=transpose,
        keep=() if group_column is None else (group_column,),
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    settings = EvaluateSettings(
        model=model,
        data=tuple(data),
        read=read,
        group_column=group_column,
        sample=sample,
        seed=seed,
        allows_unblessed=allow_unblessed,
        mnist_dir=os.environ.get("MNIST_DIR"),
        digits_dir=os.environ.get("DIGITS_DIR"),
    )
    stop = StopOnSignals("run the same command again", at_once=True)
    storage = storage_at(*(each for each in (model, json_, *data) if each is not None))
    with followed(context.obj, "evaluate", log_format, is_quiet=quiet) as phases:
        from job.train.judge.model_evaluation import evaluate_model, is_evaluation, summary

        if json_ is not None and not overwrite:
            path, advice = storage.resolve(json_), f"add {Flag.OVERWRITE}"
            refuse_foreign(storage, path, is_evaluation, expected="an evaluation", advice=advice)
        stop.check()
        with model_folder(model, model_scale) as folder:
            found = evaluate_model(storage, settings, folder, phases)
        if json_ is not None:
            storage.write(storage.resolve(json_), json.dumps(found, indent=2).encode() + b"\n")
    context.obj.update(summary(found))
    if json_ != STANDARD_OUTPUT and not quiet:
        from job.train.judge.evaluation_text import describe_evaluation

        for line in describe_evaluation(found):
            say(line)
