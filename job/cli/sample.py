"""`digit-job sample`."""

import os
from typing import Annotated

from job import log
from job.cli.flags import LogFormatFlag, QuietFlag, VerboseFlag, log_overwriting, option, verbosity
from job.cli.terminal import say
from job.errors import requires_extra
from job.storage import storage_at


def sample(
    output: Annotated[str, option("--output", "The folder for the files.", "-o", metavar="DIR", command="sample")],
    model: Annotated[
        str, option("--model", "The model folder whose data set to take the files from.", "-m", metavar="DIR")
    ] = "model",
    overwrite: Annotated[bool, option("--overwrite", "Replace files of these names.", command="sample")] = False,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Write test images of a model's data set, to try scoring.

    The files are test.csv and test.parquet.

    Examples:
      digit-job sample --model model --output sample

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting("sample", is_overwriting=overwrite)
    with requires_extra("train"):
        from job.train.data.sample import write_sample

        paths = write_sample(
            storage_at(output, model),
            model,
            output,
            mnist_dir=os.environ.get("MNIST_DIR"),
            is_overwriting=overwrite,
        )
    for path in [] if quiet else paths:
        say(path)
