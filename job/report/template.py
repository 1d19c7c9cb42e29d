"""The template engine of the reports: their filters, their style sheet, and a cache of compiled templates.

`page` renders with it, and so does the training report; the layout and the macros in `templates` are shared. Compiling
the templates takes longer than rendering a page, so compiled ones are cached in files, like compiled kernels;
`python -m job.report.template` fills the cache.
"""

import base64
import functools
import hashlib
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from job.compiled import cache
from job.log import visible_lines
from job.report import words
from job.report.digits import data_uri

_FOLDER: Final = Path(__file__).with_name("templates")


class _TemplateCache(jinja2.BytecodeCache):
    """Files named after the template, its content, and the versions of Python and Jinja that compiled it."""

    def load_bytecode(self, bucket: Bucket) -> None:
        code = cache.read(cache.folders(Path(__file__)), _name(bucket))
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        cache.write(cache.folders(Path(__file__)), _name(bucket), bucket.bytecode_to_string())


def _name(bucket: Bucket) -> str:
    return f"{bucket.key}-{bucket.checksum}.{sys.implementation.cache_tag}.jinja-{_engine()}"


@functools.cache
def _engine() -> str:
    return version("jinja2")


@functools.cache
def environment() -> jinja2.Environment:
    """The engine. It escapes all text and raises jinja2.UndefinedError for names that it is not passed."""
    engine = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: _FOLDER.joinpath(name).read_text(encoding="utf-8")),
        bytecode_cache=_TemplateCache(),
    )
    engine.filters |= {
        "percent": words.percent,
        "count": words.count,
        "figure": words.figure,
        "many": words.many,
        "duration": words.duration,
        "setting": words.setting,
        "breakable": _breakable,
        "data_uri": data_uri,
        "base64": lambda content: base64.b64encode(content).decode(),
    }
    engine.globals["style"] = _style()
    return engine


def render(name: str, **content: Any) -> str:
    """The page of a template; the same content gives the same bytes."""
    return visible_lines(environment().get_template(name).render(content))


def script(name: str) -> dict[str, Markup]:
    """A script for a page, and the hash by which the page's policy allows this one and no other."""
    text = _FOLDER.joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    # Not a template, and our own files.
    return {"script": Markup(text), "script_hash": Markup(f"sha256-{digest}")}  # noqa: S704


def _breakable(path: str) -> Markup:
    """A path with line break opportunities behind its slashes."""
    return Markup("/<wbr>").join(escape(part) for part in path.split("/"))


def _style() -> Markup:
    # Not a template: the engine would parse braces in it.
    return Markup(_FOLDER.joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704  # our own file


if __name__ == "__main__":
    for each in _FOLDER.glob("*.jinja"):
        environment().get_template(each.name)
