"""`digit-job tune`."""

import os
from typing import Annotated

from job import log
from job.cli.flags import (
    DataFlag,
    Group,
    InvertFlag,
    LabelColumnFlag,
    LabelMapFlag,
    LogFormatFlag,
    QuietFlag,
    ScaleFlag,
    TestSplitFlag,
    TransposeFlag,
    ValidationSplitFlag,
    VerboseFlag,
    label_map_in,
    option,
    verbosity,
)
from job.cli.terminal import StopOnSignals, echo, say
from job.errors import requires_extra
from job.settings import ReadSettings
from job.storage import storage_at
from job.telemetry.progress import train_progress
from job.train.train_settings import DataSettings, RecipeName, SearchMethod, TuneSettings


def tune(
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
        int,
        option(
            "--trials", "Number of settings to try, besides the recipe's own.", group=Group.MAIN, metavar="N", min=1
        ),
    ] = 20,
    search: Annotated[
        SearchMethod,
        option(
            "--search",
            "How to choose settings: `random`; `bayesian`, where earlier trials promise most; or `hyperband`, at "
            "random for a few epochs, and longer for the better ones.",
            group=Group.MAIN,
        ),
    ] = "hyperband",
    epochs: Annotated[
        int,
        option(
            "--epochs", "Maximum number of epochs of a trial.", command="tune", group=Group.MAIN, metavar="N", min=1
        ),
    ] = 10,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    test_split: TestSplitFlag = None,
    validation_split: ValidationSplitFlag = None,
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

    Varies depth, width, dropout, learning rate and batch size. Ends with a table, a comparison with the recipe's own
    settings, and a file for `train --settings`.

    Examples:
      digit-job tune --data mnist --trials 30 --output search
      digit-job train --data mnist --settings search/best.json

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    read = ReadSettings(
        label_column, scale=scale, is_transposed=transpose, label_map=label_map_in(label_map), is_inverted=invert
    )
    settings = TuneSettings(
        data=DataSettings(tuple(data) or ("auto",), read, test_share=test_split, validation_share=validation_split),
        output=output,
        trials=trials,
        search=search,
        epochs=epochs,
        recipe=recipe,
        seed=seed,
    )
    stop = StopOnSignals("finished trials are kept, run the same command again to resume", at_once=True)
    with requires_extra("train"), train_progress(is_quiet=quiet) as progress:
        from job.train.tune.search import tune as run

        stop.check()
        result = run(settings, storage_at(output), mnist_dir=os.environ.get("MNIST_DIR"), on_progress=progress)
    if not quiet:
        echo(result.table)
        for line in result.conclusion:
            say(line)
