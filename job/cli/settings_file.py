"""A file of settings, JSON or TOML: named as the flags are, each with what would follow the flag.

What the command line or the environment says goes before it. Knows no flags of its own: `cli` says which there are.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from job.errors import SettingsInvalid
from job.storage import Storage


def read_settings(storage: Storage, location: str, names: Sequence[str]) -> dict[str, str]:
    """The settings in a file by their names, each as text that could follow its flag; `names`: those there are.

    A file that ends in `.toml` is TOML, any other JSON. Lists are joined by commas; what is null in JSON is left out.
    Raises SettingsInvalid, with the file's name, where it is not there, is something else, or has another name in it.
    """
    path = storage.resolve(location)
    if storage.stat(path) is None:
        raise SettingsInvalid(f"{path}: there is no such file; expected a JSON or TOML file of settings")
    settings = _parsed(storage.read(path), path)
    for name in settings:
        if name not in names:
            raise SettingsInvalid(f"{path}: there is no setting {name!r:.200}{_suggestion(name, names)}")
    return {name: _as_text(value, f"{path}: {name}") for name, value in settings.items() if value is not None}


def _parsed(content: bytes, path: str) -> Mapping[str, Any]:
    kind = "TOML" if path.endswith(".toml") else "JSON"
    try:
        text = content.decode("utf-8-sig")
        settings = tomllib.loads(text) if kind == "TOML" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsInvalid(f"{path}: is no {kind}: {error!s:.200}; correct it") from error
    if not isinstance(settings, dict):
        raise SettingsInvalid(f'{path}: holds {settings!r:.50}, expected names and values, such as {{"epochs": 20}}')
    return settings


def _suggestion(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.replace("_", "-").removeprefix("--"), names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(sorted(names))}"


def _as_text(value: object, where: str) -> str:
    """As it would be written behind a flag."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, str)):
        return str(value)
    if isinstance(value, list):
        return ",".join(_as_text(each, where) for each in value)
    raise SettingsInvalid(f"{where} is {value!r:.50}, expected a number, a text, true, false, or a list of these")
