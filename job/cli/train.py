"""`digit-job train`."""

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
    log_overwriting,
    option,
    repeatable,
    variable,
    verbosity,
)
from job.cli.following import followed
from job.cli.settings_file import read_settings
from job.cli.terminal import StopOnSignals, echo, say
from job.errors import SettingsInvalid
from job.settings import ReadSettings
from job.storage import storage_at
from job.train.train_settings import (
    Activation,
    Architecture,
    ClassWeights,
    DataSettings,
    Optimizer,
    Quantization,
    RecipeName,
    TrainSettings,
    parse_widths,
)

_RESUME = "run the same command with --resume to continue after the last epoch"
# Parameters that a settings file cannot set.
_NO_SETTINGS = {"settings_file", "help"}


def _take_settings(context: typer.Context, value: str | None) -> str | None:
    """Make the values of a settings file the defaults of the command's other flags."""
    if value is None or context.resilient_parsing:
        return value
    flags = {each.opts[0].removeprefix("--"): each for each in context.command.params if each.name not in _NO_SETTINGS}
    repeated = {name for name, flag in flags.items() if flag.multiple}
    found = read_settings(storage_at(value), value, list(flags), repeated)
    for name, text in found.items():
        try:
            flags[name].process_value(context, text)
        except typer.BadParameter as error:
            raise SettingsInvalid(f"{value}: {name} is {text!r:.50}: {error.message}") from error
    # The library reads the variables of other flags itself, and takes them before these defaults.
    in_environment = {name for name in repeated if os.environ.get(variable(f"--{name}"))}
    context.default_map = {flags[name].name: text for name, text in found.items() if name not in in_environment}
    return value


def train(
    context: typer.Context,
    *,
    data: DataFlag,
    test_data: Annotated[
        list[str],
        repeatable(
            "--test-data",
            "Labelled images to test with, likewise, instead of those that come with the data or are held out of it.",
            metavar="SRC",
            group=Group.MAIN,
        ),
    ],
    add: Annotated[
        list[str],
        repeatable(
            "--add",
            "Images that people have labelled, to train on beside the data's own: a corrected `review.csv`, a folder "
            "of pictures sorted by digit, an export of Label Studio (.json), any labelled file; repeat it for more.",
            metavar="SRC",
            group=Group.MAIN,
        ),
    ],
    model: Annotated[
        str, option("--model", "The folder to save the model in.", "-m", group=Group.MAIN, metavar="DIR")
    ] = "model",
    recipe: Annotated[
        RecipeName,
        option("--recipe", "`accurate` trains for minutes, `baseline` for less than one.", group=Group.MAIN),
    ] = "accurate",
    settings_file: Annotated[
        str | None,
        option(
            "--settings",
            "A JSON or TOML file whose keys are these options without their dashes; options and environment variables "
            "take precedence.",
            group=Group.MAIN,
            metavar="FILE",
            is_eager=True,
            callback=_take_settings,
        ),
    ] = None,
    resume: Annotated[
        bool,
        option(
            "--resume",
            "Continue an interrupted training into the same folder after its last epoch, with the same result; start "
            "one if there is none.",
            group=Group.MAIN,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        option(
            "--overwrite",
            "Also replace a model of other data or of another recipe.",
            command="train",
            group=Group.MAIN,
        ),
    ] = False,
    label_column: LabelColumnFlag = None,
    label_map: LabelMapFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    invert: InvertFlag = False,
    normalize: NormalizeFlag = "auto",
    test_split: TestSplitFlag = None,
    validation_split: ValidationSplitFlag = None,
    add_weight: Annotated[
        int | None,
        option(
            "--add-weight",
            "How often each image of --add is trained on in an epoch (default: 10).",
            group=Group.INPUT,
            metavar="N",
            min=1,
        ),
    ] = None,
    arch: Annotated[
        Architecture,
        option(
            "--arch",
            "`dense`: fully connected layers; `cnn`: convolutions, more accurate and slower.",
            group=Group.NETWORK,
        ),
    ] = "dense",
    hidden: Annotated[
        str | None,
        option(
            "--hidden",
            "Widths of the dense hidden layers (default: 128,128,128, or none for `cnn`).",
            group=Group.NETWORK,
            metavar="N,N,...",
        ),
    ] = None,
    activation: Annotated[
        Activation | None,
        option("--activation", "Activation of the hidden layers (default: `relu`).", group=Group.NETWORK),
    ] = None,
    dropout: Annotated[
        float | None,
        option("--dropout", "Dropout rate after each hidden layer (default: 0).", group=Group.NETWORK, metavar="RATE"),
    ] = None,
    epochs: Annotated[
        int | None,
        option("--epochs", "Number of epochs (default: the recipe's).", group=Group.TRAINING, metavar="N", min=1),
    ] = None,
    batch_size: Annotated[
        int | None,
        option(
            "--batch-size",
            "Images per training step (default: the recipe's).",
            group=Group.TRAINING,
            metavar="N",
            min=1,
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer | None,
        option(
            "--optimizer",
            "The optimizer (default: the recipe's); `sgd` has Nesterov momentum of 0.9.",
            group=Group.TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        option(
            "--learning-rate",
            "Initial learning rate (default: the recipe's).",
            group=Group.TRAINING,
            metavar="RATE",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        option(
            "--weight-decay",
            "Weight decay for `adamw` (default: the recipe's).",
            group=Group.TRAINING,
            metavar="RATE",
        ),
    ] = None,
    early_stopping: Annotated[
        int | None,
        option(
            "--early-stopping",
            "Stop after N epochs without a lower validation loss, and keep the best epoch's weights (default: never).",
            group=Group.TRAINING,
            metavar="N",
            min=1,
        ),
    ] = None,
    class_weights: Annotated[
        ClassWeights | None,
        option(
            "--class-weights",
            "`balanced`: all digits have the same weight, however many images each has (default: `none`).",
            group=Group.TRAINING,
        ),
    ] = None,
    augment: Annotated[
        bool | None,
        option("--augment/--no-augment", "Deform the images at random (default: the recipe's).", group=Group.TRAINING),
    ] = None,
    seed: Annotated[
        int,
        option(
            "--seed",
            "Random seed of splits, initial weights, image order and deformations.",
            group=Group.TRAINING,
            metavar="N",
            min=0,
        ),
    ] = 1,
    min_accuracy: Annotated[
        float | None,
        option(
            "--min-accuracy",
            "Exit with 3 unless at least this share of the test images, such as 0.99, is classified correctly.",
            command="train",
            group=Group.GATE,
            metavar="SHARE",
        ),
    ] = None,
    compare_to: Annotated[
        str | None,
        option(
            "--compare-to",
            "Exit with 3 if the new model is significantly less accurate than the one in this folder (McNemar's test, "
            "p < 0.05).",
            group=Group.GATE,
            metavar="DIR",
        ),
    ] = None,
    quantize: Annotated[
        Quantization | None,
        option(
            "--quantize",
            "Also save the network with integer weights and activations, as `model.int8.tflite`.",
            group=Group.OUTPUT,
        ),
    ] = None,
    tensorboard: Annotated[
        str | None,
        option(
            "--tensorboard",
            "Write TensorBoard events to a new folder in this one.",
            group=Group.OUTPUT,
            metavar="DIR",
        ),
    ] = None,
    log_format: LogFormatFlag = "auto",
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Train a model and save it as a model folder.

    A model that is already there is replaced once the new one is complete and has passed its quality gate.

    Examples:
      digit-job train --data mnist --model model
      digit-job train --data train.csv --recipe baseline --min-accuracy 0.97
      digit-job train --data mnist_train.csv --test-data mnist_test.csv
      digit-job train --data mnist --add results/review/review.csv

    """
    del settings_file  # its callback does all the work
    log.set_up(log_format, verbosity(is_quiet=quiet, is_verbose=verbose))
    log_overwriting("train", is_overwriting=overwrite)
    read = ReadSettings(
        label_column,
        scale=scale,
        is_transposed=transpose,
        label_map=label_map_in(label_map),
        is_inverted=invert,
        normalize=normalize,
    )
    settings = TrainSettings(
        data=DataSettings(
            tuple(data) or ("auto",), read, tuple(test_data), test_split, validation_split, tuple(add), add_weight
        ),
        model=model,
        recipe=recipe,
        arch=arch,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
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
        is_overwriting=overwrite,
        tensorboard=tensorboard,
        digits_dir=os.environ.get("DIGITS_DIR"),
    )
    stop = StopOnSignals(_RESUME, at_once=True)
    with followed(context.obj, "train", log_format, is_quiet=quiet) as phases:
        from job.train.training import train as run

        stop.check()
        result = run(
            settings,
            storage_at(model, tensorboard or model),
            mnist_dir=os.environ.get("MNIST_DIR"),
            on_text=(lambda _text: None) if quiet else echo,
            phases=phases,
        )
    context.obj.update(result.summary())
    if not quiet:
        echo(result.test.text)
        say(f"Model:    {result.path}")
        say(f"Accuracy: {100 * result.test.accuracy:.2f} % of {result.test.rows:,} test images")
    result.check_blessed()
