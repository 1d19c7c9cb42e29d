"""`digit-job sample`."""

import os
from typing import Annotated

from job import log
from job.cli.flags import LogFormatFlag, option, train_extra
from job.cli.terminal import say
from job.storage import storage_at


def sample(
    output: Annotated[str, option("--output", "The folder for the sample files.", metavar="DIR")],
    model: Annotated[str, option("--model", "The model folder whose data set to sample.", metavar="DIR")] = "model",
    log_format: LogFormatFlag = "auto",
) -> None:
    """Write the test split of a model's own data set as test.csv and test.parquet, to try `score` with.

    Example: `digit-job sample --model model --output sample`
    """
    log.set_up(log_format)
    with train_extra():
        from job.train.data.sample import write_sample

        paths = write_sample(storage_at(output, model), model, output, mnist_dir=os.environ.get("MNIST_DIR"))
    for path in paths:
        say(path)
