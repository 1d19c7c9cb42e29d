"""Every document that the job writes is what its published JSON Schema says."""

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
from job.documents.report_json import RejectLine
from job.results.compare.comparer import Comparer


def check(name, content):
    """Raise ValidationError unless a document is as its schema says."""
    Draft202012Validator(schema_of(name)).validate(content)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, model):
    """Output folders of runs that differ in all that a document may hold."""
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
    """Each is JSON Schema, says what it is about, and is one that `digit-job schema` prints."""
    assert set(DOCUMENTS) == set(get_args(DocumentName))
    for name in DOCUMENTS:
        schema = schema_of(name)
        Draft202012Validator.check_schema(schema)
        assert schema["description"]
        assert all(each["description"] and "dict(" not in each["description"] for each in schema["$defs"].values())


def test_reports_and_manifests_are_as_their_schemas_say(outputs):
    """With and without labels, rows, rejects and shards."""
    for folder in outputs.iterdir():
        check("report", json.loads((folder / "report.json").read_text()))
        check("manifest", json.loads((folder / "manifest.json").read_text()))
    rejects = [json.loads(line) for path in outputs.rglob("rejects/*.jsonl") for line in path.read_text().splitlines()]
    assert rejects
    for each in rejects:
        check("reject", each)


def test_comparisons_are_as_their_schema_says(outputs, storage):
    """Of runs with labels and without."""
    for a, b in (("labelled", "again"), ("unlabelled", "unlabelled"), ("empty", "empty")):
        check("comparison", json.loads(json.dumps(Comparer(storage).compare(str(outputs / a), str(outputs / b)))))


def test_cards_are_as_their_schema_says(tmp_path):
    """The identity of a card that training wrote is tested where it is trained; here a minimal one."""
    folder = write_dense_model(tmp_path / "model")
    card = json.loads((folder / "model.json").read_text())
    required = schema_of("model")["required"]
    assert {"format", "files", "golden", "sha256"} <= set(required)
    with pytest.raises(ValidationError, match="is a required property"):
        check("model", card)


def test_a_document_with_another_key_or_type_is_refused(outputs):
    """The schemas are closed: a key that is renamed by mistake is found."""
    report = json.loads((outputs / "labelled/report.json").read_text())
    for change in ({"accurracy": 1}, {"accuracy": "high"}, {"rows": {"read": 1}}):
        with pytest.raises(ValidationError):
            check("report", {**report, **change})


def test_the_reasons_of_rejects_are_the_contracts():
    """One list, written twice: as codes for the job, as a literal type for the document."""
    assert set(get_args(RejectLine.__annotations__["reason"])) == {reason.value for reason in Reason}
