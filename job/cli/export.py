"""`digit-job export`."""

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
from job.settings import ReadSettings
from job.storage import storage_at
from job.train.train_settings import ExportFormat, ExportSettings, Quantization


def export(
    context: typer.Context,
    *,
    model: Annotated[
        str,
        typer.Argument(help="A model folder, a Keras file or a SavedModel.", envvar="DIGIT_JOB_MODEL", metavar="MODEL"),
    ],
    to: Annotated[
        ExportFormat,
        option("--to", "The format: for LiteRT, for ONNX Runtime, or TensorFlow's SavedModel.", group=Group.MAIN),
    ],
    output: Annotated[
        str | None,
        option(
            "--output",
            "The file or folder to write (default: beside the model, with its name); `-`: standard output.",
            "-o",
            command="export",
            callback=standard_output,
            group=Group.MAIN,
            metavar="PATH",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        option("--overwrite", "Replace an existing export of the same format.", command="export", group=Group.MAIN),
    ] = False,
    quantize: Annotated[
        Quantization | None,
        option("--quantize", "For `tflite`: store weights and activations as integers.", group=Group.MODEL),
    ] = None,
    allow_unblessed: AllowUnblessedFlag = False,
    model_scale: ModelScaleFlag = "auto",
    data: Annotated[
        list[str],
        repeatable(
            "--data",
            "Labelled images, as for `train`, to calibrate and to compare with (default: the model's own data for "
            "`--quantize`, otherwise the golden rows of its card); repeat it for more.",
            metavar="SRC",
            group=Group.INPUT,
        ),
    ],
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Convert a model for another runtime and check its predictions.

    Examples:
      digit-job export model --to onnx
      digit-job export model --to tflite --quantize int8 --output digits.tflite

    """
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting("export", is_overwriting=overwrite)
    read = ReadSettings(
        label_column,
        scale=scale,
        is_transposed=transpose,
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    settings = ExportSettings(
        model=model,
        to=to,
        output=output,
        quantize=quantize,
        data=tuple(data),
        read=read,
        is_overwriting=overwrite,
        allows_unblessed=allow_unblessed,
        model_scale=model_scale,
    )
    stop = StopOnSignals(at_once=True)
    with followed(context.obj, "export", log_format, is_quiet=quiet) as phases:
        from job.train.export.exporter import export as run

        stop.check()
        locations = [each for each in (model, output, *data) if each is not None]
        mnist_dir = os.environ.get("MNIST_DIR")
        result = run(storage_at(*locations), settings, mnist_dir=mnist_dir, phases=phases)
    context.obj.update(result.summary())
    if quiet or output == STANDARD_OUTPUT:
        return
    say(f"Exported: {result.path} ({result.size_bytes:,} bytes)")
    parity = result.parity
    say(
        f"Compared: the same digit on {parity.same_digits:,} of {result.samples.description}, "
        f"probabilities off by at most {parity.max_difference:.2g}"
    )
