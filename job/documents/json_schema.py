"""Generates the published JSON Schemas (draft 2020-12) from the typed documents."""

import types
import typing
from typing import Annotated, Any, Final, Literal, NotRequired, is_typeddict

from job.documents.allowed import Between, Name, RelativePath
from job.documents.calibration_json import CalibrationFile
from job.documents.comparison_json import Comparison
from job.documents.evaluation_json import ModelEvaluation
from job.documents.manifest_json import Manifest
from job.documents.model_json import Card
from job.documents.report_json import RejectLine, Report
from job.documents.shown_json import ShownRecords

DOCUMENTS: Final[dict[str, type]] = {
    "report": Report,
    "manifest": Manifest,
    "model": Card,
    "comparison": Comparison,
    "calibration": CalibrationFile,
    "evaluation": ModelEvaluation,
    "reject": RejectLine,
    "show": ShownRecords,
}

_PRIMITIVES: Final = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of a document, by its name in DOCUMENTS. Raises KeyError."""
    document = DOCUMENTS[name]
    definitions: dict[str, Any] = {}
    _schema(document, definitions)
    root = definitions.pop(document.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"digit-job {name}",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(annotation: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type. For a TypedDict: a reference to its entry in `definitions`, which is added."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if is_typeddict(annotation):
        if annotation.__name__ not in definitions:
            definitions[annotation.__name__] = {}  # ends the recursion of a type that contains itself
            definitions[annotation.__name__] = _object(annotation, definitions)
        schema: dict[str, Any] = {"$ref": f"#/$defs/{annotation.__name__}"}
    elif origin is Annotated:
        schema = _schema(arguments[0], definitions)
        for each in arguments[1:]:
            schema |= {"description": each} if isinstance(each, str) else _limit(each, schema)
    elif origin is NotRequired:
        schema = _schema(arguments[0], definitions)
    elif origin in {typing.Union, types.UnionType}:
        schema = _union([_schema(each, definitions) for each in arguments])
    elif origin is Literal:
        schema = {"enum": list(arguments)}
    elif origin is list:
        schema = {"type": "array", "items": _schema(arguments[0], definitions)}
    elif origin is dict:
        schema = {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    else:
        schema = {"type": _PRIMITIVES[annotation]}
    return schema


def _limit(limit: Between | Name | RelativePath, schema: dict[str, Any]) -> dict[str, Any]:
    """The keywords for a limit of a value with this schema; of a list, it is one of each item."""
    return {"items": schema["items"] | limit.schema()} if "items" in schema else limit.schema()


def _union(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    if all(each.keys() == {"type"} for each in schemas):
        return {"type": [each["type"] for each in schemas]}
    return {"anyOf": schemas}


def _object(document: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(document, include_extras=True)
    return {
        "description": document.__doc__,
        "type": "object",
        "properties": {key: _schema(hint, definitions) for key, hint in hints.items()},
        "required": sorted(document.__required_keys__),
        "additionalProperties": False,
    }
