"""`digit-job train`."""

import os
from typing import Annotated

import typer

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
from job.cli.settings_file import read_settings
from job.cli.terminal import StopOnSignals, echo, say
from job.errors import ModelFellShort, SettingsInvalid
from job.settings import ReadSettings
from job.storage import storage_at
from job.telemetry.progress import train_progress
from job.train.train_settings import (
    Activation,
    Architecture,
    ClassWeights,
    Optimizer,
    Quantization,
    RecipeName,
    TrainSettings,
    parse_widths,
)

_GO_ON = "run the same command with --resume to go on behind the last epoch"
# Flags that a file of settings cannot hold.
_NO_SETTINGS = {"settings_file", "help"}


def _take_settings(context: typer.Context, value: str | None) -> str | None:
    """Make the settings in a file the defaults of the command's other flags."""
    if value is None or context.resilient_parsing:
        return value
    log.set_up("auto")  # the flag for it is not read yet
    flags = {each.opts[0].removeprefix("--"): each for each in context.command.params if each.name not in _NO_SETTINGS}
    found = read_settings(storage_at(value), value, list(flags))
    for name, text in found.items():
        try:
            flags[name].process_value(context, text)
        except typer.BadParameter as error:
            raise SettingsInvalid(f"{value}: {name} is {text!r:.50}: {error.message}") from error
    context.default_map = {flags[name].name: text for name, text in found.items()}
    return value


def train(
    *,
    settings_file: Annotated[
        str | None,
        option(
            "--settings",
            "A JSON or TOML file of settings, named as these flags are without their dashes in front; a flag or "
            "variable that is given goes before it.",
            metavar="FILE",
            is_eager=True,
            callback=_take_settings,
        ),
    ] = None,
    data: Annotated[
        str,
        option(
            "--data",
            "A folder of IDX files, a CSV or Parquet file, a folder or pattern of them, `mnist` (downloads), `digits` "
            "(scikit-learn's optdigits), or `auto`: $MNIST_DIR, else mnist, else digits.",
            metavar="SRC",
        ),
    ] = "auto",
    model: Annotated[str, option("--model", "The folder to save the model in.", metavar="DIR")] = "model",
    recipe: Annotated[
        RecipeName, option("--recipe", "How to train: `accurate` takes minutes, `baseline` less than one.")
    ] = "accurate",
    arch: Annotated[
        Architecture,
        option(
            "--arch",
            "`dense`: dense layers alone. `cnn`: convolutions, which know that a digit is a picture; more accurate, "
            "slower to train and to score with.",
        ),
    ] = "dense",
    epochs: Annotated[int | None, option("--epochs", "Instead of the recipe's own number.", min=1)] = None,
    batch_size: Annotated[int | None, option("--batch-size", "Instead of the recipe's own.", min=1)] = None,
    learning_rate: Annotated[
        float | None, option("--learning-rate", "The step size, at first, instead of the recipe's own.")
    ] = None,
    optimizer: Annotated[
        Optimizer | None, option("--optimizer", "Instead of the recipe's own; `sgd` has Nesterov momentum of 0.9.")
    ] = None,
    weight_decay: Annotated[float | None, option("--weight-decay", "Of `adamw`, instead of the recipe's own.")] = None,
    hidden: Annotated[
        str | None,
        option(
            "--hidden",
            "Widths of the dense hidden layers; 128,128,128 by default, or none where there are convolutions.",
            metavar="N,N,...",
        ),
    ] = None,
    activation: Annotated[
        Activation | None, option("--activation", "Of the hidden layers; the default is `relu`.")
    ] = None,
    dropout: Annotated[
        float | None,
        option("--dropout", "Share of each hidden layer's outputs left out of a training step; none by default."),
    ] = None,
    early_stopping: Annotated[
        int | None,
        option(
            "--early-stopping",
            "End after so many epochs without a lower loss on the validation images, and keep the best epoch's "
            "weights; never by default.",
            min=1,
        ),
    ] = None,
    class_weights: Annotated[
        ClassWeights | None,
        option("--class-weights", "`balanced`: digits count alike, however many images of each there are; or `none`."),
    ] = None,
    augment: Annotated[
        bool | None,
        option("--augment/--no-augment", "Whether to deform the images at random; the default is the recipe's own."),
    ] = None,
    validation_split: Annotated[
        float, option("--validation-split", "Share of the training images held out to watch the training.")
    ] = 0.1,
    seed: Annotated[
        int, option("--seed", "Fixes splits, initial weights, the order of the images and their deformations.", min=0)
    ] = 1,
    tensorboard: Annotated[
        str | None,
        option(
            "--tensorboard",
            "A folder for TensorBoard's events; each training gets one of its own in it.",
            metavar="DIR",
        ),
    ] = None,
    resume: Annotated[
        bool,
        option(
            "--resume",
            "Go on behind the last epoch of a training into the same folder that was stopped or killed; the model is "
            "the same as if it had not been. Start, if there was none.",
        ),
    ] = False,
    min_accuracy: Annotated[
        float | None,
        option("--min-accuracy", "The least share of the test images to name right, such as 0.99; see exit code 3."),
    ] = None,
    compare_to: Annotated[
        str | None,
        option(
            "--compare-to",
            "A model folder that the new model must not be significantly worse than (McNemar's test, p < 0.05).",
            metavar="DIR",
        ),
    ] = None,
    quantize: Annotated[
        Quantization | None,
        option("--quantize", "Save the network in integers, too: `int8`, as `model.int8.tflite`; not by default."),
    ] = None,
    label_column: LabelColumnFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Train a model and save it as a model folder, replacing the model that is there.

    Example: `digit-job train --data train.csv --model model`
    """
    del settings_file  # its callback is all there is to it
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    read = ReadSettings(label_column, scale=scale, is_transposed=transpose)
    settings = TrainSettings(
        data=data,
        model=model,
        recipe=recipe,
        arch=arch,
        epochs=epochs,
        batch_size=batch_size,
        validation_share=validation_split,
        seed=seed,
        read=read,
        is_augmented=augment,
        learning_rate=learning_rate,
        optimizer=optimizer,
        weight_decay=weight_decay,
        hidden=parse_widths(hidden) if hidden is not None else None,
        activation=activation,
        dropout=dropout,
        early_stopping=early_stopping,
        class_weights=class_weights,
        min_accuracy=min_accuracy,
        compare_to=compare_to,
        quantize=quantize,
        is_resuming=resume,
        tensorboard=tensorboard,
    )
    stop = StopOnSignals(_GO_ON, at_once=True)
    with train_extra(), train_progress(is_quiet=quiet) as progress:
        from job.train.training import train as run

        stop.check()
        result = run(
            settings,
            storage_at(model, tensorboard or model),
            mnist_dir=os.environ.get("MNIST_DIR"),
            on_text=(lambda _text: None) if quiet else echo,
            on_batch=progress,
        )
    if not quiet:
        echo(result.test.text)
        say(f"Model:    {result.path}")
        say(f"Accuracy: {100 * result.test.accuracy:.2f} % of {result.test.rows:,} test images")
    if not result.verdict.is_blessed:
        raise ModelFellShort(f"{result.path}: the model is not blessed: {'; '.join(result.verdict.shortfalls)}")
