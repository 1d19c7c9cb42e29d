"""Checks the content of a JSON document against its type before anything reads it: the same types as the schemas.

A document may have been made or changed by anybody. What is checked here is what every reader may rely on: types,
finite numbers of 64 bits, text that has bytes, and the limits in the annotations (`Between`, `Name`, `RelativePath`).
Keys may be missing, as in documents of earlier versions, and keys of later versions are ignored.
"""

import json
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, NotRequired, is_typeddict

from job.documents.allowed import Between, Name, RelativePath

# The job's own documents have less than ten levels.
_MAX_DEPTH: Final = 64
_MAX_INTEGER: Final = 1 << 63
_NAMES: Final = {str: "a text", int: "an integer", float: "a number", bool: "true or false", type(None): "null"}


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON text in UTF-8. Raises ValueError for any other, and for what JSON does not define.

    That is NaN, infinity, and keys that occur twice; also what is nested more deeply than any document of the job.
    """
    try:
        value = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep") from None
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [each for inner in level if isinstance(inner, (dict, list)) for each in _values(inner)]
        if not level:
            return value
    raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")


def check_document(document: type, content: Any, where: str = "") -> None:
    """Raise ValueError, with the place and what is there, unless a value is of a document's type.

    where: the path of keys that leads to it.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{where or 'it'} is {content!r:.50}, expected an object")  # noqa: TRY004  # as for JSON
    for key, hint in _hints(document).items():
        if key in content:
            _check(hint, content[key], f"{where}.{key}" if where else key)


def _check(annotation: Any, value: Any, where: str) -> None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if is_typeddict(annotation):
        check_document(annotation, value, where)
    elif origin in {Annotated, NotRequired}:
        _check(arguments[0], value, where)
        for limit in arguments[1:]:
            _check_limit(limit, value, where)
    elif origin in {typing.Union, types.UnionType}:
        _check_union(arguments, value, where)
    elif origin is Literal:
        _expect(isinstance(value, str) and value in arguments, value, where, f"one of {', '.join(arguments)}")
    elif origin is list:
        _expect(isinstance(value, list), value, where, "a list")
        for index, each in enumerate(value):
            _check(arguments[0], each, f"{where}[{index}]")
    elif origin is dict:
        _expect(isinstance(value, dict), value, where, "an object")
        for key, each in value.items():
            _check_text(key, where)
            _check(arguments[1], each, f"{where}.{key:.50}")
    else:
        _check_primitive(annotation, value, where)


def _check_union(choices: tuple[Any, ...], value: Any, where: str) -> None:
    if value is None and type(None) in choices:
        return
    rest = [each for each in choices if each is not type(None)]
    for each in rest[:-1]:
        try:
            _check(each, value, where)
        except ValueError:
            continue
        return
    _check(rest[-1], value, where)


def _check_primitive(kind: type, value: Any, where: str) -> None:
    """kind: str, int, float or bool. A number may be written as an integer, but true is none."""
    accepted = (int, float) if kind is float else (kind,)
    is_of_kind = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    _expect(is_of_kind, value, where, _NAMES[kind])
    if kind is str:
        _check_text(value, where)
    elif isinstance(value, int):
        _expect(-_MAX_INTEGER <= value < _MAX_INTEGER, value, where, "an integer of 64 bits")
    else:
        _expect(math.isfinite(value), value, where, "a finite number")


def _check_text(value: str, where: str) -> None:
    """Python writes the bytes of a path that is not UTF-8 as half surrogates; it has no bytes for the others."""
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{where} is {value!r:.50}, which is no Unicode text") from None


def _check_limit(limit: Any, value: Any, where: str) -> None:
    """limit: an annotation; a text is its description."""
    if value is None:
        return
    if isinstance(limit, Between):
        for each in value if isinstance(value, list) else [value]:
            _expect(limit.low <= each <= limit.high, each, where, f"{limit.low:,} to {limit.high:,}")
    elif isinstance(limit, Name):
        is_short = len(value) <= limit.length and "\0" not in value
        _expect(is_short, value, where, f"at most {limit.length} characters, none of them NUL")
    elif isinstance(limit, RelativePath):
        is_inside = value and ".." not in PurePosixPath(value).parts and not value.startswith("/") and "\0" not in value
        _expect(is_inside, value, where, "a relative path that stays in its folder")


def _expect(holds: Any, value: Any, where: str, expected: str) -> None:
    if not holds:
        raise ValueError(f"{where} is {value!r:.50}, expected {expected}")


@cache
def _hints(document: type) -> Mapping[str, Any]:
    return typing.get_type_hints(document, include_extras=True)


def _values(inner: dict[str, Any] | list[Any]) -> Any:
    return inner.values() if isinstance(inner, dict) else inner


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twice!r:.50} twice")
    return content
