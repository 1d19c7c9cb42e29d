"""Finished output with given predictions, without a network."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from job.contract import Reason, Reject, ScoredBatch, prediction_schema
from job.report.metrics import figures
from job.report.tally import Tally
from job.write.predictions import CsvPredictions, KagglePredictions, ParquetPredictions, prediction_rows


def scored(predictions, labels=None, confidences=None):
    """A scored batch. predictions: -1 where rejected. confidences: 0.9 by default."""
    predictions = np.asarray(predictions, np.int8)
    probabilities = np.zeros((len(predictions), 10), np.float32)
    sure = np.full(len(predictions), 0.9) if confidences is None else np.asarray(confidences)
    is_scored = predictions >= 0
    probabilities[is_scored, predictions[is_scored]] = sure[is_scored]
    rejects = tuple(Reject(int(row), Reason.NOT_A_NUMBER, "wrong") for row in np.flatnonzero(~is_scored))
    return ScoredBatch(predictions, probabilities, None if labels is None else np.asarray(labels, np.int8), rejects)


def write_output(folder, batches, *, format_="csv", name="model"):
    """Write a finished run over scored batches, by the paths of their inputs; returns the folder."""
    folder = Path(folder)
    files, inputs = {}, []
    for path, batch in batches.items():
        predictions = f"predictions/{path}.{'parquet' if format_ == 'parquet' else 'csv'}"
        files[predictions] = _predictions(batch, format_)
        inputs.append({"relative_path": path, "size": 1000, "rows": len(batch.predictions), "predictions": predictions})
    total = sum(map(Tally.of, batches.values()), Tally.zero())
    of_inputs = [
        {"path": each["relative_path"], "rows": each["rows"], "rejected": 0, "accuracy": None} for each in inputs
    ]
    model = {
        "digest": hashlib.sha256(name.encode()).hexdigest(), "name": name, "recipe": None, "architecture": None,
        "data": None, "warning": None, "test_accuracy": None,
    }  # fmt: skip
    report = {**figures(total), "inputs": of_inputs, "warnings": [], "model": model}
    files["report.json"] = json.dumps(report, indent=2).encode()
    files["report.html"] = b"as another version rendered it"
    outputs = [
        {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in files.items()
    ]
    manifest = {"digit_job": "0.0.9", "fingerprint": f"of {name}", "inputs": inputs, "outputs": outputs, "timings": {}}
    files["manifest.json"] = json.dumps(manifest, indent=2).encode()
    files["_SUCCESS"] = f"of {name}\n".encode()
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def write_long_output(folder, batch, times, *, format_, name):
    """Write a finished run over one input that repeats the rows of a batch; returns the folder."""
    folder = write_output(folder, {"a": batch}, format_=format_, name=name)
    path = folder / f"predictions/a.{format_}"
    with path.open("wb") as file:
        _write(file, batch, format_, times)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"][0]["rows"] = times * len(batch.predictions)
    manifest["outputs"][0]["bytes"] = path.stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _predictions(batch, format_):
    file = io.BytesIO()
    _write(file, batch, format_)
    return file.getvalue()


def _write(file, batch, format_, times=1):
    rows = prediction_rows(batch, with_probabilities=False)
    schema = prediction_schema(has_labels=batch.labels is not None, with_probabilities=False)
    if format_ == "kaggle":
        writer = KagglePredictions(file)
    else:
        writer = ParquetPredictions(file, schema) if format_ == "parquet" else CsvPredictions(file, schema)
    for _ in range(times):
        writer.write(rows)
    writer.close()
