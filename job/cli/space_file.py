"""The search space of `tune`, from a file (`--space`) and from flags (`--vary`).

`settings_file` reads the file, as that of `train --settings`; `job.train.tune.space_syntax` knows the values.
"""

from collections.abc import Sequence
from typing import Any

from job.cli.settings_file import read_values
from job.errors import SettingsInvalid, UsageError
from job.storage import storage_at
from job.train.train_settings import SearchSpace


def space_in(location: str | None, varied: Sequence[str]) -> SearchSpace | None:
    """The space in a file, with the settings that `varied` lists instead: `batch-size=32,64`; None if there is neither.

    Raises SettingsInvalid for what the file has wrong, UsageError for `varied`.
    """
    from job.train.tune.space_syntax import NAMES, parse_space

    space: dict[str, Any] = {}
    if location is not None:
        content = read_values(storage_at(location), location, NAMES)
        try:
            space |= parse_space(content)
        except ValueError as error:
            raise SettingsInvalid(f"{storage_at(location).resolve(location)}: {error}") from error
    if varied:
        space |= _varied(varied)
    return space or None


def _varied(varied: Sequence[str]) -> SearchSpace:
    from job.train.tune.space_syntax import parse_space

    choices: dict[str, list[str]] = {}
    for each in varied:
        name, separator, values = each.partition("=")
        if not separator or not values:
            raise UsageError(f"--vary {each}: expected a flag of train and its choices, such as batch-size=32,64")
        if name in choices:
            raise UsageError(f"--vary {name} is given twice; list all of its choices in one")
        choices[name] = values.split(",")
    try:
        return parse_space(choices)
    except ValueError as error:
        hint = (
            "; widths of one network are joined by dashes: hidden=128-128,256"
            if str(error).startswith("hidden")
            else ""
        )
        raise UsageError(f"--vary: {error}{hint}") from error
