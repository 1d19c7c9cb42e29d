"""The template engine of the reports, with their common layout, style and macros; and how they write figures.

Compiling the templates takes longer than all else about a page. So the compiled ones are kept in files, too.
"""

import functools
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from job.compiled import cache
from job.report import words
from job.report.digits import data_uri

_FOLDER: Final = Path(__file__).with_name("templates")


class _KeptCode(jinja2.BytecodeCache):
    """Compiled templates in files, by a name that says what they were made from, and for which Python and engine."""

    def load_bytecode(self, bucket: Bucket) -> None:
        for folder in cache.folders(Path(__file__)):
            code = cache.read(folder / _name(bucket))
            if code is not None:
                bucket.bytecode_from_string(code)
                return

    def dump_bytecode(self, bucket: Bucket) -> None:
        any(
            cache.write(folder / _name(bucket), bucket.bytecode_to_string()) for folder in cache.folders(Path(__file__))
        )


def _name(bucket: Bucket) -> str:
    return f"{bucket.key}-{bucket.checksum}.{sys.implementation.cache_tag}.jinja-{_engine()}"


@functools.cache
def _engine() -> str:
    return version("jinja2")


@functools.cache
def environment() -> jinja2.Environment:
    """An engine that escapes all text, refuses names that it is not given, and finds what reports share."""
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: _FOLDER.joinpath(name).read_text(encoding="utf-8")),
        bytecode_cache=_KeptCode(),
    )
    made.filters |= {
        "percent": words.percent,
        "count": words.count,
        "figure": words.figure,
        "many": words.many,
        "duration": words.duration,
        "setting": words.setting,
        "breakable": _breakable,
        "data_uri": data_uri,
    }
    made.globals["style"] = _style()
    return made


def render(name: str, **content: Any) -> str:
    """A page made by one of the templates; the same content gives the same bytes."""
    return environment().get_template(name).render(content)


def _breakable(path: str) -> Markup:
    """A path that a line may be broken within, behind a slash."""
    return Markup("/<wbr>").join(escape(part) for part in path.split("/"))


def _style() -> Markup:
    # Read as it is: the engine would look for its own signs in it.
    return Markup(_FOLDER.joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704  # our own file


# So that no run has to: python -m job.report.template
if __name__ == "__main__":
    for each in _FOLDER.glob("*.jinja"):
        environment().get_template(each.name)
