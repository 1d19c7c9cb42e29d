"""Generate the reference of the command line from the commands: `python -m job.cli.reference`, or `make docs`.

Writes `job/cli/README.md` and the table of variables in `docker/README.md`. Flags, defaults and help come from `app`,
exit codes from `job.errors`; a test fails where a committed file differs from what this module generates.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import typer

from job.cli.app import app
from job.cli.flags import LinesOf
from job.errors import DigitJobError, Stopped

_ROOT: Final = Path(__file__).parents[2]
_REFERENCE: Final = "job/cli/README.md"
_DOCKER: Final = "docker/README.md"
_DOCKERFILE: Final = "docker/Dockerfile"
_BEGIN: Final = "<!-- `make docs` writes this table -->\n"
_END: Final = "<!-- end of the table -->\n"
_REQUIRED: Final = "(required)"
_NAMES: Final = {int: "N", float: "X"}

_HEAD: Final = """\
# Command line

`make docs` generates this page from the commands; change the code, not the page.

Run `digit-job COMMAND [FLAGS]` or `python -m job COMMAND [FLAGS]`. `digit-job COMMAND --help` prints the same text,
`digit-job --version` the version. `digit-job --install-completion` makes the shell complete commands, flags and their
values. Results go to standard output, [log lines](../telemetry/README.md#log-events) to standard error.

Each flag is also an environment variable; the tables name it. A flag on the command line takes
precedence over its variable, and both over a file of [`train --settings`](../train/README.md#settings-in-a-file). A
variable of a flag that may be repeated holds one value a line, so that values may contain spaces and commas. A flag
without a value is a switch; its variable takes `1` or `0`.
"""

_TAIL: Final = """\
Report exit code 70 together with the traceback that the log holds. A program that is killed (SIGKILL) ends with 137
in a shell; repeating the command continues from the committed parts.

## Other environment variables

| variable | meaning |
| --- | --- |
| `MNIST_DIR` | The folder of MNIST's IDX files, or other labelled data: what `--data auto` tries first. |
| `DIGITS_DIR` | A folder with QMNIST's `qmnist-test-labels.tsv.gz`: who wrote MNIST's test images. |
| `JOB_COMPLETION_INDEX` | The default of `--shard-index`; Kubernetes sets it in an Indexed Job. |
| `DIGIT_JOB_TERMINATION_LOG` | The file for the [termination message][message]; default `/dev/termination-log`. |
| `DIGIT_JOB_CODE_CACHE` | `off`: keep no compiled code in the cache folder and use none from there, as in the image. |
| `JPY_PARENT_PID` | Jupyter sets it in a notebook: `--log-format auto` is then text. |
| `TMPDIR` | Where commands that need TensorFlow make a private folder for temporary files; default `/tmp`. |
| `XDG_CACHE_HOME` | The parent of the cache folder `digit-job`; default `~/.cache`. |
| `KERAS_HOME` | Where Keras keeps settings and downloads; default `~/.keras` if it exists, or `keras` in that cache. |
| `MPLCONFIGDIR` | Where matplotlib keeps its list of fonts; default `matplotlib` in that cache. |
| `NO_COLOR` | Set to anything: no colours (<https://no-color.org>). |

[message]: ../telemetry/README.md#termination-message
"""


def reference() -> str:
    """The content of `job/cli/README.md`."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group has commands
    summaries = [
        f"| [`digit-job {name}`](#digit-job-{name}) | {_summary(command)} |" for name, command in commands.items()
    ]
    overview = "\n".join(["| command | purpose |", "| --- | --- |", *summaries])
    sections = "\n".join(f"## `digit-job {name}`\n\n{_section(command)}" for name, command in commands.items())
    return f"{_HEAD}\n{overview}\n\n{sections}\n## Exit codes\n\n{_exit_codes()}\n\n{_TAIL}"


def docker_variables(dockerfile: str) -> str:
    """The table of the variables of `digit-job score`, with the defaults that the image sets in its Dockerfile."""
    in_image = dict(re.findall(r"\b(DIGIT_JOB_[A-Z_]+)=(\S+)", dockerfile))
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for option in typer.main.get_command(app).commands["score"].params:  # type: ignore[attr-defined]  # as above
        if option.param_type_name == "option" and option.name != "help":
            default = in_image.get(_variable(option), _default(option))
            one_a_line = " One value a line." * option.multiple
            lines.append(f"| `{_variable(option)}` | {_code(default)} | {_meaning(option)}{one_a_line} |")
    return "\n".join(lines) + "\n"


def documents(root: Path = _ROOT) -> dict[Path, str]:
    """Each generated file of a checkout, and what should be in it."""
    page = root / _DOCKER
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    table = docker_variables((root / _DOCKERFILE).read_text(encoding="utf-8"))
    return {root / _REFERENCE: reference(), page: f"{before}{_BEGIN}\n{table}\n{_END}{after}"}


def _summary(command: Any) -> str:
    return str(command.help).partition("\n")[0]


def _section(command: Any) -> str:
    """A command's help and its tables of arguments and flags, one table for each group of the help."""
    hints = get_type_hints(command.callback, include_extras=True)
    tables: dict[str, list[str]] = {}
    for option in command.params:
        if option.name != "help":
            rows = tables.setdefault(getattr(option, "rich_help_panel", None) or "", [])
            rows.append(_row(option, _value(option, hints.get(option.name))))
    head = "| flag | value | variable | default | meaning |\n| --- | --- | --- | --- | --- |\n"
    parts = [_prose(str(command.help).strip())]
    parts += [f"**{title}**\n\n" * bool(title) + head + "\n".join(rows) for title, rows in tables.items()]
    return "\n\n".join(parts) + "\n"


def _prose(text: str) -> str:
    """A command's help as Markdown: its indented examples become a block of code."""
    text, _, examples = text.partition("\n\nExamples:\n")
    return f"{text}\n\n```sh\n{textwrap.dedent(examples).strip()}\n```" if examples else text


def _row(option: Any, value: str) -> str:
    on_off = "/".join([option.opts[0], *option.secondary_opts])
    flag = ", ".join(f"`{each}`" for each in [on_off, *option.opts[1:]]) + " (required)" * _is_required(option)
    return f"| {flag} | {value} | {_code(_variable(option))} | {_code(_default(option))} | {_meaning(option)} |"


def _value(option: Any, hint: Any) -> str:
    """What follows a flag: its choices or a word for it; nothing for a switch."""
    choices = list(_choices(hint))
    if choices:
        return ", ".join(_code(str(each)) for each in choices)
    if option.metavar:
        return _code(str(option.metavar))
    kinds = [_NAMES[kind] for kind in _NAMES if kind in _leaves(hint)]
    return _code(kinds[0]) if kinds else ""


def _choices(hint: Any) -> Iterator[Any]:
    """The values of a Literal somewhere in an annotation."""
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        for part in get_args(hint):
            yield from _choices(part)


def _leaves(hint: Any) -> set[Any]:
    """The plain types in an annotation."""
    return {hint} if isinstance(hint, type) else {leaf for part in get_args(hint) for leaf in _leaves(part)}


def _variable(option: Any) -> str:
    if option.param_type_name == "argument" and not option.envvar:
        return ""
    return option.default.variable if isinstance(option.default, LinesOf) else str(option.envvar)


def _is_required(option: Any) -> bool:
    # A flag that may be repeated takes its values from the environment itself, and its help says that it must be given.
    return bool(option.required) or _REQUIRED in str(option.help)


def _default(option: Any) -> str:
    is_shown = option.default not in {None, False} and not callable(option.default)
    return str(option.default) if is_shown else ""


def _meaning(option: Any) -> str:
    """The flag's help on one line of a table, without what other columns tell."""
    text = (
        re.sub(r" *\[env var: [^\]]*\]", "", " ".join(str(option.help).split())).replace(f" {_REQUIRED}", "").rstrip()
    )
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return "`{}`".format(text.replace("|", "\\|")) if text else ""


def _exit_codes() -> str:
    lines = ["| code | error | meaning | does a retry help? |", "| --- | --- | --- | --- |"]
    lines.append("| 0 |  | The command did its work, or found it done. |  |")
    for error in sorted(_errors(DigitJobError), key=lambda each: each.exit_code):
        meaning = " ".join(str(error.__doc__).partition("\n\n")[0].split()).replace("|", "\\|")
        lines.append(f"| {error.exit_code} | `{error.__name__}` | {meaning} | {'yes' if error.can_retry else 'no'} |")
    return "\n".join(lines)


def _errors(base: type[DigitJobError]) -> Iterator[type[DigitJobError]]:
    """All errors that are raised as themselves, in the order of the tree."""
    if base not in {DigitJobError, Stopped}:
        yield base
    for each in base.__subclasses__():
        yield from _errors(each)


if __name__ == "__main__":
    for path, content in documents().items():
        path.write_text(content, encoding="utf-8")
