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
    sheet: Annotated[
        bool, option("--sheet", "Write a photo-like page of handwritten digits instead.", command="sample")
    ] = False,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Write test images of a model's data set, to try scoring.

    The files are test.csv and test.parquet. With --sheet, they are sheet.jpg, a rendered photo of a page of digits
    for `prepare --sheet`, and sheet.csv, the digits that are on it and where.

    Examples:
      digit-job sample --model model --output sample
      digit-job sample --model model --output sample --sheet

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting("sample", is_overwriting=overwrite)
    with requires_extra("train"):
        from job.train.data.sample import write_sample
        from job.train.data.sample_sheet import write_sample_sheet

        write = write_sample_sheet if sheet else write_sample
        paths = write(
            storage_at(output, model),
            model,
            output,
            mnist_dir=os.environ.get("MNIST_DIR"),
            is_overwriting=overwrite,
        )
    for path in [] if quiet else paths:
        say(path)
