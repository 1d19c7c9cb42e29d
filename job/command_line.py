"""What a scoring run was told, flag by flag, and the command line that says the same again."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from job.settings import ReadSettings, ScoreSettings

_PLACEHOLDERS: Final = {"input": ["digits.csv"], "output": "results", "model": "model"}


def read_flags(settings: ReadSettings) -> dict[str, Any]:
    """What was said of the input, by flag."""
    return {
        "label-column": settings.label_column,
        "no-label": settings.is_label_ignored,
        "scale": settings.scale,
        "transpose": settings.is_transposed,
        "keep": list(settings.keep),
    }


def score_flags(settings: ScoreSettings) -> dict[str, Any]:
    """All that decides what a run gives, by flag: not where to, nor by how many threads and in which parts."""
    return {
        "input": list(settings.inputs),
        "model": settings.model_name or settings.model,
        "format": settings.format,
        **read_flags(settings.read),
        "probabilities": settings.has_probabilities,
        "max-rejects": str(settings.max_rejects),
        "allow-unblessed": settings.allows_unblessed,
    }


def command_line(flags: Mapping[str, Any]) -> str:
    """The command line of a scoring run with such flags; defaults are left out, but where it reads and writes."""
    words = ["digit-job", "score"]
    for flag, value in {**_PLACEHOLDERS, **flags}.items():
        if flag in _PLACEHOLDERS or value != _DEFAULTS[flag]:
            for each in value if isinstance(value, list) else [value]:
                words += [f"--{flag}"] if each is True else [f"--{flag}", str(each)]
    return shlex.join(words)


_DEFAULTS: Final = score_flags(ScoreSettings((), "", ""))


def command_for(location: str, settings: ReadSettings) -> str:
    """The command line that scores what was inspected, as it was read."""
    return command_line({"input": [location], **read_flags(settings)})
