import inspect
import json

import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde
from support.files import write_csv, write_parquet
from support.runs import score_observed

from job.errors import ModelInvalid, TooManyRejects, UsageError
from job.settings import RejectLimit, Shard, TelemetrySettings

FACETS = {
    name: each
    for module in (
        facet_v2.error_message_run, facet_v2.input_statistics_input_dataset, facet_v2.job_type_job,
        facet_v2.output_statistics_output_dataset, facet_v2.processing_engine_run, facet_v2.schema_dataset,
    )
    for name, each in inspect.getmembers(module, inspect.isclass)
}  # fmt: skip


def rebuilt_by_the_client(event):
    """An event rebuilt with OpenLineage's own classes, which are generated from its schema, and serialised by them.

    The classes refuse unknown and missing fields, and check identifiers and times.
    """

    def facets(each):
        return {name: facet(content) for name, content in each.items()}

    def facet(content):
        content = dict(content)
        schema, producer = content.pop("_schemaURL"), content.pop("_producer")
        made = FACETS[schema.rpartition("/")[2]](**content)
        assert made._schemaURL == schema
        made._producer = producer
        return made

    def dataset(kind, each):
        return kind(**{name: facets(value) if name.endswith("acets") else value for name, value in each.items()})

    event = dict(event)
    schema = event.pop("schemaURL")
    made = event_v2.RunEvent(
        eventType=event_v2.RunState(event.pop("eventType")),
        run=event_v2.Run(runId=event["run"]["runId"], facets=facets(event.pop("run")["facets"])),
        job=event_v2.Job(**{**event["job"], "facets": facets(event.pop("job")["facets"])}),
        inputs=[dataset(event_v2.InputDataset, each) for each in event.pop("inputs")],
        outputs=[dataset(event_v2.OutputDataset, each) for each in event.pop("outputs")],
        **event,
    )
    assert made.schemaURL == schema
    return json.loads(Serde.to_json(made))


def without_empty_values(value):
    """As the client serialises it: without empty values."""
    if isinstance(value, dict):
        return {name: without_empty_values(each) for name, each in value.items() if each not in (None, {})}
    return [without_empty_values(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def run(tmp_path, model, digits):
    """Scores a CSV and a Parquet file and returns the run's events; checks that each is valid, however the run ends."""
    write_csv(tmp_path / "a.csv", digits)
    write_parquet(tmp_path / "b.parquet", digits[:40])
    path = tmp_path / "lineage/events.jsonl"

    def score(error=None, **settings):
        telemetry = TelemetrySettings(openlineage=str(path))
        arguments = {"inputs": [tmp_path / "a.csv", tmp_path / "b.parquet"], "output": tmp_path / "out", "model": model}
        arguments |= settings
        if error:
            with pytest.raises(error):
                score_observed(telemetry=telemetry, **arguments)
        else:
            score_observed(telemetry=telemetry, **arguments)
        events = [json.loads(line) for line in path.read_text().splitlines()]
        for event in events:
            assert without_empty_values(rebuilt_by_the_client(event)) == without_empty_values(event)
        assert len({event["run"]["runId"] for event in events}) == 1
        return events

    return score


def test_a_run_is_a_start_and_a_completion(run, tmp_path):
    """With the files read and written, and with their rows once they are known."""
    start, complete = run()
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    inputs, outputs = [[(each["namespace"], each["name"]) for each in complete[kind]] for kind in ("inputs", "outputs")]
    assert inputs == [("file", f"{tmp_path}/a.csv"), ("file", f"{tmp_path}/b.parquet")]
    assert outputs == [
        ("file", f"{tmp_path}/out/predictions/a.csv"),
        ("file", f"{tmp_path}/out/predictions/b.parquet"),
    ]
    read = [each["inputFacets"]["inputStatistics"] for each in complete["inputs"]]
    written = [each["outputFacets"]["outputStatistics"] for each in complete["outputs"]]
    assert [each["rowCount"] for each in read] == [each["rowCount"] for each in written] == [100, 40]
    assert read[0]["size"] == (tmp_path / "a.csv").stat().st_size
    assert not any("inputFacets" in each for each in start["inputs"])
    columns = [field["name"] for field in complete["outputs"][0]["facets"]["schema"]["fields"]]
    assert columns == ["prediction", "confidence", "label", "reject"]


def test_a_job_has_a_name_of_its_own(tmp_path, model, digits):
    """And each of its shards."""
    source, names = write_csv(tmp_path / "a.csv", digits), []
    for number, (job_name, shard) in enumerate([(None, None), ("nightly", None), ("nightly", Shard(1, 2))]):
        path = tmp_path / f"{number}.jsonl"
        telemetry = TelemetrySettings(openlineage=str(path), job_name=job_name)
        score_observed(source, tmp_path / f"out-{number}", model, telemetry=telemetry, shard=shard)
        names += {json.loads(line)["job"]["name"] for line in path.read_text().splitlines()}
    assert names == ["score", "nightly", "nightly.shard-1"]


def test_a_failed_run_has_an_error_message(run, tmp_path):
    """In a facet of the event FAIL."""
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text() + "1,2,3\n")
    start, fail = run(TooManyRejects, max_rejects=RejectLimit.parse("0"))
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert "1 records were rejected so far" in fail["run"]["facets"]["errorMessage"]["message"]


def test_a_run_that_fails_before_its_plan_has_both_events(run, tmp_path):
    """Without inputs, which are not known then."""
    start, fail = run(ModelInvalid, model=tmp_path / "nowhere")
    assert (start["eventType"], fail["eventType"], fail["inputs"]) == ("START", "FAIL", [])


def test_a_run_over_finished_output_has_both_events(run):
    """It completes, although it reads nothing."""
    run()
    assert [event["eventType"] for event in run()] == ["START", "COMPLETE"]


def test_another_kind_of_file_is_not_overwritten(tmp_path, model, digits):
    """It is detected before any work."""
    path = write_csv(tmp_path / "a.csv", digits)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists and does not hold OpenLineage events"):
        score_observed(path, tmp_path / "out", model, telemetry=TelemetrySettings(openlineage=str(path)))
    assert path.read_bytes() == before
    assert not (tmp_path / "out").exists()


EVENT = dict.fromkeys(
    ["eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"], "urn:digit-job:0.1"
)


@pytest.mark.parametrize(
    "content",
    [
        b"\nsettings", b'["eventType"]', b'"eventType"', b'{"eventType": "COMPLETE"}', b"[" * 100_000,
        json.dumps({**EVENT, "producer": "https://airflow"}).encode(), json.dumps({**EVENT, "more": 1}).encode(),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_file_that_only_looks_like_events_is_not_overwritten(tmp_path, model, digits, content):
    """Those of other programs neither."""
    path = write_csv(tmp_path / "a.csv", digits)
    (tmp_path / "events").write_bytes(content)
    with pytest.raises(UsageError, match="exists and does not hold OpenLineage events of digit-job"):
        score_observed(path, tmp_path / "out", model, telemetry=TelemetrySettings(openlineage=f"{tmp_path}/events"))
    assert (tmp_path / "events").read_bytes() == content


def test_a_stream_gets_each_event_once(tmp_path, model, digits, capfd):
    """As `--openlineage /dev/stdout` does; a file is replaced by all of them."""
    path = write_csv(tmp_path / "a.csv", digits)
    score_observed(path, tmp_path / "out", model, telemetry=TelemetrySettings(openlineage="/dev/stdout"))
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]
