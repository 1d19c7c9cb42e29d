"""How a flag is made, with its environment variable and its group in the help, and the flags that commands share."""

import logging
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from job import log
from job.errors import UsageError
from job.settings import LabelMap, ModelScale, NormalizeChoice, ScaleChoice
from job.storage import storage_at

_log = logging.getLogger(__name__)

STANDARD_OUTPUT: Final = "/dev/stdout"


class Group(StrEnum):
    """Titles of the groups of options in a help page."""

    MAIN = "Main options"
    INPUT = "Input"
    OUTPUT = "Output"
    MODEL = "Model"
    NETWORK = "Network"
    TRAINING = "Training"
    GATE = "Quality gate"
    SPEED = "Speed"
    TELEMETRY = "Telemetry"


def variable(flag: str, command: str | None = None) -> str:
    """The environment variable of a flag: DIGIT_JOB_MAX_REJECTS for --max-rejects.

    command: the one that alone has the variable, because the flag means something else to others:
    DIGIT_JOB_EXPORT_OUTPUT, as a container's DIGIT_JOB_OUTPUT is the folder for results.
    """
    name = flag.partition("/")[0].removeprefix("--")
    return "_".join(["digit_job", *([command] if command else []), name]).upper().replace("-", "_")


def option(
    flag: str, text: str, *others: str, command: str | None = None, group: Group | None = None, **more: Any
) -> Any:
    """A flag with its environment variable. others: short forms. more: passed on to `typer.Option`."""
    return typer.Option(flag, *others, help=text, envvar=variable(flag, command), rich_help_panel=group, **more)


def log_overwriting(command: str | None = None, *, is_overwriting: bool) -> None:
    """Say in the log that --overwrite comes from the environment, where it is easily forgotten. command: see above."""
    name = variable("--overwrite", command)
    if is_overwriting and name in os.environ:
        _log.info("%s is set in the environment: what is there is replaced", name)


def standard_output(location: str | None) -> str | None:
    """A file to write, as an option's callback: `-` is standard output."""
    return STANDARD_OUTPUT if location == "-" else location


@dataclass(frozen=True)
class LinesOf:
    """The values in a variable, one a line. Typer would split it at spaces, which file names may contain."""

    variable: str

    def __call__(self) -> list[str]:
        return [line for line in os.environ.get(self.variable, "").splitlines() if line]


def repeatable(
    flag: str, text: str, *others: str, metavar: str, group: Group | None = None, command: str | None = None
) -> Any:
    """A flag that can be given several times; its environment variable holds one value per line.

    others, command: as above.
    """
    return typer.Option(
        flag,
        *others,
        help=text,
        metavar=metavar,
        rich_help_panel=group,
        default_factory=LinesOf(variable(flag, command)),
        show_default=False,
    )


DataFlag = Annotated[
    list[str],
    repeatable(
        "--data",
        "A folder of IDX files; a data file of any format, or a folder or pattern of them or of pictures; `mnist` "
        "(downloads), "
        "`digits` (scikit-learn's optdigits), or `auto` (the default): $MNIST_DIR, otherwise mnist, otherwise digits; "
        "repeat it for more.",
        metavar="SRC",
        group=Group.MAIN,
    ),
]
ValidationSplitFlag = Annotated[
    float | None,
    option(
        "--validation-split",
        "Share of the training images held out for validation, if the data has none for that (default: 0.1).",
        group=Group.INPUT,
        metavar="SHARE",
    ),
]
TestSplitFlag = Annotated[
    float | None,
    option(
        "--test-split",
        "Share of all images held out for testing, if the data has none for that (default: 0.2).",
        group=Group.INPUT,
        metavar="SHARE",
    ),
]
LogFormatFlag = Annotated[
    log.LogFormat,
    option(
        "--log-format",
        "Log lines as `text` for people or `json` for machines; `auto`: text on a terminal or in a "
        "notebook, otherwise JSON.",
        group=Group.TELEMETRY,
    ),
]

LabelColumnFlag = Annotated[
    str | None,
    option(
        "--label-column",
        "The label column, if column names do not tell: its name, or its number from 1 if there is no header.",
        group=Group.INPUT,
        metavar="NAME|N",
    ),
]
LabelMapFlag = Annotated[
    str | None,
    option(
        "--label-map",
        'What labels mean that are not digits: a JSON object such as {"ten": 0}, or CSV lines such as ten,0.',
        group=Group.INPUT,
        metavar="FILE",
    ),
]
NoLabelFlag = Annotated[bool, option("--no-label", "Treat no column as the label.", group=Group.INPUT)]
ScaleFlag = Annotated[
    ScaleChoice,
    option(
        "--scale",
        "The highest pixel value: 255, or 1 for fractions; `auto`: taken from the first records.",
        group=Group.INPUT,
    ),
]
ModelScaleFlag = Annotated[
    ModelScale,
    option(
        "--model-scale",
        "What a model from elsewhere takes: pixels of 0-`255`, 0-`1`, `-1..1`, or `standard`: with MNIST's mean and "
        "deviation; `auto`: found out with reference digits.",
        group=Group.MODEL,
    ),
]
AllowUnblessedFlag = Annotated[
    bool, option("--allow-unblessed", "Accept a model that failed its quality gate.", group=Group.MODEL)
]
MaxRejectsFlag = Annotated[
    str,
    option(
        "--max-rejects",
        "Fail if more records are rejected: a count, at once when it is passed, or a percentage of all.",
        group=Group.INPUT,
        metavar="N|P%",
    ),
]
ThreadsFlag = Annotated[
    int | None,
    option(
        "--threads",
        "Worker threads (default: one per available core, fewer in a container with little memory).",
        group=Group.SPEED,
        metavar="N",
        min=1,
    ),
]
TransposeFlag = Annotated[
    bool, option("--transpose", "Transpose images that are stored column by column, as in EMNIST.", group=Group.INPUT)
]
InvertFlag = Annotated[
    bool,
    option(
        "--invert", "Invert images of dark digits on white, as a scanner makes them: 255 minus each pixel.",
        group=Group.INPUT,
    ),
]  # fmt: skip
NormalizeFlag = Annotated[
    NormalizeChoice,
    option(
        "--normalize",
        "Bring digits to MNIST's form, scaled to 20x20 and centred, light on dark, the right way round: `auto`: a file "
        "whose first images show that it needs it; `mnist`: each file; `none`: take pixels as they are.",
        group=Group.INPUT,
    ),
]
QuietFlag = Annotated[
    bool,
    option(
        "--quiet",
        "Print only warnings and errors: no progress, no results on standard output.",
        "-q",
        group=Group.TELEMETRY,
        show_default=False,
    ),
]
VerboseFlag = Annotated[bool, option("--verbose", "Log each step.", "-v", group=Group.TELEMETRY, show_default=False)]


def label_map_in(location: str | None) -> LabelMap | None:
    """The map in the file of `--label-map`; None without the flag. Raises SettingsInvalid."""
    if location is None:
        return None
    from job.read.label_map import read_label_map

    return read_label_map(storage_at(location), location)


def verbosity(*, is_quiet: bool, is_verbose: bool) -> log.Verbosity:
    """The log's verbosity. Raises UsageError if both flags are given."""
    if is_quiet and is_verbose:
        raise UsageError("--quiet and --verbose contradict each other; give one of them")
    return "quiet" if is_quiet else "verbose" if is_verbose else "normal"
