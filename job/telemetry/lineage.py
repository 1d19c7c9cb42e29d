"""A run as OpenLineage events: START, then COMPLETE or FAIL, with the datasets it read and wrote.

Written without the official client, which takes longer to import than a small run takes and adds 27 MB, after the
published schemas (https://openlineage.io/spec/2-0-2/OpenLineage.json and those of the facets). The tests check each
event against the client's classes, which are generated from these schemas.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from job._version import __version__
from job.errors import UsageError
from job.flag_names import Flag
from job.score.plan import Input
from job.settings import ScoreSettings
from job.storage import Storage, join
from job.telemetry.recorder import Recorder
from job.telemetry.termination import Ending

_PRODUCER: Final = f"urn:digit-job:{__version__}"
_SPEC: Final = "https://openlineage.io/spec"
_NAMESPACE: Final = "digit-job"
_JOB: Final = "score"
_FILES: Final = "file"

# Of a line that is read to see whether it is an event; one names every input file.
_MAX_EVENT_BYTES: Final = 256 << 20

_Json = dict[str, Any]


class LineageFile:
    """A file with the events of one run, one JSON object per line; it replaces that of an earlier run. to: its path."""

    def __init__(
        self,
        storage: Storage,
        location: str,
        settings: ScoreSettings,
        recorder: Recorder,
        job_name: str | None = None,
    ) -> None:
        """Raises UsageError if another kind of file exists at the location: it would be lost."""
        self._storage, self._settings, self._recorder = storage, settings, recorder
        self.to = storage.resolve(location)
        # Shards are jobs of their own, as tasks of a workflow are, so that none replaces another's runs.
        self._job = (job_name or _JOB) + (f".shard-{settings.shard.index}" if settings.shard else "")
        self._run_id = str(uuid.uuid4())
        self._events: list[_Json] = []
        self._check()

    def start(self) -> None:
        """Write START. Raises StorageError."""
        self._add("START", {})

    def end(self, ending: Ending | None = None) -> None:
        """Write COMPLETE, or FAIL if the run failed; START before it, if the run failed before it was planned."""
        if not self._events:
            self.start()
        facets = {}
        if ending:
            error = {"message": ending.message, "programmingLanguage": "Python"}
            facets["errorMessage"] = _facet("1-0-1/ErrorMessageRunFacet", error)
        self._add("FAIL" if ending else "COMPLETE", facets)

    def _check(self) -> None:
        found = self._storage.stat(self.to)
        if found is None or not found.size or self._storage.is_stream(self.to):
            return
        with self._storage.open(self.to) as file:
            first = file.read(_MAX_EVENT_BYTES).partition(b"\n")[0]
        try:
            is_own = _is_own(json.loads(first))
        except (ValueError, RecursionError):
            is_own = False
        if not is_own:
            raise UsageError(
                f"{Flag.OPENLINEAGE} {self.to}: exists and does not hold OpenLineage events of digit-job; choose "
                "another path or delete it"
            )

    def _add(self, kind: str, run_facets: _Json) -> None:
        engine = {"version": __version__, "name": "digit-job"}
        job_type = {"processingType": "BATCH", "integration": "DIGIT_JOB", "jobType": "JOB"}
        inputs = self._recorder.plan.inputs if self._recorder.plan else ()
        result = self._recorder.result
        reported = result.report["inputs"] if result and result.report else []
        rows = {each["path"]: each["rows"] for each in reported}
        self._events.append(
            {
                "eventType": kind,
                "eventTime": datetime.now(UTC).isoformat(),
                "producer": _PRODUCER,
                "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
                "run": {
                    "runId": self._run_id,
                    "facets": {"processing_engine": _facet("1-1-1/ProcessingEngineRunFacet", engine), **run_facets},
                },
                "job": {
                    "namespace": _NAMESPACE,
                    "name": self._job,
                    "facets": {"jobType": _facet("2-0-4/JobTypeJobFacet", job_type)},
                },
                "inputs": [self._input(each, rows.get(each.path)) for each in inputs],
                "outputs": [self._output(each, rows.get(each.path)) for each in inputs],
            }
        )
        # A stream has the earlier ones already.
        events = self._events[-1:] if self._storage.is_stream(self.to) else self._events
        with self._storage.commit(self.to) as file:
            file.writelines(json.dumps(each).encode() + b"\n" for each in events)

    def _input(self, each: Input, rows: int | None) -> _Json:
        file = each.source.file
        statistics = {"rowCount": rows, "size": file.size, "fileCount": 1}
        facet = _facet("1-0-0/InputStatisticsInputDatasetFacet", statistics)
        return {"namespace": _FILES, "name": file.path, **_if_known(rows, "inputFacets", "inputStatistics", facet)}

    def _output(self, each: Input, rows: int | None) -> _Json:
        path = join(self._storage.resolve(self._settings.output), each.predictions)
        fields = [{"name": field.name, "type": str(field.type)} for field in each.schema]
        facet = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", {"rowCount": rows, "fileCount": 1})
        return {
            "namespace": _FILES,
            "name": path,
            "facets": {"schema": _facet("1-2-0/SchemaDatasetFacet", {"fields": fields})},
            **_if_known(rows, "outputFacets", "outputStatistics", facet),
        }


def _is_own(first: Any) -> bool:
    """Whether a document is an event as `LineageFile` writes it, of whatever version."""
    keys = {"eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"}
    return isinstance(first, dict) and set(first) == keys and str(first["producer"]).startswith("urn:digit-job:")


def _facet(name: str, content: _Json) -> _Json:
    """A facet with its schema. name: version and name, as in the specification's URLs."""
    schema = f"{_SPEC}/facets/{name}.json#/$defs/{name.partition('/')[2]}"
    return {"_producer": _PRODUCER, "_schemaURL": schema, **content}


def _if_known(rows: int | None, facets: str, name: str, facet: _Json) -> _Json:
    return {} if rows is None else {facets: {name: facet}}
