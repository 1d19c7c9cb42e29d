"""How a command reads its command line: no argument is lost without a word.

The option parser below Typer keeps the last value of an option that is given twice, and does not say why a pattern
without quotes leaves it with more arguments than it takes. `help_page` prints a command's help.
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from job.cli.help_page import CommandWithHelp

_MOST_NAMED: Final = 3


class JobCommand(CommandWithHelp):
    """A command that refuses options given more often than they count, and says what extra arguments may be.

    The library calls its method, whose types differ between versions of Typer.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments that follow the command. Raises Typer's usage errors."""
        if not ctx.resilient_parsing:
            _, extra, parameters = self.make_parser(ctx).parse_args(args=list(args))
            _refuse_repeated(ctx, parameters)
            _refuse_extra(ctx, extra)
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def _refuse_repeated(context: Any, parameters: Sequence[Any]) -> None:
    """parameters: those of the command line in their order, once for each time they are given."""
    for each, count in Counter(parameters).items():
        is_single = each.param_type_name == "option" and not each.multiple and each.name != "help"
        if is_single and count > 1:
            context.fail(f"{'/'.join([each.opts[0], *each.secondary_opts])} is given {count} times; give it once")


def _refuse_extra(context: Any, extra: Sequence[str]) -> None:
    """extra: the arguments of the command line that no parameter takes."""
    if extra:
        hint = ""
        if all(os.path.lexists(each) for each in extra):
            hint = "; if the shell made these names of a pattern, put it in quotes: 'in/*.csv'"
        names = f"{' '.join(extra[:_MOST_NAMED])}{' ...' * (len(extra) > _MOST_NAMED)}"
        context.fail(f"unexpected argument{'s' * (len(extra) > 1)}: {names}{hint}")
