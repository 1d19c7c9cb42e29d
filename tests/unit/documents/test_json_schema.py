"""Every document that the job writes matches its published JSON Schema."""

import json
from typing import get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError
from support.files import make_digits, write_csv, write_idx, write_parquet
from support.models import write_dense_model
from support.runs import score

from job.cli.schema import DocumentName
from job.contract import Reason
from job.documents.json_schema import DOCUMENTS, schema_of
from job.documents.report_json import RejectCode
from job.results.compare.comparer import Comparer


def check(name, content):
    """Raise ValidationError unless a document matches its schema."""
    Draft202012Validator(schema_of(name)).validate(content)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, model):
    """Output folders of runs that differ in everything that a document may contain."""
    folder = tmp_path_factory.mktemp("documents")
    digits = make_digits(60)
    for name in ("in", "idx"):
        (folder / name).mkdir()
    labelled = write_csv(folder / "in/a.csv", digits)
    text = labelled.read_text().splitlines()
    text[3] = text[3].replace(text[3].split(",")[5], "300", 1)
    text[7] = "x" + text[7]
    labelled.write_text("\n".join(text) + "\n")
    write_parquet(folder / "in/b.parquet", digits)
    empty = folder / "empty.csv"
    empty.write_text(labelled.read_text().splitlines()[0] + "\n")
    unlabelled = write_csv(folder / "plain.csv", digits, has_labels=False)
    runs = {
        "labelled": ([folder / "in"], {"has_probabilities": True, "part_bytes": 20_000}),
        "again": ([folder / "in"], {}),
        "unlabelled": ([unlabelled], {}),
        "empty": ([empty], {}),
        "idx": ([write_idx(folder / "idx", digits)], {}),
    }
    for name, (inputs, settings) in runs.items():
        score(inputs, folder / "out" / name, model, **settings)
    return folder / "out"


def test_schemas_are_valid_and_described():
    """Each has descriptions, and `digit-job schema` prints it."""
    assert set(DOCUMENTS) == set(get_args(DocumentName))
    for name in DOCUMENTS:
        schema = schema_of(name)
        Draft202012Validator.check_schema(schema)
        assert schema["description"]
        assert all(each["description"] and "dict(" not in each["description"] for each in schema["$defs"].values())


def test_reports_manifests_and_rejects_match_their_schemas(outputs):
    """With and without labels, rows and rejects."""
    for folder in outputs.iterdir():
        check("report", json.loads((folder / "report.json").read_text()))
        check("manifest", json.loads((folder / "manifest.json").read_text()))
    rejects = [json.loads(line) for path in outputs.rglob("rejects/*.jsonl") for line in path.read_text().splitlines()]
    assert rejects
    for each in rejects:
        check("reject", each)


def test_comparisons_match_their_schema(outputs, storage):
    """Of runs with and without labels and rows."""
    for a, b in (("labelled", "again"), ("unlabelled", "unlabelled"), ("empty", "empty")):
        check("comparison", json.loads(json.dumps(Comparer(storage).compare(str(outputs / a), str(outputs / b)))))


def test_an_incomplete_card_does_not_match_its_schema(tmp_path):
    """Whole cards are validated where they are trained."""
    folder = write_dense_model(tmp_path / "model")
    card = json.loads((folder / "model.json").read_text())
    required = schema_of("model")["required"]
    assert {"format", "files", "golden", "sha256"} <= set(required)
    with pytest.raises(ValidationError, match="is a required property"):
        check("model", card)


def test_a_document_with_another_key_or_type_is_refused(outputs):
    """Schemas are closed, so that a renamed key is noticed."""
    report = json.loads((outputs / "labelled/report.json").read_text())
    for change in ({"accurracy": 1}, {"accuracy": "high"}, {"rows": {"read": 1}}):
        with pytest.raises(ValidationError):
            check("report", {**report, **change})


def test_reject_codes_are_the_reasons_of_the_contract():
    """A literal type for the document, an enumeration for the code."""
    assert set(get_args(RejectCode)) == {reason.value for reason in Reason}
