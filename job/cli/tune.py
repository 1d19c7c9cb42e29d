"""`digit-job tune`."""

import json
import os
from typing import Annotated

import typer

from job import log
from job.cli.flags import (
    DataFlag,
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    NormalizeFlag,
    QuietFlag,
    ScaleFlag,
    TestSplitFlag,
    TransposeFlag,
    ValidationSplitFlag,
    VerboseFlag,
    label_map_in,
    option,
    repeatable,
    verbosity,
)
from job.cli.following import followed
from job.cli.space_file import space_in
from job.cli.terminal import StopOnSignals, echo, say
from job.errors import requires_extra
from job.settings import ReadSettings
from job.storage import storage_at
from job.train.phases import Phase
from job.train.train_settings import Architecture, DataSettings, RecipeName, SearchMethod, TuneSettings


def tune(
    context: typer.Context,
    *,
    data: DataFlag,
    output: Annotated[
        str,
        option(
            "--output",
            "The folder for the results; the same command resumes a search that was interrupted.",
            command="tune",
            group=Group.MAIN,
            metavar="DIR",
        ),
    ] = "search",
    trials: Annotated[
        int | None,
        option(
            "--trials",
            "Number of settings to try, besides the recipe's own (default: 20; `grid`: every combination).",
            group=Group.MAIN,
            metavar="N",
            min=1,
        ),
    ] = None,
    search: Annotated[
        SearchMethod,
        option(
            "--search",
            "How to choose settings: `random`; `bayesian`, where earlier trials promise most; or `hyperband`, at "
            "random for a few epochs, and longer for the better ones; or `grid`: every combination, cross-validated.",
            group=Group.MAIN,
        ),
    ] = "hyperband",
    folds: Annotated[
        int | None,
        option(
            "--folds",
            "Cross-validate each trial: train it N times, rated by another Nth of the training images each time; 1: "
            "train once, rated by `--validation-split` (default: 1; `grid`: 3).",
            group=Group.MAIN,
            metavar="N",
            min=1,
        ),
    ] = None,
    space: Annotated[
        str | None,
        option(
            "--space",
            "A JSON or TOML file of what to vary: flags of `train`, each with a list of choices, or a range such as "
            '{"min": 0.0001, "max": 0.01, "scale": "log"} (default: see `--print-space`).',
            group=Group.MAIN,
            metavar="FILE",
        ),
    ] = None,
    vary: Annotated[
        list[str],
        repeatable(
            "--vary",
            "Choices for one flag of `train`, such as `batch-size=32,64` or `hidden=128-128,256`; may be repeated. Of "
            "`--space`, it replaces this flag's values; without it, nothing else varies.",
            group=Group.MAIN,
            metavar="FLAG=VALUE,...",
        ),
    ],
    epochs: Annotated[
        int,
        option(
            "--epochs", "Maximum number of epochs of a trial.", command="tune", group=Group.MAIN, metavar="N", min=1
        ),
    ] = 10,
    print_space: Annotated[
        bool,
        option("--print-space", "Print the search space, as a file for `--space`, and exit.", group=Group.MAIN),
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    test_split: TestSplitFlag = None,
    validation_split: ValidationSplitFlag = None,
    arch: Annotated[
        Architecture,
        option("--arch", "`dense`: fully connected layers; `cnn`: convolutions.", group=Group.NETWORK),
    ] = "dense",
    recipe: Annotated[
        RecipeName, option("--recipe", "Settings that are not searched for.", group=Group.TRAINING)
    ] = "accurate",
    seed: Annotated[
        int,
        option("--seed", "Random seed of the search and of each training.", group=Group.TRAINING, metavar="N", min=0),
    ] = 1,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Search for better training settings.

    Varies depth, width, dropout, learning rate and batch size, or what `--space` and `--vary` say. Ends with a table, a
    comparison with the recipe's own settings, a page (search.html), and a file for `train --settings`.

    Examples:
      digit-job tune --data mnist --trials 30 --output search
      digit-job train --data mnist --settings search/best.json
      digit-job tune --search grid --vary batch-size=32,64 --vary dropout=0,0.2
      digit-job tune --search grid --arch cnn --print-space > space.json

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    read = ReadSettings(
        label_column,
        scale=scale,
        is_transposed=transpose,
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    with requires_extra("train"):
        settings = TuneSettings(
            data=DataSettings(tuple(data) or ("auto",), read, test_share=test_split, validation_share=validation_split),
            output=output,
            trials=trials,
            search=search,
            epochs=epochs,
            recipe=recipe,
            seed=seed,
            arch=arch,
            folds=folds,
            space=space_in(space, vary),
        )
    if print_space:
        _print_space(settings)
        return
    stop = StopOnSignals("finished trials are kept, run the same command again to resume", at_once=True)
    with followed(context.obj, "tune", log_format, is_quiet=quiet) as phases:
        from job.train.tune.search import tune as run
        from job.train.tune.search_log import log_search_start, search_summary

        stop.check()
        log_search_start(settings)
        with phases.during(Phase.SEARCHING):
            mnist_dir = os.environ.get("MNIST_DIR")
            result = run(settings, storage_at(output), mnist_dir=mnist_dir, on_progress=phases.advanced)
    context.obj.update(search_summary(result))
    if not quiet:
        echo(result.table)
        for line in result.conclusion:
            say(line)


def _print_space(settings: TuneSettings) -> None:
    """Print the search space with a line for each setting."""
    from job.train.tune.search_space import checked_space
    from job.train.tune.space_syntax import space_json

    lines = [
        f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in space_json(checked_space(settings)).items()
    ]
    echo("\n".join(["{", ",\n".join(lines), "}"]))
