"""`digit-job tune`."""

import os
from typing import Annotated

from job import log
from job.cli.flags import (
    LabelColumnFlag,
    LogFormatFlag,
    QuietFlag,
    ScaleFlag,
    TransposeFlag,
    VerboseFlag,
    option,
    train_extra,
    verbosity,
)
from job.cli.terminal import StopOnSignals, echo, say
from job.settings import ReadSettings
from job.storage import storage_at
from job.telemetry.progress import train_progress
from job.train.train_settings import RecipeName, SearchMethod, TuneSettings


def tune(
    data: Annotated[
        str,
        option(
            "--data",
            "As for `train`. Test images decide nothing; where they are a file, it is not opened.",
            metavar="SRC",
        ),
    ] = "auto",
    output: Annotated[
        str, option("--output", "The folder for what is found; the same command goes on in it.", metavar="DIR")
    ] = "search",
    trials: Annotated[int, option("--trials", "How many settings to try, beside the recipe's own.", min=1)] = 20,
    search: Annotated[
        SearchMethod,
        option(
            "--search",
            "Where to look next: at random; where earlier trials promise most (`bayesian`); or at random and for a few "
            "epochs first, the better ones for longer (`hyperband`).",
        ),
    ] = "hyperband",
    epochs: Annotated[int, option("--epochs", "How long to train with each, at most.", min=1)] = 10,
    recipe: Annotated[RecipeName, option("--recipe", "What decides all that is not searched for.")] = "accurate",
    validation_split: Annotated[
        float, option("--validation-split", "Share of the training images held out to judge by.")
    ] = 0.1,
    seed: Annotated[int, option("--seed", "Fixes what is tried, and all that `train` fixes by it.", min=0)] = 1,
    label_column: LabelColumnFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Search for better settings: depth, width, dropout, learning rate and batch size.

    Ends with a table, a comparison with the recipe's own settings, and a file for `train --settings`.

    Example: `digit-job tune --data train.csv --trials 30 --output search`
    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    settings = TuneSettings(
        data=data,
        output=output,
        trials=trials,
        search=search,
        epochs=epochs,
        recipe=recipe,
        validation_share=validation_split,
        seed=seed,
        read=ReadSettings(label_column, scale=scale, is_transposed=transpose),
    )
    stop = StopOnSignals("finished trials are kept, run the same command again to go on", at_once=True)
    with train_extra(), train_progress(is_quiet=quiet) as progress:
        from job.train.tune.search import tune as run

        stop.check()
        result = run(settings, storage_at(output), mnist_dir=os.environ.get("MNIST_DIR"), on_progress=progress)
    if not quiet:
        echo(result.table)
        for line in result.conclusion:
            say(line)
