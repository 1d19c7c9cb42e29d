"""`digit-job export`."""

import os
from typing import Annotated

import typer

from job import log
from job.cli.flags import LabelColumnFlag, LogFormatFlag, ScaleFlag, TransposeFlag, option, train_extra
from job.cli.terminal import StopOnSignals, say
from job.settings import ReadSettings
from job.storage import storage_at
from job.train.train_settings import ExportFormat, ExportSettings, Quantization


def export(
    model: Annotated[
        str,
        typer.Argument(help="A model folder, or a plain `.keras` file.", envvar="DIGIT_JOB_MODEL", metavar="MODEL"),
    ],
    to: Annotated[ExportFormat, option("--to", "The format: for LiteRT, for ONNX Runtime, or TensorFlow's own.")],
    output: Annotated[
        str | None,
        option("--output", "Where to write; by default beside the model, named after it.", metavar="PATH"),
    ] = None,
    quantize: Annotated[
        Quantization | None, option("--quantize", "Of `tflite`: write the network in integers instead of floats.")
    ] = None,
    data: Annotated[
        str | None,
        option(
            "--data",
            "Labelled images, as for `train`, to measure the network's values on and to compare on; by default the "
            "model's own for `--quantize`, else the card's golden rows.",
            metavar="SRC",
        ),
    ] = None,
    allow_unblessed: Annotated[
        bool, option("--allow-unblessed", "Export also a model that fell short of what was asked in training.")
    ] = False,
    overwrite: Annotated[bool, option("--overwrite", "Replace a file or SavedModel that is there already.")] = False,
    label_column: LabelColumnFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Write a saved model in the format of another runtime, and prove that it says the same.

    Example: `digit-job export model --to tflite --output digits.tflite`
    """
    log.set_up(log_format)
    read = ReadSettings(label_column, scale=scale, is_transposed=transpose)
    settings = ExportSettings(
        model=model,
        to=to,
        output=output,
        quantize=quantize,
        data=data,
        read=read,
        is_overwriting=overwrite,
        allows_unblessed=allow_unblessed,
    )
    stop = StopOnSignals(at_once=True)
    with train_extra():
        from job.train.export.exporter import export as run

        stop.check()
        locations = [each for each in (model, output, data) if each is not None]
        result = run(storage_at(*locations), settings, mnist_dir=os.environ.get("MNIST_DIR"))
    say(f"Exported: {result.path} ({result.size_bytes:,} bytes)")
    parity = result.parity
    say(
        f"Compared: the same digit on {parity.same_digits:,} of {result.samples.description}, "
        f"probabilities off by at most {parity.max_difference:.2g}"
    )
