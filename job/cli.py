"""Commands and flags; the only module that prints a result, reads the environment, or exits.

Every flag has an environment variable, DIGIT_JOB_<FLAG>. Results go to standard output, logs to standard error.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from job import __version__, logs
from job.cores import available_cores
from job.errors import (
    OUT_OF_MEMORY,
    DigitJobError,
    Interrupted,
    ModelFellShort,
    ResourceExhausted,
    SettingsInvalid,
    Stopped,
    Terminated,
    UsageError,
)
from job.settings import (
    DEFAULT_PART_BYTES,
    Activation,
    Architecture,
    ClassWeights,
    ExportFormat,
    ExportSettings,
    Optimizer,
    OutputFormat,
    Quantization,
    ReadSettings,
    Recipe,
    RejectLimit,
    Scale,
    ScoreSettings,
    SearchMethod,
    TrainSettings,
    TuneSettings,
    parse_widths,
)
from job.settings_file import read_settings
from job.storage import storage_at, translated_errors

if TYPE_CHECKING:
    from job.score.inspect import Inspection
    from job.score.run import RunResult

_log = logging.getLogger("job")

_MOST_DRAWN = 5
# How C++ libraries and the system's loader word that there is no memory to load them into.
_NO_MEMORY = ("bad_alloc", "failed to map segment", "annot allocate memory")

_GO_ON = "what is committed stays, run the same command again to go on"
_GO_ON_TRAINING = "run the same command with --resume to go on behind the last epoch"
# Flags that a file of settings cannot hold.
_NO_SETTINGS = {"settings_file", "help"}

app = typer.Typer(
    name="digit-job",
    help="Train a small digit classifier, and score files of pixels with it.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _variable(flag: str) -> str:
    return "DIGIT_JOB_" + flag.partition("/")[0].removeprefix("--").upper().replace("-", "_")


def _option(flag: str, text: str, *others: str, **more: Any) -> Any:
    """A flag with its environment variable."""
    return typer.Option(flag, *others, help=text, envvar=_variable(flag), **more)


def _several(flag: str, text: str, metavar: str) -> Any:
    """A flag that may be given several times; its environment variable holds one value a line."""
    variable = _variable(flag)
    return typer.Option(
        flag,
        help=f"{text}; may be given several times. [env var: {variable}, one a line]",
        metavar=metavar,
        # The library would split the variable at spaces, and names may hold some.
        default_factory=lambda: [line for line in os.environ.get(variable, "").splitlines() if line],
        show_default=False,
    )


LogFormatFlag = Annotated[
    logs.LogFormat,
    _option("--log-format", "Log lines for people (`text`) or machines (`json`); `auto`: text on a terminal."),
]

LabelColumnFlag = Annotated[
    str | None,
    _option(
        "--label-column",
        "Which column is the label, where the names leave it open; its number from 1, where there is no header.",
        metavar="NAME|N",
    ),
]
NoLabelFlag = Annotated[bool, _option("--no-label", "Take no column as the label.")]
ScaleFlag = Annotated[
    Scale, _option("--scale", "Value of full ink: 255, or 1 for fractions; `auto`: as the first records show.")
]
TransposeFlag = Annotated[bool, _option("--transpose", "Images are stored column by column, as in EMNIST; turn them.")]


def _take_settings(context: typer.Context, value: str | None) -> str | None:
    """Make the settings in a file the defaults of the command's other flags."""
    if value is None or context.resilient_parsing:
        return value
    logs.set_up("auto")  # the flag for it is not read yet
    flags = {each.opts[0].removeprefix("--"): each for each in context.command.params if each.name not in _NO_SETTINGS}
    found = read_settings(storage_at(value), value, list(flags))
    for name, text in found.items():
        try:
            flags[name].process_value(context, text)
        except typer.BadParameter as error:
            raise SettingsInvalid(f"{value}: {name} is {text!r:.50}: {error.message}") from error
    context.default_map = {flags[name].name: text for name, text in found.items()}
    return value


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # the library calls it so
    if is_asked:
        _say(f"digit-job {__version__}")
        raise typer.Exit


@app.callback()
def _digit_job(
    *,
    version: Annotated[  # its callback is all there is to it
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


@app.command()
def score(
    inputs: Annotated[
        list[str],
        _several("--input", "A CSV, Parquet or IDX file, a folder, or a pattern such as 'in/*.csv'", "SRC"),
    ],
    keep: Annotated[
        list[str], _several("--keep", "A column to carry through to the predictions, such as an id", "NAME")
    ],
    output: Annotated[str, _option("--output", "The folder for the results.", metavar="DIR")],
    model: Annotated[
        str, _option("--model", "A model folder; or a plain `.keras` file, which needs the train extra.", metavar="DIR")
    ] = "model",
    format_: Annotated[
        OutputFormat, _option("--format", "Format of the predictions; `auto`: Parquet for Parquet, CSV for the rest.")
    ] = "auto",
    label_column: LabelColumnFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    probabilities: Annotated[bool, _option("--probabilities", "Add a column per digit: p0 to p9.")] = False,
    allow_unblessed: Annotated[
        bool, _option("--allow-unblessed", "Score also with a model that fell short of what was asked in training.")
    ] = False,
    max_rejects: Annotated[
        str, _option("--max-rejects", "Fail if more records are rejected: a number, or a share of all.", metavar="N|P%")
    ] = "1%",
    threads: Annotated[
        int | None,
        _option(
            "--threads",
            "Worker threads; the default is one per core that process and container may use.",
            min=1,
        ),
    ] = None,
    part_bytes: Annotated[
        int, _option("--part-bytes", "Size of the parts that are scored, committed and resumed on their own.", min=4096)
    ] = DEFAULT_PART_BYTES,
    overwrite: Annotated[
        bool, _option("--overwrite", "Replace whatever other run's results are in the output folder.")
    ] = False,  # a flag
    log_format: LogFormatFlag = "auto",
) -> None:
    """Score files of digits: predictions, rejected records, and a report.

    Scoring again what is already scored does nothing; scoring on what was interrupted resumes it.

    Example: `digit-job score --input digits.csv --output results --model model`
    """
    logs.set_up(log_format)
    stop = _StopOnSignals(at_once=True)
    from job.score.run import run  # noqa: PLC0415  # only this command needs it

    if not inputs:
        raise UsageError("there is nothing to score: name a file, a folder or a pattern with --input")
    with ExitStack() as stack:
        settings = ScoreSettings(
            inputs=tuple(inputs),
            output=output,
            model=stack.enter_context(_model_folder(model)),
            format=format_,
            read=ReadSettings(label_column, no_label, scale, transpose, tuple(keep)),
            has_probabilities=probabilities,
            max_rejects=RejectLimit.parse(max_rejects),
            threads=threads or available_cores(),
            part_bytes=part_bytes,
            is_overwriting=overwrite,
            allows_unblessed=allow_unblessed,
        )
        progress = stack.enter_context(logs.score_progress())
        stop.wait_for_check()
        result = run(settings, storage_at(*inputs, output, model), progress, stop.check)
    _print_score(result)


@app.command()
def inspect(
    source: Annotated[
        str,
        typer.Argument(
            help="A CSV, Parquet or IDX file, a folder, or a pattern such as 'in/*.csv'.",
            envvar="DIGIT_JOB_SOURCE",
            metavar="SRC",
        ),
    ],
    label_column: LabelColumnFlag = None,
    no_label: NoLabelFlag = False,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Say what the reader makes of an input: its layout, labels, size, oddities, and its first digits.

    Reads the head of each file only. Ends with the command that scores it.

    Example: `digit-job inspect digits.csv`
    """
    logs.set_up(log_format)
    from job.score.inspect import command_for  # noqa: PLC0415  # only this command needs it
    from job.score.inspect import inspect as look_at  # noqa: PLC0415  # the same

    settings = ReadSettings(label_column, no_label, scale, transpose)
    for each in look_at(storage_at(source), source, settings):
        _print_inspection(each)
    _say("To score it:")
    _say(f"  {command_for(source, settings)}")


@app.command()
def train(
    *,
    settings_file: Annotated[
        str | None,
        _option(
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
        _option(
            "--data",
            "A folder of IDX files, a CSV or Parquet file, a folder or pattern of them, `mnist` (downloads), `digits` "
            "(scikit-learn's optdigits), or `auto`: $MNIST_DIR, else mnist, else digits.",
            metavar="SRC",
        ),
    ] = "auto",
    model: Annotated[str, _option("--model", "The folder to save the model in.", metavar="DIR")] = "model",
    recipe: Annotated[
        Recipe, _option("--recipe", "How to train: `accurate` takes minutes, `baseline` less than one.")
    ] = "accurate",
    arch: Annotated[
        Architecture,
        _option(
            "--arch",
            "`dense`: dense layers alone. `cnn`: convolutions, which know that a digit is a picture; more accurate, "
            "slower to train and to score with.",
        ),
    ] = "dense",
    epochs: Annotated[int | None, _option("--epochs", "Instead of the recipe's own number.", min=1)] = None,
    batch_size: Annotated[int | None, _option("--batch-size", "Instead of the recipe's own.", min=1)] = None,
    learning_rate: Annotated[
        float | None, _option("--learning-rate", "The step size, at first, instead of the recipe's own.")
    ] = None,
    optimizer: Annotated[
        Optimizer | None, _option("--optimizer", "Instead of the recipe's own; `sgd` has Nesterov momentum of 0.9.")
    ] = None,
    weight_decay: Annotated[float | None, _option("--weight-decay", "Of `adamw`, instead of the recipe's own.")] = None,
    hidden: Annotated[
        str | None,
        _option(
            "--hidden",
            "Widths of the dense hidden layers; 128,128,128 by default, or none where there are convolutions.",
            metavar="N,N,...",
        ),
    ] = None,
    activation: Annotated[
        Activation | None, _option("--activation", "Of the hidden layers; the default is `relu`.")
    ] = None,
    dropout: Annotated[
        float | None,
        _option("--dropout", "Share of each hidden layer's outputs left out of a training step; none by default."),
    ] = None,
    early_stopping: Annotated[
        int | None,
        _option(
            "--early-stopping",
            "End after so many epochs without a lower loss on the validation images, and keep the best epoch's "
            "weights; never by default.",
            min=1,
        ),
    ] = None,
    class_weights: Annotated[
        ClassWeights | None,
        _option("--class-weights", "`balanced`: digits count alike, however many images of each there are; or `none`."),
    ] = None,
    augment: Annotated[
        bool | None,
        _option("--augment/--no-augment", "Whether to deform the images at random; the default is the recipe's own."),
    ] = None,
    validation_split: Annotated[
        float, _option("--validation-split", "Share of the training images held out to watch the training.")
    ] = 0.1,
    seed: Annotated[
        int, _option("--seed", "Fixes splits, initial weights, the order of the images and their deformations.", min=0)
    ] = 1,
    tensorboard: Annotated[
        str | None,
        _option(
            "--tensorboard",
            "A folder for TensorBoard's events; each training gets one of its own in it.",
            metavar="DIR",
        ),
    ] = None,
    resume: Annotated[
        bool,
        _option(
            "--resume",
            "Go on behind the last epoch of a training into the same folder that was stopped or killed; the model is "
            "the same as if it had not been. Start, if there was none.",
        ),
    ] = False,
    min_accuracy: Annotated[
        float | None,
        _option("--min-accuracy", "The least share of the test images to name right, such as 0.99; see exit code 3."),
    ] = None,
    compare_to: Annotated[
        str | None,
        _option(
            "--compare-to",
            "A model folder that the new model must not be significantly worse than (McNemar's test, p < 0.05).",
            metavar="DIR",
        ),
    ] = None,
    quantize: Annotated[
        Quantization | None,
        _option("--quantize", "Save the network in integers, too: `int8`, as `model.int8.tflite`; not by default."),
    ] = None,
    label_column: LabelColumnFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Train a model and save it as a model folder, replacing the model that is there.

    Example: `digit-job train --data train.csv --model model`
    """
    del settings_file  # its callback is all there is to it
    logs.set_up(log_format)
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
    stop = _StopOnSignals(_GO_ON_TRAINING, at_once=True)
    with _train_extra(), logs.train_progress() as progress:
        from job.train.run import train as run  # noqa: PLC0415  # only this command needs it

        stop.check()
        result = run(
            settings,
            storage_at(model, tensorboard or model),
            mnist_dir=os.environ.get("MNIST_DIR"),
            on_text=_print,
            on_batch=progress,
        )
    _print(result.test.text)
    _say(f"Model:    {result.path}")
    _say(f"Accuracy: {100 * result.test.accuracy:.2f} % of {result.test.rows:,} test images")
    if not result.verdict.is_blessed:
        raise ModelFellShort(f"{result.path}: the model is not blessed: {'; '.join(result.verdict.shortfalls)}")


@app.command()
def tune(
    data: Annotated[
        str,
        _option(
            "--data",
            "As for `train`. Test images decide nothing; where they are a file, it is not opened.",
            metavar="SRC",
        ),
    ] = "auto",
    output: Annotated[
        str, _option("--output", "The folder for what is found; the same command goes on in it.", metavar="DIR")
    ] = "search",
    trials: Annotated[int, _option("--trials", "How many settings to try, beside the recipe's own.", min=1)] = 20,
    search: Annotated[
        SearchMethod,
        _option(
            "--search",
            "Where to look next: at random; where earlier trials promise most (`bayesian`); or at random and for a few "
            "epochs first, the better ones for longer (`hyperband`).",
        ),
    ] = "hyperband",
    epochs: Annotated[int, _option("--epochs", "How long to train with each, at most.", min=1)] = 10,
    recipe: Annotated[Recipe, _option("--recipe", "What decides all that is not searched for.")] = "accurate",
    validation_split: Annotated[
        float, _option("--validation-split", "Share of the training images held out to judge by.")
    ] = 0.1,
    seed: Annotated[int, _option("--seed", "Fixes what is tried, and all that `train` fixes by it.", min=0)] = 1,
    label_column: LabelColumnFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Search for better settings: depth, width, dropout, learning rate and batch size.

    Ends with a table, a comparison with the recipe's own settings, and a file for `train --settings`.

    Example: `digit-job tune --data train.csv --trials 30 --output search`
    """
    logs.set_up(log_format)
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
    stop = _StopOnSignals("finished trials are kept, run the same command again to go on", at_once=True)
    with _train_extra(), logs.train_progress() as progress:
        from job.train.tune import tune as run  # noqa: PLC0415  # only this command needs it

        stop.check()
        result = run(settings, storage_at(output), mnist_dir=os.environ.get("MNIST_DIR"), on_progress=progress)
    _print(result.table)
    for line in result.conclusion:
        _say(line)


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(help="A model folder, or a plain `.keras` file.", envvar="DIGIT_JOB_MODEL", metavar="MODEL"),
    ],
    to: Annotated[ExportFormat, _option("--to", "The format: for LiteRT, for ONNX Runtime, or TensorFlow's own.")],
    output: Annotated[
        str | None,
        _option("--output", "Where to write; by default beside the model, named after it.", metavar="PATH"),
    ] = None,
    quantize: Annotated[
        Quantization | None, _option("--quantize", "Of `tflite`: write the network in integers instead of floats.")
    ] = None,
    data: Annotated[
        str | None,
        _option(
            "--data",
            "Labelled images, as for `train`, to measure the network's values on and to compare on; by default the "
            "model's own for `--quantize`, else the card's golden rows.",
            metavar="SRC",
        ),
    ] = None,
    allow_unblessed: Annotated[
        bool, _option("--allow-unblessed", "Export also a model that fell short of what was asked in training.")
    ] = False,
    overwrite: Annotated[bool, _option("--overwrite", "Replace a file or SavedModel that is there already.")] = False,
    label_column: LabelColumnFlag = None,
    scale: ScaleFlag = "auto",
    transpose: TransposeFlag = False,
    log_format: LogFormatFlag = "auto",
) -> None:
    """Write a saved model in the format of another runtime, and prove that it says the same.

    Example: `digit-job export model --to tflite --output digits.tflite`
    """
    logs.set_up(log_format)
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
    stop = _StopOnSignals(at_once=True)
    with _train_extra():
        from job.train.export import export as run  # noqa: PLC0415  # only this command needs it

        stop.check()
        locations = [each for each in (model, output, data) if each is not None]
        result = run(storage_at(*locations), settings, mnist_dir=os.environ.get("MNIST_DIR"))
    _say(f"Exported: {result.path} ({result.size_bytes:,} bytes)")
    parity = result.parity
    _say(
        f"Compared: the same digit on {parity.same_digits:,} of {result.samples.where}, probabilities off by at most "
        f"{parity.max_difference:.2g}"
    )


@app.command()
def sample(
    output: Annotated[str, _option("--output", "The folder for the sample files.", metavar="DIR")],
    model: Annotated[str, _option("--model", "The model folder whose data set to sample.", metavar="DIR")] = "model",
    log_format: LogFormatFlag = "auto",
) -> None:
    """Write the test split of a model's own data set as test.csv and test.parquet, to try `score` with.

    Example: `digit-job sample --model model --output sample`
    """
    logs.set_up(log_format)
    with _train_extra():
        from job.train.sample import write_sample  # noqa: PLC0415  # only this command needs it

        paths = write_sample(storage_at(output, model), model, output, mnist_dir=os.environ.get("MNIST_DIR"))
    for path in paths:
        _say(path)


def main() -> None:
    """Run the command line and exit with the code that errors.py gives."""
    _open_standard_streams()
    try:
        app()
    except DigitJobError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)
    except _StoppedAtOnce as stop:
        _log.error("%s", stop.error)
        sys.exit(stop.error.exit_code)
    except Exception as error:  # noqa: BLE001  # whatever was not foreseen is a defect, and told with its traceback
        if _ran_out_of_memory(error):
            _log.error(OUT_OF_MEMORY)  # where memory ran out says nothing of why
            sys.exit(ResourceExhausted.exit_code)
        _log.exception("this is a defect in digit-job, please report it")
        sys.exit(DigitJobError.exit_code)
    finally:
        _drop_what_cannot_be_written()


def _open_standard_streams() -> None:
    """Have all three, and able to write any text: paths may hold bytes that are no UTF-8."""
    for name in ("stdin", "stdout", "stderr"):
        # In this order each takes the number of the one that was closed, so that no file of results can.
        setattr(sys, name, getattr(sys, name) or open(os.devnull, "r+"))  # noqa: SIM115  # as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_what_cannot_be_written() -> None:
    """Empty the streams' buffers: Python would do it at its very end, and fail with an exit code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(text: str) -> None:
    """Print a line of a result."""
    _print(logs.visible(text))


def _print(text: str) -> None:
    """Print lines as they are. Raises StorageError or ResourceExhausted where they cannot be written."""
    with translated_errors("standard output"):
        typer.echo(text)


def _ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that led to it, is that of too little memory, also to load a library into."""
    is_so = isinstance(error, MemoryError) or (
        isinstance(error, (ImportError, OSError)) and any(words in str(error) for words in _NO_MEMORY)
    )
    before = error.__cause__ or error.__context__
    return is_so or (before is not None and _ran_out_of_memory(before))


class _StoppedAtOnce(BaseException):
    """A Stopped that a signal raises wherever the process is, and so in the midst of code that catches any Exception.

    Logging does, and would go on as if nothing had happened. KeyboardInterrupt is none, either.
    """

    def __init__(self, error: Stopped) -> None:
        super().__init__(str(error))
        self.error = error


class _StopOnSignals:
    """SIGINT and SIGTERM end the command in good order; a second one ends it at once."""

    def __init__(self, advice: str = _GO_ON, *, at_once: bool = False) -> None:
        """advice: how to go on. at_once: raise in the main thread as the signal comes, not at the next `check`."""
        self._error: Stopped | None = None
        self._advice = advice
        self._at_once = at_once
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def check(self) -> None:
        """Raises Interrupted or Terminated after such a signal."""
        if self._error:
            raise self._error

    def wait_for_check(self) -> None:
        """From now on, and for a signal that came already, raise at a `check` only."""
        self._at_once = False
        self.check()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._error = (
            Interrupted(f"interrupted; {self._advice}")
            if number == signal.SIGINT
            else Terminated(f"terminated; {self._advice}")
        )
        if self._at_once:
            raise _StoppedAtOnce(self._error)


@contextmanager
def _model_folder(model: str) -> Iterator[str]:
    """The model as a model folder; a plain Keras file is converted into a temporary one."""
    if not model.endswith(".keras"):
        yield model
        return
    with TemporaryDirectory(prefix="digit-job-") as folder, _train_extra():
        from job.train.convert import convert  # noqa: PLC0415  # only a plain Keras file needs it

        convert(storage_at(model), model, folder)
        yield folder


@contextmanager
def _train_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"this needs the train extra ({error.name} is not installed): pip install 'digit-job[train]'"
        raise UsageError(message) from error


def _print_inspection(inspection: "Inspection") -> None:
    from rich.console import Console  # noqa: PLC0415  # only this command needs it
    from rich.text import Text  # noqa: PLC0415  # the same

    from job.report.drawing import WIDTH, drawn  # noqa: PLC0415  # the same
    from job.score.inspect import in_words  # noqa: PLC0415  # the same

    console = Console()
    is_unicode = console.encoding.lower().startswith("utf")
    count = min(len(inspection.head.pixels), max(1, (console.width - 2) // (WIDTH + 2)), _MOST_DRAWN)
    labels = inspection.head.labels
    pictures = drawn(inspection.head.pixels[:count], None if labels is None else labels[:count], is_unicode=is_unicode)
    warnings = [(f"  warning: {each}", "yellow") for each in inspection.warnings]
    lines = [(inspection.path, "bold"), *((line, "") for line in in_words(inspection)), *warnings]
    with console.capture() as shown:
        for text, style in [*lines, ("", ""), *((f"  {line}".rstrip(), "") for line in pictures)]:
            console.print(Text(logs.visible(text), style), soft_wrap=True)
    _print(shown.get())


def _print_score(result: "RunResult") -> None:
    report = result.report
    rows = report["rows"]
    files = f"{len(report['inputs'])} file{'s' * (len(report['inputs']) != 1)}"
    counts = f"{rows['scored']:,} of {rows['read']:,} records in {files}, {rows['rejected']:,} rejected"
    if result.was_done:
        _say(f"Already scored: {counts}; nothing to do.")
    else:
        _say(f"Scored {counts}, in {result.seconds:.1f} s ({result.rows / result.seconds:,.0f} records/s).")
    if report["accuracy"] is not None:
        low, high = report["accuracy_95"]
        _say(
            f"Accuracy: {100 * report['accuracy']:.2f} % of {report['labelled']:,} labelled records "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)."
        )
    if report["model"]["warning"]:
        _say(f"Mind the model: {report['model']['warning']}")
    # Output of an earlier version may be without them.
    for each in report.get("warnings", []):
        _say(f"Mind the input: {each['path']}: {each['message']}")
    _say(f"Predictions: {result.output}/predictions")
    _say(f"Report:      {result.output}/report.html")
