"""Help pages: options in groups, each a list of two columns that is no wider than its words.

Typer's own pages draw a frame as wide as the terminal around four columns, which wrap the flags themselves. These are
plain text in the format of the option parser below Typer.
"""

import copy
import re
from typing import Any, Final

from typer.core import TyperCommand

from job.cli.flags import variable

# A page with fewer options has them in one group.
_GROUPED_FROM: Final = 10

MAX_WIDTH: Final = 100

_VARIABLES: Final = (
    "Each option can also be set by an environment variable, DIGIT_JOB_ and its name: DIGIT_JOB_LOG_FORMAT for "
    "--log-format."
)
_REPEATED_VARIABLES: Final = " The variable of an option that can be repeated holds one value per line."

_NO_BREAK_SPACE: Final = "\u00a0"


class CommandWithHelp(TyperCommand):
    """A command whose help page has options in the groups that `option` gives them, in the order of its parameters.

    The library calls its methods, whose types differ between versions of Typer.
    """

    def get_help(self, ctx: Any) -> str:
        """The page as text."""
        return str(super().get_help(ctx)).replace(_NO_BREAK_SPACE, " ")

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page to the formatter."""
        self.format_usage(ctx, formatter)
        for paragraph in (self.help or "").split("\n\n"):
            formatter.write_paragraph()
            if "\n  " in paragraph:  # indented lines are commands to paste
                formatter.write(f"{paragraph}\n")
            else:
                formatter.write_text(_plain(paragraph))
        for title, rows in self._groups(ctx).items():
            with formatter.section(title):
                formatter.write_dl(rows)
        formatter.write_paragraph()
        has_repeated = any(getattr(each, "multiple", False) for each in self.params)
        own = "".join(
            f" Here {each.opts[0]} is {each.envvar}."
            for each in self.params
            if each.param_type_name == "option" and each.envvar not in {None, variable(each.opts[0])}
        )
        formatter.write_text(_VARIABLES + _REPEATED_VARIABLES * has_repeated + own)

    def _groups(self, context: Any) -> dict[str, list[tuple[str, str]]]:
        """Rows of names and text, by the title of their group."""
        parameters = self.get_params(context)
        is_grouped = len(parameters) >= _GROUPED_FROM
        groups: dict[str, list[tuple[str, str]]] = {}
        for each in parameters:
            if each.param_type_name == "argument":
                title = "Arguments"
            else:
                title = (getattr(each, "rich_help_panel", None) or "Other") if is_grouped else "Options"
            groups.setdefault(title, []).append(_row(each, context))
        return groups


def _row(parameter: Any, context: Any) -> tuple[str, str]:
    parameter = copy.copy(parameter)
    parameter.show_envvar = False  # the foot of the page has the rule
    names, text = parameter.get_help_record(context)
    # A bracket such as [default: auto] stays on one line.
    text = re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", _NO_BREAK_SPACE), text)
    return re.sub(r" <(str|list\[str\])>$", "", names), _plain(text)


def _plain(text: str) -> str:
    """Text without the backticks that mark code where the same text is Markdown."""
    return text.replace("`", "")
