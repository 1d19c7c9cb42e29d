"""`digit-job schema`."""

import json
from typing import Annotated, Literal

import typer

from job.cli.terminal import echo

DocumentName = Literal[
    "report", "manifest", "model", "comparison", "calibration", "evaluation", "reject", "show",
]  # fmt: skip


def schema(
    document: Annotated[
        DocumentName,
        typer.Argument(help="The document; `reject`: a line of rejects/*.jsonl; `show`: what show --json writes."),
    ],
) -> None:
    """Print the JSON Schema of a document.

    Examples:
      digit-job schema report > report.schema.json

    """
    from job.documents.json_schema import schema_of

    echo(json.dumps(schema_of(document), indent=2))
