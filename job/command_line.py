"""The settings of a scoring run as flags, and the `digit-job score` command line that repeats the run."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from job.settings import ReadSettings, ScoreSettings

# Flags that a command line always shows, with the values to show if the caller has none.
_ALWAYS_SHOWN: Final = {"input": ["digits.csv"], "output": "results", "model": "model"}


def read_flags(settings: ReadSettings) -> dict[str, Any]:
    """How the input is read: flags without their dashes -> values."""
    return {
        "label-column": settings.label_column,
        "label-map": settings.label_map.location if settings.label_map else None,
        "no-label": settings.is_label_ignored,
        "scale": settings.scale,
        "transpose": settings.is_transposed,
        "invert": settings.is_inverted,
        "normalize": settings.normalize,
        "keep": list(settings.keep),
    }


def score_flags(settings: ScoreSettings) -> dict[str, Any]:
    """All flags that decide the content of the output: not the output folder, threads, parts or shards."""
    return {
        "input": list(settings.inputs),
        "model": settings.model_name or settings.model,
        "model-scale": settings.model_scale,
        "format": settings.format,
        **read_flags(settings.read),
        "probabilities": settings.has_probabilities,
        "escape-formulas": settings.escapes_formulas,
        "review-rows": settings.review.rows,
        "review-pictures": list(settings.review.pictures),
        "max-rejects": str(settings.max_rejects),
        "max-error": None if settings.max_error is None else str(settings.max_error),
        "calibration": settings.calibration,
        "allow-unblessed": settings.allows_unblessed,
    }


def command_line(flags: Mapping[str, Any]) -> str:
    """The command line with these flags, quoted for a shell; defaults are left out, except input, output and model."""
    words = ["digit-job", "score"]
    for flag, value in {**_ALWAYS_SHOWN, **flags}.items():
        if flag in _ALWAYS_SHOWN or value != _DEFAULTS[flag]:
            for each in value if isinstance(value, list) else [value]:
                words += [f"--{flag}"] if each is True else [f"--{flag}", str(each)]
    return shlex.join(words)


_DEFAULTS: Final = score_flags(ScoreSettings((), "", ""))


def command_for(location: str, settings: ReadSettings) -> str:
    """The command line that scores the inputs at a location, read with these settings."""
    return command_line({"input": [location], **read_flags(settings)})
