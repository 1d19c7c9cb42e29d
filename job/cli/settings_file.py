"""A settings file, JSON or TOML: keys are flags without their dashes, values are what would follow the flag.

Flags and environment variables take precedence over it. This module knows no flags: the caller passes their names.
"""

import difflib
import os
import tomllib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from job.documents.checking import parse_json
from job.errors import SettingsInvalid
from job.storage import Storage

_MAX_BYTES: Final = 1 << 20


def read_settings(
    storage: Storage, location: str, names: Sequence[str], repeatable: Collection[str] = ()
) -> dict[str, str | list[str]]:
    """The settings in a file, each as the text that would follow its flag. names: the settings that exist.

    repeatable: those whose flags can be given several times; each has a list of texts. Other lists are joined by
    commas. JSON's null is left out. Raises SettingsInvalid, see `read_values`.
    """
    path = storage.resolve(location)
    settings = read_values(storage, location, names)
    texts: dict[str, str | list[str]] = {}
    for name, value in settings.items():
        if value is not None and name in repeatable:
            texts[name] = [
                _as_text(each, f"{path}: {name}") for each in (value if isinstance(value, list) else [value])
            ]
        elif value is not None:
            texts[name] = _as_text(value, f"{path}: {name}")
    return texts


def read_values(storage: Storage, location: str, names: Sequence[str]) -> Mapping[str, Any]:
    """The names and values in a file that ends in `.toml`, which is TOML, or any other, which is JSON.

    names: those that may occur. Raises SettingsInvalid if the file is missing, cannot be parsed, or has another name.
    """
    path = storage.resolve(location)
    found = storage.stat(path)
    if found is None:
        raise SettingsInvalid(f"{path}: no such file; expected a JSON or TOML file of settings")
    if found.size > _MAX_BYTES:
        raise SettingsInvalid(f"{path}: has {found.size:,} bytes, which are no settings; expected names and values")
    settings = _parsed(storage.read(path), path)
    for name in settings:
        if name not in names:
            raise SettingsInvalid(f"{path}: no such setting: {name!r:.200}{_suggestion(name, names)}")
    return settings


def _parsed(content: bytes, path: str) -> Mapping[str, Any]:
    kind = "TOML" if path.endswith(".toml") else "JSON"
    try:
        text = content.decode("utf-8-sig")
        settings = tomllib.loads(text) if kind == "TOML" else parse_json(text)
    except (ValueError, RecursionError) as error:
        raise SettingsInvalid(f"{path}: is not valid {kind}: {error!s:.200}") from error
    if not isinstance(settings, dict):
        raise SettingsInvalid(f'{path}: is {settings!r:.50}, expected names and values such as {{"epochs": 20}}')
    return settings


def _usable(text: str, where: str) -> str:
    """A text that a command line could contain."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise SettingsInvalid(f"{where} is {text!r:.50}, which is no Unicode text") from error
    if "\0" in text:
        raise SettingsInvalid(f"{where} is {text!r:.50}, which has a NUL character")
    return text


def _suggestion(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.replace("_", "-").removeprefix("--"), names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(sorted(names))}"


def _as_text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _usable(value, where)
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return ",".join(_as_text(each, where) for each in value)
    raise SettingsInvalid(f"{where} is {value!r:.50}, expected a number, a string, true, false, or a list of these")
