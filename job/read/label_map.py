"""`--label-map FILE` -> a LabelMap: a JSON object of labels and digits, or a CSV file with the two in its columns.

`labels` applies it wherever labels are read.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from job.contract import CLASSES
from job.errors import SettingsInvalid
from job.flag_names import Flag
from job.read.labels import label_key
from job.settings import LabelMap
from job.storage import Storage

_FIELDS: Final = 2
_EXAMPLE: Final = '{"ten": 0} in JSON, or lines such as ten,0 in CSV'


def read_label_map(storage: Storage, location: str) -> LabelMap:
    """Read a file of labels and their digits. Raises SettingsInvalid if it is missing or not such a file."""
    path = storage.resolve(location)
    if storage.stat(path) is None:
        raise SettingsInvalid(f"{Flag.LABEL_MAP} {location}: no such file; expected {_EXAMPLE}")
    try:
        text = storage.read(path).decode("utf-8-sig")
        pairs = _json_pairs(text) if text.lstrip()[:1] in {"{", "["} else _csv_pairs(text)
        return LabelMap(location, _digits(pairs))
    except (ValueError, RecursionError, csv.Error) as error:
        raise SettingsInvalid(f"{Flag.LABEL_MAP} {location}: {error!s:.200}; expected {_EXAMPLE}") from error


def _json_pairs(text: str) -> Sequence[tuple[str, Any]]:
    # As pairs, so that a label that occurs twice is noticed.
    parsed = json.loads(text, object_pairs_hook=tuple)
    if not isinstance(parsed, tuple):
        raise ValueError("is not a JSON object")  # noqa: TRY004  # one error for all that is wrong with a file
    return parsed


def _csv_pairs(text: str) -> Sequence[tuple[str, Any]]:
    """The rows of a CSV file; a first one that gives no digit is its header."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(map(str.strip, row))]
    wrong = next((row for row in rows if len(row) != _FIELDS), None)
    if wrong is not None:
        raise ValueError(f"has {len(wrong)} columns in the line {','.join(wrong)!r:.60}, not two")
    pairs = [(label, digit) for label, digit in rows]
    return pairs[1:] if pairs and _digit(pairs[0][1]) is None else pairs


def _digits(pairs: Sequence[tuple[str, Any]]) -> tuple[tuple[str, int], ...]:
    """Checked pairs of a label, as `label_key` has it, and its digit, sorted. Raises ValueError."""
    found: dict[str, int] = {}
    for label, value in pairs:
        key, digit = label_key(label), _digit(value)
        if digit is None:
            raise ValueError(f"gives {label!r:.60} the value {value!r:.60}, which is not a digit 0-9")
        if not key:
            raise ValueError("has an empty label; rows without a label need no digit")
        if found.setdefault(key, digit) != digit:
            raise ValueError(f"gives {label!r:.60} two digits, {found[key]} and {digit}")
    if not found:
        raise ValueError("names no label")
    return tuple(sorted(found.items()))


def _digit(value: object) -> int | None:
    """A digit as JSON or CSV has it; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if len(text) == 1 and text.isascii() and text.isdigit() else None
    return value if type(value) is int and 0 <= value < CLASSES else None
