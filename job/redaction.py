"""Hides what is secret in URLs: user, password, query and fragment, wherever a setting or an error is shown.

`log` redacts all that it writes, `errors` every message, and documents pass the settings that they show through here.
"""

import re
from typing import Any, Final

_HIDDEN: Final = "***"
_WORD: Final = re.compile(r"\S+")
# What precedes the authority of a URL. With a single slash: in a path that was made of a URL.
_BEGINNING: Final = re.compile(r"(?<!\bfile)://|\b(?:https?|ftp|s3):/+", re.IGNORECASE)
_FILE: Final = re.compile(r"(\bfile://)[^/]*@", re.IGNORECASE)
# After a URL in a sentence.
_PUNCTUATION: Final = ".,:;'\")]}>"


def redacted(text: str) -> str:
    """Text in which each URL shows at most its scheme, host, port and path; of `file://`, only a user is hidden."""
    return _WORD.sub(_redacted_word, text) if ":/" in text else text


def _redacted_word(found: re.Match[str]) -> str:
    word = _FILE.sub(rf"\1{_HIDDEN}@", found[0])
    beginning = _BEGINNING.search(word)
    if beginning is None:
        return word
    scheme, rest = word[: beginning.end()], word[beginning.end() :]
    # Up to the last @, because passwords hold slashes and question marks as well.
    _, at, rest = ["", "", rest] if "@" not in rest else rest.rpartition("@")
    place = re.search(r"[?#]", rest)
    if place is not None:
        end = rest[len(rest.rstrip(_PUNCTUATION)) :]
        rest = f"{rest[: place.end()]}{_HIDDEN}{end}"
    return f"{scheme}{_HIDDEN if at else ''}{at}{rest}"


def redacted_values(value: Any) -> Any:
    """A value for JSON, with the text in it redacted; keys stay."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: redacted_values(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redacted_values(each) for each in value]
    return value
